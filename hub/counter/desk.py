"""What a window system may ask of the hub: keep a case, invite, take back, pause, look.

Every change is one job of the writer, so that what is checked still holds when it is written.
"""

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

import msgspec
from sqlite_utils import Database

from hub.counter.vigil import Vigil
from hub.counter.windows import Windows
from hub.errors import (
    AlreadyRated,
    AnotherClerk,
    CaseFixed,
    NobodySignedOn,
    NotPaired,
    OfAnotherHall,
    OpenElsewhere,
    UnknownCase,
    WindowPaused,
)
from hub.rules.access import HUB, Caller
from hub.rules.case import Case
from hub.store import (
    audit,
    bindings,
    cases,
    deliveries,
    feed,
    invitations,
    mending,
    pauses,
    recovery,
)
from hub.store.vault import Vault
from hub.store.writer import Writer
from protocol.identifiers import identifier
from protocol.messages import Invitation, Staff, Window

T = TypeVar("T")

log = logging.getLogger(__name__)


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How an invitation stands. It never says which level was given: the clerk is blind."""

    id: str
    window: str
    device: str
    serial: str
    service_number: int
    state: Literal["open", "rated", "expired", "withdrawn"]
    shown: bool
    withdrawal_requested: bool
    issued_at: int
    deadline_at: int


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """A status, and whether it is of a new invitation or of one that was open already."""

    status: Status
    new: bool


class CaseStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a service of a case stands, without the citizen's data."""

    serial: str
    service_number: int
    matter: str
    rated: bool
    invitations: tuple[Status, ...]


def _status(kept: invitations.Kept) -> Status:
    return Status(
        id=kept.id,
        window=kept.invitation.window.name,
        device=kept.device,
        serial=kept.serial,
        service_number=kept.service_number,
        state=kept.outcome or "open",
        shown=kept.shown_at is not None,
        withdrawal_requested=kept.withdraw_at is not None,
        issued_at=kept.issued_at,
        deadline_at=kept.issued_at + kept.ttl_ms,
    )


def _keep(db: Database, vault: Vault, case: Case, now: int, caller: Caller) -> bool:
    """Keep a case, but never another matter than the one that a citizen was asked about.

    What else is changed once somebody was asked is in the audit trail: it goes to the city with
    a rating that may have been given before.
    """
    of = (case.serial, case.service_number)
    if feed.owner(db, *of) not in (None, feed.OWN_HALL):
        raise OfAnotherHall(
            f"办件 {case.serial}/{case.service_number} 已由下级大厅报送，本厅不能登记：请核对流水号"
        )
    matter = cases.matter(db, *of)
    if matter is not None and invitations.of_case(db, *of):
        if matter != case.matter:
            raise CaseFixed(
                f"办件 {case.serial}/{case.service_number} 已按事项“{matter}”邀请群众评价，"
                "事项名称不能再改；其他信息可以更正"
            )
        try:
            before = cases.get(db, vault, *of)
        except cases.CaseAltered as error:  # registering it again puts it right
            log.critical("case=altered note=registered-again: %s", error)
            before = None
        changed = _changed(before, case)
        if changed:
            target = f"{case.serial}/{case.service_number}"
            audit.note(db, now, caller, "correct_case", target, detail={"fields": changed})
    new = cases.put(db, vault, case, now)
    deliveries.again(db, case.serial, case.service_number, now)
    return new


def _changed(before: Case | None, after: Case) -> str:
    """Return the names of the fields that differ, never what stands in them."""
    names = Case.__struct_fields__
    if before is None:  # the citizen's data have been erased: what they were is not known
        return ",".join(names)
    return ",".join(name for name in names if getattr(before, name) != getattr(after, name))


