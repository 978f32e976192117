"""One attempt to tell the city of one record, and what was said meanwhile."""

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.rules.records import Record, without_citizen
from hub.store import exchanges
from hub.store.deliveries import Delivery
from hub.store.vault import Vault, VaultError
from hub.upstream.contents import NOT_TOLD, Contents, Left, Unsendable
from hub.upstream.dialects import Answer, Dialect, Exchange, Hub, Refused, Unavailable

Outcome = Answer | Unsendable | Left


class Attempt(Struct, frozen=True, kw_only=True):
    """What came of it; `digest`: by what the content of a service record is known, else empty.

    `lines` are for the journal of exchanges.
    """

    outcome: Outcome
    digest: bytes = b""
    lines: list[exchanges.Line] = []


class Attempts:
    """Makes them; `now` gives ms since 1970."""

    def __init__(
        self, contents: Contents, vault: Vault, dialect: Dialect, *, now: Callable[[], int]
    ) -> None:
        self._contents = contents
        self._vault = vault
        self._dialect = dialect
        self._now = now

    async def make(self, db: Database, delivery: Delivery) -> Attempt:
        """Try once; whatever goes wrong is an outcome, for one record must not stop the others."""
        lines: list[exchanges.Line] = []
        outcome, digest = await self._make(db, delivery, lines)
        return Attempt(outcome=outcome, digest=digest, lines=lines)

    async def _make(
        self, db: Database, delivery: Delivery, lines: list[exchanges.Line]
    ) -> tuple[Outcome, bytes]:
        """Return what became of a record, and by what its content is known."""
        digest = b""
        try:
            record = self._contents.of(db, delivery)
            if isinstance(record, Unsendable | Left):
                return record, digest
            kind: Literal["service", "rating", "update", "ruling", "addition"] = delivery.kind
            if delivery.kind == "service":
                digest = self._vault.digest("service record", msgspec.json.encode(record).decode())
                how = self._how(delivery, digest)
                if isinstance(how, Left):
                    return how, digest
                kind = how
            elif delivery.kind == "addition" and self._void(delivery, record):
                kind = "ruling"

            def keep(each: Exchange) -> None:
                lines.append(self._line(delivery, each))

            if isinstance(self._dialect, Hub) and delivery.kind != "service":
                proof = self._contents.proof(db, delivery)
                answer = await self._dialect.send(kind, record, keep=keep, proof=proof)
            else:
                answer = await self._dialect.send(kind, record, keep=keep)
        except VaultError as error:
            return Unavailable(str(error)), digest
        except Exception as error:  # noqa: BLE001 - one record must not stop the others
            return Unavailable(f"程序错误（{type(error).__name__}）"), digest
        if isinstance(answer, Refused):
            return Refused(without_citizen(answer.reason, record)), digest
        return answer, digest

    def _void(self, delivery: Delivery, record: Record) -> bool:
        """Whether the city has an addition and is to be told elsewhere that it does not count."""
        void = record["EffectivEvalua"] == "0" and delivery.task == "again"
        return void and self._dialect.rulings == "endpoint"

    def _how(self, delivery: Delivery, digest: bytes) -> Literal["service", "update"] | Left:
        """Say how a service record goes whose case the city may have in another version."""
        if delivery.task == "first":
            return "service"
        if delivery.sent == digest:
            return "service" if delivery.task == "again" else Left("")
        if delivery.task == "again" and not delivery.sent:
            return "service"
        return Left(NOT_TOLD) if self._dialect.updates == "none" else "update"

    def _line(self, delivery: Delivery, each: Exchange) -> exchanges.Line:
        now = self._now()
        # An answer by whoever stands before the city says nothing of the city's clock.
        told = each.date is not None and each.verdict != "unavailable"
        return exchanges.Line(
            at=now,
            serial=delivery.serial,
            service_number=delivery.service_number,
            purpose=each.purpose,
            address=each.address,
            sent=each.sent,
            status=each.status,
            received=each.received,
            took_ms=each.took_ms,
            skew_ms=each.date - (now - each.took_ms // 2) if told and each.date else None,
            verdict=each.verdict,
            reason=each.reason,
        )
