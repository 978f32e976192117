"""What a delivery says to the city: the record, or why it must not or need not be sent."""

import logging
from collections.abc import Callable

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.rules.afterwards import Added, Ruled
from hub.rules.proof import Proof, Unproven, check, opens
from hub.rules.records import (
    Record,
    addition_record,
    rating_record,
    ruling_record,
    service_record,
)
from hub.store import afterwards, cases, deliveries, fed
from hub.store.deliveries import Delivery, Parcel
from hub.store.vault import Vault
from hub.upstream.dialects import Dialect
from protocol.errors import ProtocolError
from protocol.messages import Rated

INCOMPLETE = "差评缺少原因和文字"
ALTERED = "台账中的签名核验不通过，疑被改动，请核查"
NOT_TOLD = "平台不收更正，更正后的办件没有报送"
NO_RULINGS = "平台不收复核认定，没有报送"
NO_ADDITIONS = "平台不收追评，群众补充的文字没有报送"
NO_RATING = "评价没有送达平台，追评没有报送"
ERASED = "公民信息已按规定删除，不能再报"
NOT_FOUND = "找不到对应的办件或评价"
CASE_ALTERED = "办件与登记时的不符，疑被改动，没有上报：请由窗口系统重新登记，登记后自动报送"

_log = logging.getLogger(__name__)


class Unsendable(Struct, frozen=True):
    """A record that must not be sent, and why."""

    reason: str


class Left(Struct, frozen=True):
    """A record that is left with the city as it is there; what the city has not been told."""

    reason: str


class Contents:
    """Makes the records. `verify(device, jws)`: see `Forwarder`."""

    def __init__(
        self,
        vault: Vault,
        dialect: Dialect,
        *,
        verify: Callable[[str, bytes], Rated],
        data_source: str,
    ) -> None:
        self._vault = vault
        self._dialect = dialect
        self._verify = verify
        self._data_source = data_source

    def of(self, db: Database, delivery: Delivery) -> Record | Unsendable | Left:
        """Return what is to be sent; raises `VaultError` (another key)."""
        if delivery.kind != "service" and delivery.service_state != "accepted":
            return Unsendable(deliveries.with_its_service(""))
        if delivery.kind in deliveries.AFTERWARDS and delivery.rating_state != "accepted":
            # What is set aside goes again with its rating, once that is mended.
            return Left("") if delivery.kind == "ruling" else Unsendable(NO_RATING)
        if fed.is_fed(db, delivery.position):
            record = self._fed(db, delivery)
        else:
            record = self._own(db, delivery)
        if isinstance(record, Unsendable | Left) or delivery.kind not in ("rating", "addition"):
            return record
        of = delivery.serial, delivery.service_number
        # A rating that was set aside when it was ruled on, and mended since, or that is asked
        # for once more; the words that were added to it say the level again, and go with it.
        void = afterwards.void(db, self._vault, *of, settled=delivery.kind == "rating")
        return ruling_record(record) if void and self._dialect.rulings != "none" else record

    def proof(self, db: Database, delivery: Delivery) -> Proof | None:
        """Return what proves a rating to a larger hub, as far as it is here."""
        found = fed.proof_of(db, delivery.serial, delivery.service_number)
        # Where no key fits, the larger hub says what is wrong.
        return next((each for each in found if opens(each)), found[0] if found else None)

    def _own(self, db: Database, delivery: Delivery) -> Record | Unsendable | Left:
        try:
            parcel = deliveries.load(db, self._vault, delivery)
            if parcel is not None:
                return self._record(delivery, parcel)
            late = delivery.task != "first" or (
                delivery.kind == "ruling" and afterwards.ruled(db, delivery.position) is not None
            )
        except cases.CaseAltered:
            _log.critical("case=altered delivery=%d", delivery.id)
            return Unsendable(CASE_ALTERED)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            _log.critical("ledger=altered delivery=%d unreadable", delivery.id)
            return Unsendable(ALTERED)
        return Left(ERASED) if late else Unsendable(NOT_FOUND)

    def _fed(self, db: Database, delivery: Delivery) -> Record | Unsendable | Left:
        """Return what another hall has fed, proved once more; the case's fields as last fed."""
        of = delivery.serial, delivery.service_number
        try:
            record = fed.service(db, self._vault, *of)
            if delivery.kind == "service" and record is not None:
                return record
            said = fed.rating(db, self._vault, delivery) if record is not None else None
            if record is None or said is None:
                late = delivery.task != "first" or delivery.kind == "ruling"
                return Left(ERASED) if late else Unsendable(ERASED)
            own, proof = said
            check(delivery.kind, *of, own, proof)
        except (fed.Altered, Unproven, ValueError):
            _log.critical("ledger=altered delivery=%d fed", delivery.id)
            return Unsendable(ALTERED)
        if delivery.kind == "ruling" and self._dialect.rulings == "none":
            return Left(NO_RULINGS)
        if delivery.kind == "addition" and not self._dialect.additions:
            return Left(NO_ADDITIONS)
        return record | own

    def _record(self, delivery: Delivery, parcel: Parcel) -> Record | Unsendable | Left:
        if delivery.kind == "service":
            return service_record(parcel.case, data_source=self._data_source)
        rated = self._genuine(delivery, parcel)
        if rated is None:
            _log.critical("ledger=altered delivery=%d device=%s", delivery.id, parcel.device)
            return Unsendable(ALTERED)
        # Words that came by phone are the reason that a bad rating was still to be given.
        words = "" if rated.complete or parcel.added is None else parcel.added.text
        if parcel.invitation is None or not (rated.complete or words.strip()):
            return Unsendable(INCOMPLETE)
        rating = rating_record(
            parcel.case,
            parcel.invitation,
            rated,
            parcel.recorded_at,
            comment=words,
            data_source=self._data_source,
        )
        if delivery.kind == "ruling":
            return Left(NO_RULINGS) if self._dialect.rulings == "none" else ruling_record(rating)
        if delivery.kind == "addition":
            return self._addition(rating, parcel, went_along=bool(words))
        return rating

    def _genuine(self, delivery: Delivery, parcel: Parcel) -> Rated | None:
        """Return the rating; None: not so signed, or this hub has not entered what goes along."""
        try:
            rated = self._verify(parcel.device, parcel.jws)
        except ProtocolError:
            return None
        said: list[Added | Ruled] = []
        if parcel.added is not None and (delivery.kind == "addition" or not rated.complete):
            said.append(parcel.added)
        if parcel.ruled is not None:
            said.append(parcel.ruled)
        entered = (afterwards.genuine(self._vault, rated.invitation, each) for each in said)
        return rated if _fits(parcel, rated) and all(entered) else None

    def _addition(self, rating: Record, parcel: Parcel, *, went_along: bool) -> Record | Left:
        if went_along or parcel.added is None:
            return Left("")
        if not self._dialect.additions:
            return Left(NO_ADDITIONS)
        return addition_record(rating, parcel.added, parcel.added_at)


def _fits(parcel: Parcel, rated: Rated) -> bool:
    """Whether a rating was given to this invitation, in these words, and for this case.

    What stands in the tables beside the ledger can be altered; what was signed cannot.
    """
    kept = parcel.invitation
    if kept is None or kept.id != rated.invitation:
        return False
    if rated.asked is not None and rated.asked != kept:
        return False
    return (kept.serial, kept.service_number) == (parcel.case.serial, parcel.case.service_number)
