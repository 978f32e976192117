"""Another hub of ours as the platform above: small halls feed a larger one (大厅汇总)."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from hub.rules.proof import FedKind, FeedRequest, Proof
from hub.rules.records import Record, masked, of_citizen
from hub.upstream.dialects.answers import check_unambiguous
from hub.upstream.dialects.base import (
    OF_CASES,
    Accepted,
    AlreadyExists,
    Answer,
    Keep,
    Kind,
    Refused,
    Unavailable,
    forget,
)
from hub.upstream.dialects.shaped import JSON, Packed, Shaped
from hub.upstream.dialects.transport import Parcel, Reply, Transport, fault_of_the_way, unreadable
from hub.upstream.quirks import Quirks

NO_PROOF = "（未发送）找不到评价器签名的原文或公钥，无法证明这条评价"
_REFUSALS = {"urn:pingyi:problem:feed_refused", "urn:pingyi:problem:invalid_fields"}


class _Bad(Struct):
    field: str = ""
    message: str = ""


class _Reply(Struct):
    answer: str = ""
    type: str = ""
    detail: str = ""
    errors: tuple[_Bad, ...] = ()


_reply = msgspec.json.Decoder(_Reply)


class Hub(Shaped):
    """The very records, unshaped, by POST under an interface key of the scope `feed`.

    201 accepted, 200 exists, 422 with our own words refused; anything else speaks of the way or
    of our access, and the record waits.
    """

    def __init__(self, url: str, quirks: Quirks, transport: Transport, *, key: str) -> None:
        super().__init__(url, quirks, transport)
        self._key = key

    async def send(
        self, kind: Kind, *records: Record, keep: Keep = forget, proof: Proof | None = None
    ) -> Answer:
        """Send one record; all but those of cases with what proves them."""
        (record,) = records
        if kind not in OF_CASES and proof is None:
            return Refused(NO_PROOF)
        parcel = self._parcel(kind, record, proof)
        answer = await self._exchange(kind, parcel, [masked(record)], of_citizen(record), keep)
        # It says so of this very version: no doubt is left which one it has.
        void = record.get("EffectivEvalua") == "0"
        if isinstance(answer, AlreadyExists) and (kind == "update" or void):
            return Accepted()
        return answer

    async def _pack(self, kind: Kind, shaped: Sequence[Record]) -> Packed:
        (record,) = shaped
        return Packed(self._parcel(kind, record, None))

    def _parcel(self, kind: Kind, record: Record, proof: Proof | None) -> Parcel:
        said: FedKind = "service" if kind == "update" else kind
        return Parcel(
            address=self._addresses[kind],
            body=msgspec.json.encode(FeedRequest(kind=said, record=record, proof=proof)),
            content_type=JSON,
            headers={"Authorization": f"Bearer {self._key}"},
        )

    def _judge(self, reply: Reply) -> Answer:
        fault = fault_of_the_way(reply.status)
        if fault is not None:
            return fault
        try:
            said = _reply.decode((reply.body or b"").decode())
            check_unambiguous(reply.body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return unreadable(reply)
        if (reply.status, said.answer) == (201, "accepted"):
            return Accepted()
        if (reply.status, said.answer) == (200, "exists"):
            return AlreadyExists()
        if reply.status == 422 and said.type in _REFUSALS:
            fields = "；".join(f"{each.field}：{each.message}" for each in said.errors[:3])
            return Refused("：".join(part for part in (said.detail, fields) if part))
        return Unavailable(f"上级平台的应答不是约定的任何一种（HTTP {reply.status}）")

    def _named(self) -> tuple[str, ...]:
        return ("answer", "type", "detail")

    def _secrets(self) -> tuple[str, ...]:
        return (self._key,)
