"""How the city is spoken to: one class per wire format, all answering in the same four words.

A dialect is the one place that knows addresses, forms and codes. It must never take anything
for success but the city's own plain word, and never set a record aside for what is the
fault of the way there.
"""

import ssl
from typing import Literal, Protocol

import aiohttp
import msgspec
from msgspec import Struct

from hub.upstream.records import Record

LIMIT = 1024 * 1024


class Accepted(Struct, frozen=True):
    """The city has taken the record."""


class AlreadyExists(Struct, frozen=True):
    """The city has had it before: a success, the earlier answer was lost."""


class Refused(Struct, frozen=True):
    """The city will never take this record as it is; `reason` is in its own words."""

    reason: str


class Unavailable(Struct, frozen=True):
    """The city gave no answer to be relied on; `reason` is in our words, free of its content."""

    reason: str


Answer = Accepted | AlreadyExists | Refused | Unavailable


class Dialect(Protocol):
    """One city's wire format."""

    async def send(self, kind: Literal["service", "rating"], record: Record) -> Answer:
        """Send one record and return the answer; raises nothing but cancellation."""

    async def close(self) -> None:
        """Close what connections there are; a later `send` opens new ones."""


class _Reply(Struct):
    success: bool
    code: str = ""
    message: str = ""


_reply = msgspec.json.Decoder(_Reply)
_TAKEN = {"", "0", "200", "ok"}
_EXISTS = "exists"
# They speak of our access or of our pace, not of the record: no reason to set it aside.
_NOT_THE_RECORD = {401, 403, 407, 408, 425, 429}


class Plain:
    """JSON by POST to `{url}/service` and `{url}/evaluate`, certificates checked.

    The city answers `{"success": bool, "code": str, "message": str}`: success is code "ok"
    (also "0", "200" or none), "exists" is a repeat, any other word with success false and
    HTTP 2xx or 4xx is a refusal.
    """

    def __init__(
        self, url: str, *, timeout_s: float = 15.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._addresses = {
            "service": url.rstrip("/") + "/service",
            "rating": url.rstrip("/") + "/evaluate",
        }
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def send(self, kind: Literal["service", "rating"], record: Record) -> Answer:
        """Send one record; personal data stand in the body only."""
        try:
            async with self._open().post(
                self._addresses[kind],
                data=msgspec.json.encode(record),
                allow_redirects=False,
                ssl=self._tls or True,
            ) as response:
                body = await _read(response.content)
                return judge(response.status, body)
        except TimeoutError:
            return Unavailable("上级平台未在规定时间内应答")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The name of the error only: its text may repeat what was sent.
            return Unavailable(f"与上级平台的连接失败（{type(error).__name__}）")

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={
                    "Content-Type": "application/json; charset=utf-8",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                },
            )
        return self._session


def judge(status: int, body: bytes | None) -> Answer:
    """Return what an HTTP answer means; `body` is None if it was longer than `LIMIT`."""
    if not (200 <= status < 300 or 400 <= status < 500) or status in _NOT_THE_RECORD:
        return Unavailable(f"上级平台返回 HTTP {status}")
    try:
        reply = _reply.decode(body or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        what = "过长" if body is None else "无法识别"
        return Unavailable(f"上级平台的应答{what}（HTTP {status}）")
    if reply.code == _EXISTS:
        return AlreadyExists()
    if not reply.success:
        return Refused(reply.message.strip() or f"上级平台拒收，未说明原因（代码 {reply.code}）")
    if status < 300 and reply.code in _TAKEN:
        return Accepted()
    return Unavailable(f"上级平台的应答自相矛盾（HTTP {status}）")


async def _read(content: aiohttp.StreamReader) -> bytes | None:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > LIMIT:
            return None
    return bytes(body)
