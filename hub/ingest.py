"""What comes from the kiosks: verified, judged, committed, and only then acknowledged."""

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from sqlite_utils import Database

from hub.rules.settle import CLOSING, TAKEN, Ruling, Standing, Verdict, settle
from hub.store import (
    afterwards,
    cases,
    deliveries,
    invitations,
    ledger,
    mending,
    recovery,
    refusals,
)
from hub.store.vault import Vault
from hub.store.writer import Busy, Stopped, Writer
from protocol import signing, wire
from protocol.errors import ProtocolError
from protocol.messages import AnyOutcome, Rated, Receipt, Refusal, Shown

log = logging.getLogger(__name__)

UNKNOWN_DEVICE = "unknown_device"
PER_RECEIPT = 200


class _Closing(msgspec.Struct, frozen=True):
    """What the hub enters when it closes an invitation over a refused rating."""

    jws: str


class Ingest:
    """Takes outcomes from the link's thread, has them committed, then sends receipts.

    `acknowledge(device, receipt)` and `settled(devices)` are called in the writer's thread,
    after the commit, once for each group: the first with what to send, the second with the
    devices whose invitation has ended, if any. By `vault` a hub that was restored knows the
    invitations that it issued and has lost; without it, it enters none of them again.
    """

    def __init__(
        self,
        writer: Writer,
        keys: Mapping[str, EllipticCurvePublicKey],
        *,
        now: Callable[[], int],
        acknowledge: Callable[[str, Receipt], None],
        settled: Callable[[set[str]], None],
        vault: Vault | None = None,
    ) -> None:
        self._writer = writer
        self._keys = keys
        self._now = now
        self._acknowledge = acknowledge
        self._settled = settled
        self._vault = vault
        self._lock = threading.Lock()
        self._committed: dict[str, list[str]] = {}
        self._refused: dict[str, list[Refusal]] = {}
        self._ended: set[str] = set()
        self._failing = False
        writer.on_commit(self._flush)

    def outcome(self, device: str, payload: bytes) -> None:
        """Take the payload of leaf `rating`; anything that is not a signed outcome is counted."""
        key = self._keys.get(device)
        if key is None:
            self.refuse(device, UNKNOWN_DEVICE, payload)
            return
        try:
            outcome = signing.verify(payload, device, key)
        except ProtocolError as error:
            self.refuse(device, error.cause, payload)
            return
        with contextlib.suppress(Busy, Stopped):  # no receipt: the kiosk says it again
            self._writer.submit(
                lambda db: self._commit(db, outcome, payload),
                lambda done: self._note(device, outcome.id, done),
            )

    def shown(self, device: str, payload: bytes) -> None:
        """Take the payload of leaf `shown`."""
        try:
            shown = wire.decode(Shown, payload)
        except ProtocolError as error:
            self.refuse(device, error.cause, payload)
            return
        self._quietly(lambda db: invitations.note_shown(db, device, shown.invitation, self._now()))

    def resent(self, device: str, since: int) -> None:
        """Take a device's word that it has said all again that this recovery asked for."""

        def job(db: Database) -> None:
            if recovery.end(db, device, since, self._now()):
                log.info("recovery=answered device=%s", device)

        self._quietly(job)

    def refuse(self, device: str, cause: str, payload: bytes) -> None:
        """Count what cannot be taken, keep it as evidence, log the first of its cause."""
        size, start = len(payload), payload[: refusals.BODY_LIMIT]  # a flood must not fill memory

        def job(db: Database) -> None:
            stranger = device not in self._keys
            name = refusals.name_of_stranger(db, device) if stranger else device
            times = refusals.note(db, name, cause, start, self._now(), stranger=stranger)
            if times == 1:
                log.warning("refused=%s device=%s bytes=%d", cause, name, size)

        self._quietly(job)

    def _quietly(self, job: Callable[[Database], None]) -> None:
        with contextlib.suppress(Busy, Stopped):  # only a count is lost
            self._writer.submit(job)

    def _commit(self, db: Database, outcome: AnyOutcome, jws: bytes) -> Ruling:
        kept = mending.get(db, outcome.invitation)
        if kept is None and self._lost(db, outcome):
            kept = mending.get(db, outcome.invitation)
        standing = None
        if kept is not None:
            ended_by = self._ended_by(db, kept, outcome, jws)
            again = ended_by == outcome.id
            standing = Standing(
                device=kept.device,
                invitation=kept.invitation,
                outcome_id=ended_by,
                held=again and ledger.holds(db, outcome.device, outcome.seq, jws),
                refused=_refused(db, outcome, jws) if again else None,
                case_rated=isinstance(outcome, Rated)
                and mending.rated(db, kept.serial, kept.service_number),
            )
        ruling = settle(standing, outcome)
        taken = ruling.verdict in TAKEN
        if not taken and ruling.news:
            times = refusals.note(db, outcome.device, ruling.verdict, jws, self._now())
            if times == 1:
                log.warning("refused=%s device=%s", ruling.verdict, outcome.device)
        if ruling.ends is None or kept is None:
            return ruling
        body = jws if taken else _hub_closes(ruling.verdict, jws)
        position = ledger.append(
            db,
            ledger.Entry(
                kind=ruling.ends,
                recorded_at=self._now(),
                device=outcome.device,
                invitation=outcome.invitation,
                outcome=outcome.id,
                seq=outcome.seq,
                body=body,
            ),
        )
        invitations.close(db, outcome.invitation, outcome.id, ruling.ends)
        if ruling.verdict is Verdict.REPEATED:
            log.warning("rating=repeated device=%s", outcome.device)
        elif ruling.ends == "rated":
            if cases.matter(db, kept.serial, kept.service_number) is None:
                recovery.await_case(db, kept.serial, kept.service_number, self._now())
            self._queue(db, kept, position)
        return ruling

    def _ended_by(
        self, db: Database, kept: invitations.Kept, outcome: AnyOutcome, jws: bytes
    ) -> str | None:
        """Return the outcome that ended an invitation, if another ended it: its device signed it.

        An end that somebody put into the ledger must not have this one thrown away.
        """
        if kept.outcome_id in (None, outcome.id):
            return kept.outcome_id
        entry, key = ledger.of_outcome(db, kept.outcome_id or ""), self._keys.get(outcome.device)
        if entry is None or entry.body is None or key is None:
            return kept.outcome_id
        try:
            closing = msgspec.json.decode(entry.body, type=_Closing)
            body = closing.jws
        except (msgspec.MsgspecError, ValueError):
            body = entry.body
        try:
            signing.verify(body.encode(), entry.device, key)
        except ProtocolError:
            log.critical("ledger=altered position=%d note=end-not-signed", entry.position)
            return outcome.id if ledger.holds(db, outcome.device, outcome.seq, jws) else None
        return kept.outcome_id

    def _queue(self, db: Database, kept: invitations.Kept, position: int) -> None:
        of, now = (kept.serial, kept.service_number), self._now()
        deliveries.queue(db, "rating", of, position, now)
        written = afterwards.position_added(db, kept.id)
        if written is not None:  # the citizen's phone was quicker than the kiosk
            deliveries.queue(db, "addition", of, written, now)

    def _lost(self, db: Database, outcome: AnyOutcome) -> bool:
        """Enter again what this hub issued and lost with its disk; True if it was that.

        Only by the hub's own mark: a device cannot make up an invitation, nor use another's.
        Raises `VaultError` while the key to it cannot be read: then the kiosk says it again.
        """
        asked = outcome.asked
        if self._vault is None or asked is None or recovery.of(db, outcome.device) is None:
            return False
        if not recovery.genuine(self._vault, outcome.device, asked):
            return False
        recovery.reenter(db, outcome.device, asked, self._now())
        return True

    def _note(self, device: str, identifier: str, done: "Future[Ruling]") -> None:
        error = done.exception()
        if error is not None:  # no receipt: nothing was kept, the kiosk says it again
            if not self._failing:
                log.error("commit=failed device=%s error=%s", device, error)
            self._failing = True
            return
        if self._failing:
            log.warning("commit=works-again device=%s", device)
        self._failing = False
        ruling = done.result()
        with self._lock:
            if ruling.verdict in TAKEN:
                self._committed.setdefault(device, []).append(identifier)
            else:
                refusal = Refusal(id=identifier, reason=ruling.verdict)
                self._refused.setdefault(device, []).append(refusal)
            if ruling.ends is not None:
                self._ended.add(device)

    def _flush(self) -> None:
        with self._lock:
            committed, self._committed = self._committed, {}
            refused, self._refused = self._refused, {}
            ended, self._ended = self._ended, set()
        for device in committed.keys() | refused.keys():
            good, bad = committed.get(device, []), refused.get(device, [])
            for start in range(0, max(len(good), len(bad)), PER_RECEIPT):
                part = slice(start, start + PER_RECEIPT)
                receipt = Receipt(
                    hub_at=self._now(), committed=tuple(good[part]), refused=tuple(bad[part])
                )
                self._acknowledge(device, receipt)
        if ended:
            self._settled(ended)


def _hub_closes(verdict: Verdict, jws: bytes) -> bytes:
    """What the hub itself enters when it closes an invitation over a refused rating."""
    return msgspec.json.encode({"refused": verdict, "jws": jws.decode("ascii")})


def _refused(db: Database, outcome: AnyOutcome, jws: bytes) -> Verdict | None:
    """Return over what the hub closed an invitation when these very bytes came before."""
    for verdict in CLOSING:
        if ledger.holds(db, outcome.device, outcome.seq, _hub_closes(verdict, jws)):
            return verdict
    return None
