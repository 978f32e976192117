"""Watches over who is let in: revoked kiosks are refused and kicked, ageing papers are told.

The hub refuses a revoked kiosk by itself; the broker follows by its revocation list (CRL), and
what was connected before is kicked. A kiosk is revoked that the hub's table, the ledger or the list
says is revoked: none of them takes back what another says.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from msgspec import Struct

from hub.link import brokerfiles
from hub.link.brokerfiles import FilesError
from hub.link.kick import KickError
from hub.rules.days import DAY_MS
from hub.store import certificates, database, revocations, signet
from hub.store.vault import Vault

log = logging.getLogger(__name__)

EACH_S = 1.0
RELOAD_S = 2.0
"""What mosquitto gets to read a new list before those who may be on it are kicked."""


LAST_PART = 9
"""A kiosk's certificate is told in the last ninth of its life: 10 of 90 days.

It asks for the next one at two thirds; by then that should long have been answered.
"""

RENEWAL_DAYS = 7
"""How long a kiosk's request may wait for the IT desk before it is told."""

NAMED = 5
"""Kiosks that one alarm names; of the others it gives the number."""


class Papers(Struct, frozen=True, kw_only=True):
    """Files with an end: the broker's revocation list and the hub's own certificate."""

    crl: Path | None = None
    device_ca: Path | None = None
    certificate: Path | None = None
    alarm_days: int = 14


