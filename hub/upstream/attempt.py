"""One attempt to tell the city of records, and what was said meanwhile."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.rules.records import Record, without_citizen
from hub.store import exchanges
from hub.store.deliveries import Delivery
from hub.store.vault import Vault, VaultError
from hub.upstream.contents import NOT_TOLD, Contents, Left, Unsendable
from hub.upstream.dialects import (
    AlreadyExists,
    Answer,
    Dialect,
    Exchange,
    Hub,
    Keep,
    Refused,
    Unavailable,
)
from hub.upstream.dialects.base import OF_CASES, Kind


class Unclear(Struct, frozen=True):
    """The city's word for a list that need not be true of each record: this one has no answer."""


Outcome = Answer | Unsendable | Left | Unclear


class Attempt(Struct, frozen=True, kw_only=True):
    """What came of it for one record.

    `digest`: by what the content of a service record is known, else empty. `lines` are for the
    journal of exchanges.
    """

    outcome: Outcome
    digest: bytes = b""
    lines: list[exchanges.Line] = []


class _Ready(Struct, frozen=True, kw_only=True):
    delivery: Delivery
    kind: Kind
    record: Record
    digest: bytes


class Attempts:
    """Makes them; `now` gives ms since 1970."""

    def __init__(
        self, contents: Contents, vault: Vault, dialect: Dialect, *, now: Callable[[], int]
    ) -> None:
        self._contents = contents
        self._vault = vault
        self._dialect = dialect
        self._now = now

    async def make(self, db: Database, batch: Sequence[Delivery]) -> list[Attempt]:
        """Try these once, those that can be sent in one request; return what came of each.

        Whatever goes wrong is an outcome, for one record must not stop the others.
        """
        made: dict[int, Attempt] = {}
        ready: list[_Ready] = []
        for each in batch:
            found = self._prepare(db, each)
            if isinstance(found, _Ready):
                ready.append(found)
            else:
                made[each.id] = found
            if len(batch) > 1:
                await asyncio.sleep(0)  # reckoning: the loop serves others too
        if ready:
            made |= await self._send(db, ready)
        return [made[each.id] for each in batch]

    def _prepare(self, db: Database, delivery: Delivery) -> _Ready | Attempt:
        """Return what is to be sent, or what became of a record that is not."""
        digest = b""
        kind: Kind = delivery.kind
        try:
            record = self._contents.of(db, delivery)
            if isinstance(record, Unsendable | Left):
                return Attempt(outcome=record)
            if delivery.kind == "service":
                digest = self._vault.digest("service record", msgspec.json.encode(record).decode())
                how = self._how(delivery, digest)
                if isinstance(how, Left):
                    return Attempt(outcome=how, digest=digest)
                kind = how
            elif delivery.kind == "addition" and self._void(delivery, record):
                kind = "ruling"
        except Exception as error:  # noqa: BLE001 - one record must not stop the others
            return Attempt(outcome=NotMade(_unfit(error).reason))
        return _Ready(delivery=delivery, kind=kind, record=record, digest=digest)

    async def _send(self, db: Database, ready: list[_Ready]) -> dict[int, Attempt]:
        """Send these; return by delivery what came of each."""
        lines: list[list[exchanges.Line]] = [[] for _ in ready]

        def keep(each: Exchange) -> None:
            lines[each.of].append(self._line(ready[each.of].delivery, each))

        try:
            answer = await self._ask(db, ready, keep)
        except Exception as error:  # noqa: BLE001 - they must not stop the others
            answer = _unfit(error)
        return {
            each.delivery.id: Attempt(
                outcome=_own(answer, each.record, alone=len(ready) == 1),
                digest=each.digest,
                lines=kept,
            )
            for each, kept in zip(ready, lines, strict=True)
        }

    async def _ask(self, db: Database, ready: list[_Ready], keep: Keep) -> Answer:
        (kind,) = {each.kind for each in ready}
        records = [each.record for each in ready]
        if isinstance(self._dialect, Hub) and kind not in OF_CASES:
            (one,) = ready
            proof = self._contents.proof(db, one.delivery)
            return await self._dialect.send(kind, *records, keep=keep, proof=proof)
        return await self._dialect.send(kind, *records, keep=keep)

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
        # And one answer is one measurement, however many records it is about.
        told = each.date is not None and each.verdict != "unavailable" and each.of == 0
        return exchanges.Line(
            at=now,
            serial=delivery.serial,
            service_number=delivery.service_number,
            purpose=each.purpose,
            address=each.address,
            sent=each.sent | _place(each),
            status=each.status,
            received=each.received,
            took_ms=each.took_ms,
            skew_ms=each.date - (now - each.took_ms // 2) if told and each.date else None,
            verdict=each.verdict,
            reason=_reason(each),
        )


class NotMade(Unavailable, frozen=True):
    """A record that could not be made ready: it waits, and the city was not even asked."""


def _own(answer: Answer, record: Record, *, alone: bool) -> Outcome:
    """Return what an answer says of one record: of many only a yes, or silence, is for each."""
    if isinstance(answer, Refused | AlreadyExists) and not alone:
        return Unclear()
    if isinstance(answer, Refused):
        return Refused(without_citizen(answer.reason, record))
    return answer


def _unfit(error: Exception) -> Unavailable:
    if isinstance(error, VaultError):
        return Unavailable(str(error))
    return Unavailable(f"程序错误（{type(error).__name__}）")


def _place(each: Exchange) -> Record:
    """Return what the journal says besides of a record that went with others."""
    return {"同报": f"第 {each.of + 1} 条，共 {each.together} 条"} if each.together > 1 else {}


def _reason(each: Exchange) -> str:
    if each.together == 1 or each.verdict not in ("refused", "exists"):
        return each.reason
    others = f"与另外 {each.together - 1} 条同报，没有说明是哪一条，随即分开再报"
    return f"{others}：{each.reason}" if each.reason else others
