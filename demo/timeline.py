"""What a newcomer reads while the demo plays: one line for each hop of each rating."""

import sys
import time

from demo.cases import Row
from protocol.catalogue import LEVELS


class Timeline:
    """Prints to standard output; nothing when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    def say(self, who: str, what: str) -> None:
        """Print one line: the time, who acted, what happened."""
        if not self._quiet:
            sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {pad(who, 10)} {what}\n")
            sys.stdout.flush()

    def case(self, row: Row, number: int, total: int) -> None:
        """Begin a case."""
        matter = row.matter if len(row.matter) <= 30 else row.matter[:29] + "…"
        self.say(
            "窗口系统", f"〔{number}/{total}〕{row.window}邀请评价：{matter}  流水号 {row.serial}"
        )

    def pressed(self, row: Row) -> None:
        """Say what the citizen pressed."""
        level = LEVELS[row.level] if row.level else ""
        why = f"，理由 {'、'.join(row.reasons)}" if row.reasons else ""
        text = f"，留言 {len(row.comment)} 字" if row.comment else ""
        self.say("群众", f"按下“{level}”{why}{text}")


def pad(text: str, width: int) -> str:
    """Pad to a width in columns; a Chinese character takes two."""
    return text + " " * max(0, width - sum(2 if ord(sign) > 0x2E7F else 1 for sign in text))
