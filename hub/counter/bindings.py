"""Pairing and signing on: which kiosk stands at which window, and who serves there.

Every change is one job of the writer, in which the ledger and the audit trail learn of it too.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec
from sqlite_utils import Database

from hub.counter.pairing import Candidate, Codes
from hub.counter.vigil import Vigil
from hub.counter.windows import Windows
from hub.errors import (
    KioskWorks,
    NothingToConfirm,
    NotPaired,
    StaffUnknown,
    WindowTaken,
    WrongCode,
)
from hub.rules.access import HUB, Caller, Scope
from hub.rules.days import day_start
from hub.store import audit, bindings, invitations, pauses
from hub.store.writer import Busy, Stopped, Writer
from protocol.messages import Staff

T = TypeVar("T")


class WindowStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a window stands: its kiosk, its clerk, whether it is closed."""

    name: str
    label: str
    device: str | None
    device_online: bool
    staff: Staff | None
    signed_on_at: int | None
    paused: str | None


class Bindings:
    """All that binds kiosks and clerks to windows.

    `online(device)` says whether a kiosk is seen now; `changed(devices)` is called after the
    commit with those that have something else to show. `vigil` is called to look now and then.
    """

    def __init__(
        self,
        writer: Writer,
        windows: Windows,
        codes: Codes,
        *,
        now: Callable[[], int],
        online: Callable[[str], bool],
        changed: Callable[[Iterable[str]], None],
        vigil: Vigil | None = None,
    ) -> None:
        self._writer = writer
        self._windows = windows
        self._vigil = vigil or Vigil()
        self._codes = codes
        self._now = now
        self._online = online
        self._changed = changed

    async def windows(self) -> tuple[WindowStatus, ...]:
        """Return how all windows stand, in the order of the configuration."""
        return await self._do(lambda db, _: tuple(self._status(db, name) for name in self._windows))

    async def status(self, name: str) -> WindowStatus:
        """Return how a window stands; raises `UnknownWindow`."""
        self._windows[name]
        return await self._do(lambda db, _: self._status(db, name))

    async def history(self, name: str | None = None) -> list[bindings.Binding]:
        """Return who and what was where, newest first; raises `UnknownWindow`."""
        if name is not None:
            self._windows[name]
        return await self._do(lambda db, _: bindings.history(db, name))

    # ------------------------------------------------------------ pairing

    async def claim(self, name: str, code: str, caller: Caller) -> Candidate:
        """Type a code for a window: its kiosk shows the window's name until it is confirmed.

        Raises `UnknownWindow`, `WrongCode`, `TooManyTries`; `KioskWorks` where the window has
        a kiosk that answers and the caller may not rebind.
        """
        self._windows[name]
        with self._denials(caller, "pair", name):
            await self._do(lambda db, _: self._may_replace(db, name, caller))
            found, changed = self._codes.claim(code, name, caller.name)
        self._changed(changed)
        return found

    async def confirm(self, name: str, device: str, caller: Caller) -> WindowStatus:
        """Pair the kiosk that shows this window's name; what stood there before is unpaired.

        Raises `NothingToConfirm`, `UnknownWindow`, `KioskWorks`.
        """
        self._windows[name]

        def job(db: Database, changed: set[str]) -> WindowStatus:
            if bindings.device_of(db, name) != device:  # else it was confirmed twice
                self._may_replace(db, name, caller)
                self._pair(db, name, device, caller, changed)
            return self._status(db, name)

        with self._denials(caller, "pair", name):
            self._codes.candidate(device, name, caller.name)
            return await self._do(job, lambda: self._codes.drop(device))

    def cancel(self, name: str, device: str, caller: Caller) -> None:
        """Do not pair: it was another kiosk. Raises `NothingToConfirm`."""
        self._codes.cancel(device, name, caller.name)
        self._changed({device})

    async def unpair(self, name: str, caller: Caller) -> WindowStatus:
        """Take the kiosk off a window; it shows a code again. Raises `NotPaired`."""
        self._windows[name]

        def job(db: Database, changed: set[str]) -> WindowStatus:
            device = bindings.unpair(db, name, by=caller.name, now=self._now())
            if device is None:
                raise NotPaired(f"{name}没有评价器，无需解除")
            self._take_back(db, device)
            audit.note(db, self._now(), caller, "unpair", name, detail={"device": device})
            changed.add(device)
            return self._status(db, name)

        return await self._do(job)

    async def move(self, name: str, to: str, caller: Caller) -> WindowStatus:
        """Have the kiosk of a window serve another one, which must have none.

        Raises `UnknownWindow`, `NotPaired`, `WindowTaken`.
        """
        self._windows[name]
        self._windows[to]

        def job(db: Database, changed: set[str]) -> WindowStatus:
            device = bindings.device_of(db, name)
            if device is None:
                raise NotPaired(f"{name}没有评价器，无法移到{to}")
            if to != name:
                taken = bindings.device_of(db, to)
                if taken is not None:
                    raise WindowTaken(f"{to}已有评价器 {taken}，请先解除它，再移动")
                self._pair(db, to, device, caller, changed)
            return self._status(db, to)

        return await self._do(job)

    # ------------------------------------------------------------ signing on

    async def sign_on(self, name: str, staff: Staff | None, caller: Caller) -> WindowStatus:
        """Put a clerk at a window: the caller themselves, or, with the right to it, `staff`.

        Who was there, and the window where the clerk was before, are signed off. Raises
        `UnknownWindow`, `StaffUnknown`.
        """
        self._windows[name]
        clerk = staff if staff is not None and caller.may(Scope.SIGN_ON_ANYONE) else caller.staff
        if clerk is None or (staff is not None and clerk != staff):
            with self._denials(caller, "sign_on", name):
                raise StaffUnknown(
                    "该账号没有登记窗口工作人员的姓名和工号，请管理员补充后再签到"
                    if clerk is None
                    else "只能为本人签到；替他人签到请用有相应权限的接口密钥"
                )

        def job(db: Database, changed: set[str]) -> WindowStatus:
            held = bindings.seat(db, name)
            if held is None or held.staff != clerk:
                moved = bindings.sign_on(db, name, clerk, by=caller.name, now=self._now())
                detail = {"name": clerk.name, "number": clerk.number}
                audit.note(db, self._now(), caller, "sign_on", name, detail=detail)
                for window in (name, *moved):
                    changed |= _kiosk(db, window)
            return self._status(db, name)

        return await self._do(job)

    async def sign_off(self, name: str, caller: Caller) -> WindowStatus:
        """Let the clerk of a window go; nothing happens if nobody is signed on.

        Who may only sign on themselves may only sign off themselves: raises `StaffUnknown`.
        """
        self._windows[name]

        def job(db: Database, changed: set[str]) -> WindowStatus:
            held = bindings.seat(db, name)
            if held is None:
                return self._status(db, name)
            if held.staff != caller.staff and not caller.may(Scope.SIGN_ON_ANYONE):
                raise StaffUnknown(f"{name}签到的是{held.staff.name}，只能由本人签退")
            bindings.sign_off(db, name, by=caller.name, now=self._now())
            audit.note(db, self._now(), caller, "sign_off", name, detail={"name": held.staff.name})
            changed |= _kiosk(db, name)
            return self._status(db, name)

        with self._denials(caller, "sign_off", name):
            return await self._do(job)

    def end_of_day(self) -> None:
        """Sign off who has not signed on today; free windows that are no more.

        Called now and then; raises `Busy` or `Stopped` where the writer takes nothing. The day
        is China's; one that is still to come is the word of a clock that has been put back.
        """
        today = day_start(self._now())

        def job(db: Database) -> set[str]:
            self._vigil.look(db)
            changed: set[str] = set()
            for window, held in bindings.seats(db).items():
                known = window in self._windows
                if day_start(held.since) != today or not known:
                    why = "end_of_day" if known else "window_removed"
                    bindings.sign_off(db, window, by=HUB.name, now=self._now(), why=why)
                    self._note(db, "sign_off", window, name=held.staff.name, why=why)
                    changed |= _kiosk(db, window)
            for window, device in bindings.pairings(db).items():
                if window not in self._windows:
                    why = "window_removed"
                    bindings.unpair(db, window, by=HUB.name, now=self._now(), why=why)
                    self._note(db, "unpair", window, device=device, why=why)
                    self._take_back(db, device)
                    changed.add(device)
            return changed

        self._writer.submit(
            job, lambda done: None if done.exception() else self._changed(done.result())
        )

    @contextlib.contextmanager
    def _denials(self, caller: Caller, action: str, target: str) -> Iterator[None]:
        """Have the audit trail say what is denied here."""
        try:
            yield
        except (KioskWorks, NothingToConfirm, StaffUnknown, WrongCode) as error:
            why = {"why": error.code}
            with contextlib.suppress(Busy, Stopped):
                self._writer.submit(
                    lambda db: audit.note(
                        db, self._now(), caller, action, target, allowed=False, detail=why
                    )
                )
            raise

    # ------------------------------------------------------------ within a job

    def _status(self, db: Database, name: str) -> WindowStatus:
        device, held = bindings.device_of(db, name), bindings.seat(db, name)
        return WindowStatus(
            name=name,
            label=self._windows[name].label,
            device=device,
            device_online=device is not None and self._online(device),
            staff=held.staff if held else None,
            signed_on_at=held.since if held else None,
            paused=pauses.reason(db, name),
        )

    def _may_replace(self, db: Database, name: str, caller: Caller) -> None:
        device = bindings.device_of(db, name)
        if device is not None and self._online(device) and not caller.may(Scope.REBIND):
            raise KioskWorks(f"{name}的评价器 {device} 工作正常，更换或移走请联系信息化管理员")

    def _pair(
        self, db: Database, name: str, device: str, caller: Caller, changed: set[str]
    ) -> None:
        others = bindings.pair(db, name, device, by=caller.name, now=self._now())
        for each in (device, *others):
            self._take_back(db, each)
        audit.note(db, self._now(), caller, "pair", name, detail={"device": device})
        changed |= {device, *others}

    def _note(self, db: Database, action: str, window: str, **detail: str) -> None:
        """Enter into the audit trail what the hub did by its own rules."""
        audit.note(db, self._now(), HUB.name, action, window, detail=detail)

    def _take_back(self, db: Database, device: str) -> None:
        """Take back what is open at a kiosk: it was for the window where it stood."""
        for name in invitations.open_ids(db, device):
            invitations.ask_back(db, name, self._now())

    async def _do(
        self,
        job: Callable[[Database, set[str]], T],
        committed: Callable[[], None] = lambda: None,
    ) -> T:
        """Run a job and wait for its commit; who is told of it is told even if nobody waits.

        `committed()` is called in the writer's thread, before the kiosks are told.
        """

        def tell(changed: set[str]) -> None:
            committed()
            if changed:
                self._changed(changed)

        return await self._writer.change(job, tell)


def _kiosk(db: Database, window: str) -> set[str]:
    device = bindings.device_of(db, window)
    return set() if device is None else {device}