class Guard:
    """Looks every second; its answers are for any thread.

    `dismiss(device)` is called in the guard's thread when a device is found revoked, to take
    back what is retained for it; `kick(device)` ends its session and may raise `KickError`.
    `serials()` gives the serial number of the certificate by which a kiosk is known.
    """

    def __init__(
        self,
        path: Path,
        keys: Mapping[str, EllipticCurvePublicKey],
        papers: Papers,
        *,
        dismiss: Callable[[str], None],
        kick: Callable[[str], None] | None,
        serials: Callable[[], Mapping[str, int]] = dict,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._keys = keys
        self._papers = papers
        self._dismiss = dismiss
        self._kick = kick
        self._serials = serials
        self._now = now
        self._vault: Vault | None = None
        self._revoked: frozenset[str] = frozenset()
        self._lives: list[tuple[str, int, int]] = []
        self._asked: dict[str, int] = {}
        self._heard: set[str] = set()
        self._due: set[str] = set()
        self._listed: frozenset[int] | None = None
        self._kick_all_at: datetime | None = None
        self._alarms: tuple[str, ...] = ()
        self._locked_out = False
        self._unkicked = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)

    def start(self) -> None:
        """Look once, so that nobody slips in, then go on looking.

        Raises sqlite3.Error, `VaultError`.
        """
        self._due.update(self._look_for_revoked())
        self._check_papers()
        self._due.update(self._look_for_revoked())  # by the list, too
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def revoked(self, device: str) -> bool:
        """Whether the device is not to be believed."""
        return device in self._revoked

    def all_revoked(self) -> frozenset[str]:
        """Return the devices that are not to be believed."""
        return self._revoked

    def heard(self, device: str) -> None:
        """Note that a revoked device still speaks: it is kicked (again)."""
        self._heard.add(device)

    @property
    def alarms(self) -> tuple[str, ...]:
        """What wants attention, in Chinese."""
        return self._alarms

    @property
    def locked_out(self) -> bool:
        """Whether the broker, by its list, lets no kiosk in any more."""
        return self._locked_out

    def _run(self) -> None:
        while not self._stop.wait(EACH_S):
            try:
                self.look()
            except Exception:  # the next look may succeed; without this thread there is none
                log.exception("guard=failed")

    def look(self) -> None:
        """Look at revocations and papers once."""
        fresh = self._look_for_revoked()
        for device in fresh:
            log.warning("revoked=%s", device)
            self._dismiss(device)
        self._check_papers()
        heard, self._heard = self._heard, set()
        self._due |= set(fresh) | (heard & self._revoked)
        if self._kick_all_at is not None and self._now() >= self._kick_all_at:
            self._kick_all_at = None
            self._due |= set(self._keys)
        self._kick_out()

    def _look_for_revoked(self) -> list[str]:
        db = database.connect(self._path)
        try:
            if self._vault is not None:  # so that nothing is let in because the file is gone
                signet.hand(db, self._vault)
            found = revocations.current(db)
            self._vault = signet.of(db).vault
            self._lives = certificates.ends(db)
            self._asked = {
                each.device: each.asked_at
                for each in certificates.requests(db)
                if each.chain is None
            }
        finally:
            db.close()
        named = {name for name, _ in found}
        before = self._revoked
        listed = self._listed or frozenset()
        self._revoked = frozenset(
            name
            for name in named & self._keys.keys()
            if (name, revocations.digest(self._keys[name])) in found
        ) | {name for name, serial in self._serials().items() if serial in listed}
        for device in sorted(before - self._revoked):
            self._due.discard(device)
            log.warning("accepted-again=%s", device)
        return sorted(self._revoked - before)

    def _kick_out(self) -> None:
        """Kick who is due; whom it did not reach stays due."""
        if self._kick is None:
            self._due.clear()
            return
        try:
            for device in sorted(self._due):
                self._kick(device)
                self._due.discard(device)
                log.info("kicked=%s", device)
        except KickError as error:
            if not self._unkicked:
                log.warning("kick=failed %s", error)
            self._unkicked = True
        else:
            self._unkicked = False

    def _check_papers(self) -> None:
        alarms: list[str] = []
        self._locked_out = False
        try:
            self._check_list(alarms)
        except FilesError as error:
            alarms.append(str(error))
        if self._papers.certificate is not None:
            try:
                end = brokerfiles.certificate(self._papers.certificate).not_valid_after_utc
                self._ends(alarms, "服务器连接消息服务的证书", end, "届时评价器全部中断")
            except FilesError as error:
                alarms.append(str(error))
        self._check_kiosks(alarms)
        for text in alarms:
            if text not in self._alarms:
                log.warning("alarm=%s", text)
        if self._alarms and not alarms:
            log.info("alarm=over")
        self._alarms = tuple(alarms)

    def _check_list(self, alarms: list[str]) -> None:
        if self._papers.crl is None or self._papers.device_ca is None:
            return
        issuer = brokerfiles.certificate(self._papers.device_ca)
        crl = brokerfiles.revocation_list(self._papers.crl, issuer)
        listed = frozenset(entry.serial_number for entry in crl)
        if self._listed is not None and listed - self._listed:
            self._kick_all_at = self._now() + timedelta(seconds=RELOAD_S)
            log.warning("crl=changed added=%d", len(listed - self._listed))
        self._listed = listed
        end = crl.next_update_utc
        if end is not None:
            self._locked_out = end <= self._now()
            self._ends(alarms, "评价器吊销名单", end, "过期后所有评价器都连不上")

    def _check_kiosks(self, alarms: list[str]) -> None:
        now = int(self._now().timestamp() * 1000)
        lives = [each for each in self._lives if each[0] not in self._revoked]
        over = [device for device, _, end in lives if end <= now]
        soon = [device for device, begin, end in lives if 0 < end - now < (end - begin) / LAST_PART]
        waiting = [
            device
            for device, at in self._asked.items()
            if device not in self._revoked and now - at > RENEWAL_DAYS * DAY_MS
        ]
        if over:
            alarms.append(
                f"有评价器的证书已过期，连不上服务器（{_names(over)}）："
                "请用线缆重新入网；已停用的请吊销"
            )
        if soon:
            alarms.append(
                f"有评价器的证书即将到期，到期后连不上服务器（{_names(soon)}）："
                "请在入网台办理续期，或用线缆重新入网；已停用的请吊销"
            )
        if waiting:
            alarms.append(
                f"有评价器的续期申请已等待超过 {RENEWAL_DAYS} 天（{_names(waiting)}）："
                "请在入网台办理续期"
            )

    def _ends(self, alarms: list[str], what: str, end: datetime, then: str) -> None:
        left = end - self._now()
        if left <= timedelta(0):
            alarms.append(f"{what}已于 {end:%Y-%m-%d} 过期，{then}：请立即更换")
        elif left <= timedelta(days=self._papers.alarm_days):
            alarms.append(f"{what}将于 {end:%Y-%m-%d} 到期，{then}：请尽快更换")


def _names(devices: list[str]) -> str:
    named = "、".join(devices[:NAMED])
    return named if len(devices) <= NAMED else f"{named} 等 {len(devices)} 台"
