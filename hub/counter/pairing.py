"""Pairing codes (配对码): what each unpaired kiosk shows, and which clerk has typed it.

Codes live in memory only: after a restart of the hub every kiosk shows a new one. A code is
shown for two minutes and honoured for a few seconds more, for the clerk who is just typing.
"""

import threading
from collections.abc import Callable

from msgspec import Struct

from hub.errors import NothingToConfirm, TooManyTries, WrongCode
from hub.rules.tries import Limit, Tries, failed

CODE_MS = 120_000
GRACE_MS = 10_000
CONFIRM_MS = 60_000
PER_CALLER = Limit(free=5, first_ms=30_000, longest_ms=3_600_000, forget_ms=7_200_000)
PER_DEVICE = 10
"""Wrong codes, of all callers together, that the codes on show outlive; then all change."""

SPOILT = -GRACE_MS
"""The end of a code that is honoured no more; `turn` gives the kiosk a new one."""


class Candidate(Struct, frozen=True, kw_only=True):
    """A window that a kiosk shows, waiting until `until` for `by` to confirm it."""

    device: str
    window: str
    by: str
    until: int


class Shown(Struct, frozen=True, kw_only=True):
    """What an unpaired kiosk shows; times: milliseconds since 1970."""

    code: str
    until: int
    candidate: Candidate | None = None


class Codes:
    """All codes of one hub; for any thread. `random_below(n)` is secret and even."""

    def __init__(self, *, now: Callable[[], int], random_below: Callable[[int], int]) -> None:
        self._now = now
        self._random_below = random_below
        self._lock = threading.Lock()
        self._shown: dict[str, Shown] = {}
        self._before: dict[str, str] = {}
        """The code before the present one, while it is still honoured, by device."""
        self._tries: dict[str, Tries] = {}
        self._wrong = 0

    def of(self, device: str) -> Shown:
        """Return what an unpaired kiosk shows now; it gets its first code here."""
        with self._lock:
            shown = self._shown.get(device)
            if shown is None:
                shown = self._shown[device] = self._new()
            return shown

    def drop(self, device: str) -> None:
        """Forget a kiosk's code: it is paired, or away."""
        with self._lock:
            self._shown.pop(device, None)
            self._before.pop(device, None)

    def turn(self, online: Callable[[str], bool]) -> set[str]:
        """Change what has run out; return the kiosks that have something else to show."""
        now = self._now()
        changed = set()
        with self._lock:
            for device, shown in list(self._shown.items()):
                if not online(device):
                    del self._shown[device]
                    self._before.pop(device, None)
                    continue
                life = CODE_MS if shown.candidate is None else CONFIRM_MS
                if not 0 < shown.until - now <= life:  # over, or the clock was put back
                    if shown.candidate is None and shown.until != SPOILT:
                        self._before[device] = shown.code
                    self._shown[device] = self._new()
                    changed.add(device)
                elif now >= shown.until - CODE_MS + GRACE_MS:
                    self._before.pop(device, None)
        return changed

    def claim(self, code: str, window: str, by: str) -> tuple[Candidate, set[str]]:
        """Have the kiosk with this code show a window; who typed it has to confirm.

        Returns the candidate and the kiosks that have something else to show. Raises
        `WrongCode`; `TooManyTries` to who typed too many wrong ones, right or wrong now.
        """
        now = self._now()
        with self._lock:
            tries = self._tries.get(by, Tries())
            wait = tries.wait_ms(now)
            if wait:
                raise TooManyTries(_wait(wait), -(-wait // 1000))
            device = self._match(code, now)
            if device is None:
                self._missed(by, tries, now)
                raise WrongCode(
                    "没有评价器正在显示这个配对码：请核对屏幕上的六位数字，它每两分钟更换一次"
                )
            self._tries.pop(by, None)
            changed = {device}
            for other, shown in self._shown.items():
                held = shown.candidate
                if held is not None and held.window == window and other != device:
                    self._shown[other] = self._new()
                    changed.add(other)
            found = Candidate(device=device, window=window, by=by, until=now + CONFIRM_MS)
            self._shown[device] = Shown(code=code, until=found.until, candidate=found)
            self._before.pop(device, None)
            return found, changed

    def candidate(self, device: str, window: str, by: str) -> Candidate:
        """Return what waits for `by` to confirm it; raises `NothingToConfirm`."""
        with self._lock:
            shown = self._shown.get(device)
            held = shown.candidate if shown else None
            if held is None or (held.window, held.by) != (window, by) or self._now() >= held.until:
                raise NothingToConfirm(
                    "没有等待确认的评价器，可能已超过一分钟：请重新输入屏幕上的配对码"
                )
            return held

    def cancel(self, device: str, window: str, by: str) -> None:
        """Give up a candidate: it was another kiosk. Raises `NothingToConfirm`."""
        self.candidate(device, window, by)
        with self._lock:
            self._shown[device] = self._new()

    def _match(self, code: str, now: int) -> str | None:
        for device, shown in self._shown.items():
            if shown.candidate is None and shown.code == code and now < shown.until + GRACE_MS:
                return device
        for device, before in self._before.items():
            shown = self._shown[device]
            if (
                shown.candidate is None
                and before == code
                and now < shown.until - CODE_MS + GRACE_MS
            ):
                return device
        return None

    def _missed(self, by: str, tries: Tries, now: int) -> None:
        self._tries[by] = failed(tries, PER_CALLER, now)
        self._wrong += 1
        if self._wrong >= PER_DEVICE:
            self._wrong = 0
            self._before.clear()
            for device, shown in self._shown.items():
                if shown.candidate is None:
                    self._shown[device] = Shown(code=shown.code, until=SPOILT)

    def _new(self) -> Shown:
        """Return a code that no kiosk shows or has just shown."""
        taken = {shown.code for shown in self._shown.values()} | set(self._before.values())
        while True:
            code = f"{self._random_below(1_000_000):06d}"
            if code not in taken:
                return Shown(code=code, until=self._now() + CODE_MS)


def _wait(wait_ms: int) -> str:
    seconds = -(-wait_ms // 1000)
    words = f"{seconds} 秒" if seconds < 120 else f"{-(-seconds // 60)} 分钟"
    return f"配对码输错次数过多，请等 {words}后再试"
