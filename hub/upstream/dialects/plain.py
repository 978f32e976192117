"""JSON by POST, as the stand-in city of the demo and halls' own receivers take it."""

import ssl
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from hub.rules.records import Record
from hub.upstream.dialects.answers import check_unambiguous
from hub.upstream.dialects.base import Accepted, AlreadyExists, Answer, Kind, Refused, Unavailable
from hub.upstream.dialects.shaped import JSON, Packed, Shaped
from hub.upstream.dialects.transport import Parcel, Reply, Transport, fault_of_the_way, unreadable
from hub.upstream.quirks import Addresses, Quirks


class _Reply(Struct):
    success: bool
    code: str = ""
    message: str = ""


_reply = msgspec.json.Decoder(_Reply)
_TAKEN = {"", "0", "200", "ok"}
_EXISTS = "exists"
_USUAL = Quirks(dialect="plain", addresses=Addresses(service="/service", rating="/evaluate"))


class Plain(Shaped):
    """JSON by POST to `{url}/service` and `{url}/evaluate`, certificates checked.

    The city answers `{"success": bool, "code": str, "message": str}`: success is code "ok"
    (also "0", "200" or none), "exists" is a repeat, any other word with success false and
    HTTP 2xx or 4xx is a refusal.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 15.0,
        tls: ssl.SSLContext | None = None,
        quirks: Quirks = _USUAL,
    ) -> None:
        super().__init__(url, quirks, Transport(timeout_s=timeout_s, tls=tls))

    async def _pack(self, kind: Kind, shaped: Sequence[Record]) -> Packed:
        (record,) = shaped
        body = msgspec.json.encode(record)
        return Packed(Parcel(address=self._addresses[kind], body=body, content_type=JSON))

    def _judge(self, reply: Reply) -> Answer:
        return judge(reply.status, reply.body)

    def _named(self) -> tuple[str, ...]:
        return ("success", "code", "message")


def judge(status: int, body: bytes | None) -> Answer:
    """Return what an HTTP answer means; `body` is None if it was too long to be read."""
    fault = fault_of_the_way(status)
    if fault is not None:
        return fault
    try:
        # The decoder skips what it does not know, whatever bytes that is made of.
        reply = _reply.decode((body or b"").decode())
        check_unambiguous(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return unreadable(Reply(status, body))
    if reply.code == _EXISTS:
        return AlreadyExists()
    if not reply.success:
        return Refused(reply.message.strip() or f"上级平台拒收，未说明原因（代码 {reply.code}）")
    if status < 300 and reply.code in _TAKEN:
        return Accepted()
    return Unavailable(f"上级平台的应答自相矛盾（HTTP {status}）")
