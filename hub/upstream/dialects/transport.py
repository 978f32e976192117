"""The way there and back: one POST, with every way it can fail said in one word."""

import ssl
from datetime import UTC
from email.utils import parsedate_to_datetime

import aiohttp
from msgspec import Struct

from hub.upstream.dialects.base import Unavailable

LIMIT = 1024 * 1024
"""The longest answer that is read, in bytes."""

# They speak of our access or of our pace, not of the record: no reason to set it aside.
_NOT_THE_RECORD = {401, 403, 407, 408, 425, 429}


class Parcel(Struct, frozen=True, kw_only=True):
    """A request as it goes out. Personal data stand in `body` only."""

    address: str
    body: bytes
    content_type: str
    headers: dict[str, str] = {}


class Reply(Struct, frozen=True):
    """What came back; `body` is None if it was longer than `LIMIT`.

    `date`: the city's own clock (header Date), ms since 1970, in the middle of its second.
    """

    status: int
    body: bytes | None
    date: int | None = None


class Transport:
    """Connections to one city; certificates are checked, redirects not followed."""

    def __init__(self, *, timeout_s: float = 15.0, tls: ssl.SSLContext | None = None) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def post(self, parcel: Parcel) -> Reply | Unavailable:
        """Send; `Unavailable` where no whole answer came within `timeout_s`."""
        try:
            async with self._open().post(
                parcel.address,
                data=parcel.body,
                headers={"Content-Type": parcel.content_type, **parcel.headers},
                allow_redirects=False,
                ssl=self._tls or True,
            ) as response:
                date = _date(response.headers.get("Date", ""))
                return Reply(response.status, await _read(response.content), date)
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
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            )
        return self._session


def fault_of_the_way(status: int) -> Unavailable | None:
    """Return what an HTTP status says by itself; None if the body is to be read."""
    if not (200 <= status < 300 or 400 <= status < 500) or status in _NOT_THE_RECORD:
        return Unavailable(f"上级平台返回 HTTP {status}")
    return None


def unreadable(reply: Reply) -> Unavailable:
    """Return what to say of a body that is no answer."""
    what = "过长" if reply.body is None else "无法识别"
    return Unavailable(f"上级平台的应答{what}（HTTP {reply.status}）")


def _date(text: str) -> int | None:
    try:
        moment = parsedate_to_datetime(text)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000) + 500
    except (ValueError, OverflowError, TypeError):
        return None


async def _read(content: aiohttp.StreamReader) -> bytes | None:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > LIMIT:
            return None
    return bytes(body)
