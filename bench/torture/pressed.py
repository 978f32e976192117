"""What a citizen pressed for one invitation, and what of it was promised to arrive."""

from dataclasses import dataclass, field
from typing import Any

Answer = tuple[int, tuple[str, ...], str]
"""Level, reasons in the order pressed, own words."""

BAD = (1, 2)


@dataclass
class Pressed:
    """What was pressed for one invitation: every state of the answer, in order.

    `must`: the first of them that may arrive, None where nothing has to; a press that took the
    answer back (`undone`) lifts what was promised before.
    """

    versions: list[Answer] = field(default_factory=list)
    must: int | None = None
    undone: bool = False
    _tapped: int = 0
    _submitted: int = 0
    _before: tuple[int, int | None, bool, int, int] | None = None

    def take(self, line: dict[str, Any]) -> None:
        """Take one line of the notebook."""
        do = line["do"]
        if do == "refused":
            if self._before is not None:
                count, self.must, self.undone, self._tapped, self._submitted = self._before
                del self.versions[count:]
        elif do == "thanks":
            bad = self.versions[-1][0] in BAD
            self.must = self._submitted if bad else self._tapped
        elif do == "left":
            self.must = self._last
        else:
            state = (self.must, self.undone, self._tapped, self._submitted)
            self._before = (len(self.versions), *state)
            self._press(do, line)

    def _press(self, do: str, line: dict[str, Any]) -> None:
        if do == "tap":
            self.versions.append((line["level"], (), ""))
            self._tapped, self.undone = self._last, False
        elif do == "choose":
            level, reasons, words = self.versions[-1]
            code = line["code"]
            kept = tuple(each for each in reasons if each != code)
            self.versions.append((level, kept if code in reasons else (*reasons, code), words))
        elif do == "write":
            level, reasons, _ = self.versions[-1]
            self.versions.append((level, reasons, line["text"]))
        elif do == "undo":
            self.must, self.undone = None, True
        elif do == "skip":
            self.versions.append((self.versions[-1][0], (), ""))
            self._submitted = self._last
        elif do == "submit":
            self._submitted = self._last

    @property
    def _last(self) -> int:
        return len(self.versions) - 1

    def allows(self, answer: Answer, *, any_of_them: bool = False) -> bool:
        """Whether this answer may stand for what was pressed."""
        first = 0 if any_of_them or self.must is None else self.must
        return answer in self.versions[first:]
