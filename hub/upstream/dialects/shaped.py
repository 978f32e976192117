"""What all dialects share: shape the record, pack it, send it, judge the answer, let it be kept."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, structs

from hub.rules.records import Record, masked, of_citizen
from hub.upstream.dialects.answers import judge, keepable, strike
from hub.upstream.dialects.base import (
    OF_CASES,
    Accepted,
    AlreadyExists,
    Answer,
    Exchange,
    Keep,
    Kind,
    Refused,
    Unavailable,
    Updates,
    Verdict,
    forget,
)
from hub.upstream.dialects.transport import Parcel, Reply, Transport
from hub.upstream.quirks import Fields, Quirks, there
from hub.upstream.shaping import Unwritable, shape
from hub.upstream.sm import SmError

JSON = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


class Packed(Struct, frozen=True):
    """A request and what of it besides the record may be kept (appMark, time)."""

    parcel: Parcel
    shown: Record = {}


class Shaped(ABC):
    """A dialect by its quirks; who derives from it says how a record is packed."""

    def __init__(self, url: str, quirks: Quirks, transport: Transport) -> None:
        base = url.rstrip("/")
        self._quirks = quirks
        self._transport = transport
        self._addresses: dict[Kind, str] = {
            "service": base + quirks.addresses.service,
            "rating": base + quirks.addresses.rating,
            "update": base + (quirks.addresses.update or quirks.addresses.service),
            "ruling": base + (quirks.addresses.ruling or quirks.addresses.rating),
            "addition": base + (quirks.addresses.addition or quirks.addresses.rating),
        }

    @property
    def updates(self) -> Updates:
        """How a city is told that a case has changed."""
        return self._quirks.update

    @property
    def rulings(self) -> Updates:
        """How a city is told that a rating is not adopted."""
        return self._quirks.ruling

    @property
    def additions(self) -> bool:
        """Whether a city takes additions."""
        return self._quirks.additions

    @property
    def batch(self) -> int:
        """How many records one request may hold."""
        return self._quirks.batch

    async def send(self, kind: Kind, *records: Record, keep: Keep = forget) -> Answer:
        """Send records in one request; see `Dialect`."""
        fields = self._quirks.fields
        form: Literal["service", "rating"] = "service" if kind in OF_CASES else "rating"
        try:
            shaped = [shape(form, record, fields) for record in records]
            packed = await self._pack(kind, shaped)
        except Unwritable as error:
            return Refused(f"（未发送）{error}")
        except SmError as error:
            return Unavailable(f"（未发送）{error}")
        shown = [
            packed.shown | shape_masked(record, written, fields)
            for record, written in zip(records, shaped, strict=True)
        ]
        citizens = [each for record in records for each in of_citizen(record)]
        return await self._exchange(kind, packed.parcel, shown, citizens, keep)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    @abstractmethod
    async def _pack(self, kind: Kind, shaped: Sequence[Record]) -> Packed:
        """Return the request for records, at most `batch`; raises `SmError`."""

    def _judge(self, reply: Reply) -> Answer:
        """Return what an answer means."""
        return judge(reply, there(self._quirks.answer))

    def _named(self) -> tuple[str, ...]:
        """Return the members of an answer that may be kept."""
        words = there(self._quirks.answer)
        tables = (words.success, words.refused, words.exists, words.not_the_record)
        paths = [path for table in tables for path in table]
        return tuple(dict.fromkeys([*paths, *words.message, *words.trace]))

    def _secrets(self) -> tuple[str, ...]:
        """Return what must never be kept of an answer, nor of a city's words."""
        return ()

    async def _exchange(
        self,
        kind: Kind,
        parcel: Parcel,
        shown: Sequence[Record],
        citizens: Sequence[str],
        keep: Keep,
    ) -> Answer:
        began = time.monotonic()
        reply = await self._transport.post(parcel)
        took_ms = int((time.monotonic() - began) * 1000)
        answer = reply if isinstance(reply, Unavailable) else self._judge(reply)
        struck = [*citizens, *self._secrets()]
        if isinstance(answer, Unavailable):
            answer = structs.replace(answer, reason=strike(answer.reason, struck)[:200])
        elif isinstance(answer, Refused):
            answer = Refused(strike(answer.reason, struck)[:200])
        kept = Exchange(
            purpose=kind,
            address=address_only(parcel.address),
            sent={},
            status=None if isinstance(reply, Unavailable) else reply.status,
            received=""
            if isinstance(reply, Unavailable)
            else keepable(reply, self._named(), struck),
            took_ms=took_ms,
            date=None if isinstance(reply, Unavailable) else reply.date,
            verdict=verdict(answer),
            reason=getattr(answer, "reason", ""),
            together=len(shown),
        )
        for place, sent in enumerate(shown):
            keep(structs.replace(kept, sent=sent, of=place))
        return answer


def shape_masked(record: Record, shaped: Record, fields: Fields) -> Record:
    """Return the shaped record with the citizen's data struck."""
    names = {fields.rename.get(field, field): field for field in record}
    struck = masked({names.get(name, name): value for name, value in shaped.items()})
    return {name: struck[names.get(name, name)] for name in shaped}


def verdict(answer: Answer) -> Verdict:
    """Return the word for an answer."""
    if isinstance(answer, Accepted):
        return "accepted"
    if isinstance(answer, AlreadyExists):
        return "exists"
    return "refused" if isinstance(answer, Refused) else "unavailable"


def address_only(address: str) -> str:
    """Return an address without what might be secret in it: user, query."""
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