def _running(
    db: Database,
    device: str,
    serial: str,
    service_number: int,
    now: int,
    *,
    believed: Callable[[invitations.Kept], bool],
) -> invitations.Kept | None:
    """Return the invitation of this service that is running here; refuse a second rating."""
    if mending.rated(db, serial, service_number):
        raise AlreadyRated(f"办件 {serial}/{service_number} 已经评价，一次服务只评一次")
    for kept in mending.of_case(db, serial, service_number):
        if kept.outcome is not None or not believed(kept):
            continue
        left_ms = kept.issued_at + kept.ttl_ms - now
        if left_ms <= 0:
            continue  # nobody can tap it any more; if somebody did, the first to arrive counts
        if kept.device != device:
            raise OpenElsewhere(
                f"办件 {serial}/{service_number} 正在{kept.invitation.window.name}评价，"
                f"请等它结束，最迟 {left_ms // 1000 + 1} 秒后可以重新邀请"
            )
        if kept.withdraw_at is None:
            return kept
    return None


class Desk:
    """The hub's counter for window systems.

    After the commit, `changed(devices)` is called with the kiosks that have something else to
    show, and `queued()` where there may be something new for the city. `believed(device)` says
    whether a kiosk is not revoked: nobody is invited to one that is. `vigil` knows the windows
    whose tables were bent: nobody is invited there either.
    """

    def __init__(
        self,
        writer: Writer,
        vault: Vault,
        windows: Windows,
        *,
        now: Callable[[], int],
        changed: Callable[[Iterable[str]], None],
        queued: Callable[[], None] = lambda: None,
        believed: Callable[[str], bool] = lambda _: True,
        vigil: Vigil | None = None,
    ) -> None:
        self._writer = writer
        self._believed = believed
        self._vigil = vigil or Vigil(vault)
        self._vault = vault
        self._windows = windows
        self._now = now
        self._changed = changed
        self._queued = queued

    async def _do(self, job: Callable[[Database, set[str]], T]) -> T:
        """Run a job and wait for its commit; who is told of it is told even if nobody waits.

        The job adds the kiosks that have something else to show to the set that it is given.
        """

        def tell(altered: set[str]) -> None:
            if altered:
                self._changed(altered)
            self._queued()

        return await self._writer.change(job, tell)

    async def put_case(self, case: Case, caller: Caller) -> bool:
        """Keep a case or its newer version; True if it was new.

        A newer version puts right what the city may have refused: it is sent again. Raises
        `CaseFixed` where it would change the matter under an invitation.
        """
        return await self._do(lambda db, _: _keep(db, self._vault, case, self._now(), caller))

    async def case(self, serial: str, service_number: int) -> CaseStatus | None:
        """Return how a service stands, or None if it is not known."""

        def job(db: Database, _: set[str]) -> CaseStatus | None:
            matter = cases.matter(db, serial, service_number)
            if matter is None:
                return None
            return CaseStatus(
                serial=serial,
                service_number=service_number,
                matter=matter,
                rated=invitations.rated(db, serial, service_number),
                invitations=tuple(map(_status, invitations.of_case(db, serial, service_number))),
            )

        return await self._do(job)

    async def invite(
        self,
        window_name: str,
        serial: str,
        service_number: int,
        *,
        case: Case | None = None,
        staff: Staff | None = None,
        ttl_ms: int | None = None,
        caller: Caller = HUB,
    ) -> Invited:
        """Invite the citizen of a case at a window; what was open there is taken back.

        The invitation names the clerk who is signed on; `staff`, where it is given, must be
        them. The same request again while its invitation is still running returns that one, so
        a window system may safely repeat a call whose answer it lost. `case` is registered in
        the same commit. Raises `UnknownWindow`, `NotPaired`, `NobodySignedOn`, `AnotherClerk`,
        `WindowPaused`, `UnknownCase`, `CaseFixed`, `AlreadyRated`, `OpenElsewhere`.
        """
        window = self._windows[window_name]

        def job(db: Database, altered: set[str]) -> Invited:
            device, clerk = self._place(db, window.name, staff)
            if pauses.reason(db, window.name) is not None:
                raise WindowPaused(f"{window_name}已暂停服务，恢复后才能邀请评价")
            if case is not None:
                _keep(db, self._vault, case, self._now(), caller)
            matter = cases.checked_matter(db, self._vault, serial, service_number)
            if matter is None:
                raise UnknownCase(f"办件 {serial}/{service_number} 尚未登记，请先登记办件")
            now = self._now()
            running = _running(
                db,
                device,
                serial,
                service_number,
                now,
                believed=lambda kept: self._stands(db, kept),
            )
            if running is not None:
                return Invited(status=_status(running), new=False)
            for name in invitations.open_ids(db, device):
                invitations.ask_back(db, name, now)
            invitation = Invitation(
                id=identifier(now, secrets.randbits),
                serial=serial,
                service_number=service_number,
                matter=matter,
                window=Window(name=window.name, label=window.label),
                staff=clerk,
                issued_at=now,
                ttl_ms=ttl_ms or window.ttl_s * 1000,
            )
            invitations.issue(db, device, recovery.sealed(self._vault, device, invitation))
            altered.add(device)
            kept_now = invitations.get(db, invitation.id)
            if kept_now is None:
                raise AssertionError("an invitation vanished within its own commit")
            return Invited(status=_status(kept_now), new=True)

        return await self._do(job)

    def _stands(self, db: Database, kept: invitations.Kept) -> bool:
        """Whether an open invitation can be answered: a revoked kiosk's word would not be taken.

        Nor is one shown that the hub has not issued.
        """
        return self._believed(kept.device) and self._vigil.genuine(db, kept.device, kept.invitation)

    def _place(self, db: Database, name: str, staff: Staff | None) -> tuple[str, Staff]:
        """Return the kiosk of a window and who serves there, as the ledger has them too."""
        device = bindings.device_of(db, name)
        if self._vigil.pairing_bent(db, name):
            raise NotPaired(
                f"{name}的配对与台账不符，数据文件可能被改动过，已停止邀请："
                "请管理员核查后，在评价器与窗口之间重新配对"
            )
        if device is None:
            raise NotPaired(f"{name}还没有评价器，请先在评价器与窗口之间配对")
        if not self._believed(device):
            raise NotPaired(f"{name}的评价器 {device} 已吊销，请换一台并配对，再邀请评价")
        if self._vigil.seat_bent(db, name):
            raise NobodySignedOn(
                f"{name}的签到与台账不符，数据文件可能被改动过，已停止邀请："
                "请工作人员签退后重新签到，并报告管理员"
            )
        return device, _clerk(db, name, staff)

    async def withdraw(self, window_name: str) -> Status | None:
        """Take back what is open at a window; None if nothing is.

        A citizen who has already tapped is not undone by it: the kiosk's word decides.
        """
        window = self._windows[window_name]

        def job(db: Database, altered: set[str]) -> Status | None:
            device = bindings.device_of(db, window.name)
            asked = [
                kept
                for kept in (invitations.open_of(db, device) if device else ())
                if kept.invitation.window.name == window.name
            ]
            for kept in asked:
                invitations.ask_back(db, kept.id, self._now())
                altered.add(kept.device)
            newest = invitations.get(db, asked[0].id) if asked else None
            return None if newest is None else _status(newest)

        return await self._do(job)

    async def invitation(self, identifier: str) -> Status | None:
        """Return how an invitation stands, or None if there is none of that id."""
        kept = await self._do(lambda db, _: invitations.get(db, identifier))
        return None if kept is None else _status(kept)

    async def pause(self, window_name: str, reason: str | None, caller: Caller) -> None:
        """Close a window for citizens, with the reason they read, or open it again (None)."""
        window = self._windows[window_name]

        def job(db: Database, altered: set[str]) -> None:
            pauses.put(db, window.name, reason, self._now())
            act = "resume" if reason is None else "pause"
            audit.note(db, self._now(), caller, act, window.name, detail={"reason": reason})
            device = bindings.device_of(db, window.name)
            if device is not None:
                altered.add(device)

        await self._do(job)


def _clerk(db: Database, window: str, named: Staff | None) -> Staff:
    """Return who is signed on, if that is whom the window system names."""
    held = bindings.seat(db, window)
    if held is None:
        raise NobodySignedOn(f"{window}没有工作人员签到，请先签到，再邀请评价")
    if named is not None and (named.name, named.number) != (held.staff.name, held.staff.number):
        raise AnotherClerk(
            f"{window}签到的是{held.staff.name}，请求中写的是{named.name}：请先由其本人签到"
        )
    return held.staff
