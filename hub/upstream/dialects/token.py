"""A token for the way, the body sealed with SM4, after the manner of Fujian."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from hub.rules.records import Record, local_time
from hub.upstream.access import Keys
from hub.upstream.dialects import answers
from hub.upstream.dialects.base import Answer, Exchange, Keep, Kind, Unavailable, forget
from hub.upstream.dialects.shaped import JSON, Packed, Shaped, address_only
from hub.upstream.dialects.transport import Parcel, Reply, Transport
from hub.upstream.quirks import Quirks, there
from hub.upstream.sm import encode, sm3, sm4_encrypt

EARLY = 0.1
"""A token is renewed when this share of its life is left."""


class Pass(Struct, frozen=True):
    """A token, and until when (monotonic, s) it is used."""

    token: str
    until: float


class TokenRefused(Unavailable, frozen=True):
    """The city does not take the token (any more)."""


class Token(Shaped):
    """JSON `{data: SM4(JSON of the record)}`, with a token in a header or beside the data.

    The token is had for app key and timestamp, with SM3(app key + timestamp + app word) where
    the city wants a `sign`. It is used until its end nears or a record is refused for its sake:
    then it is renewed, once, and the record sent again, once. `now` gives ms since 1970.
    """

    def __init__(
        self,
        url: str,
        quirks: Quirks,
        transport: Transport,
        *,
        keys: Keys,
        now: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, quirks, transport)
        self._sm4 = there(quirks.sm4)
        self._token = there(quirks.token)
        self._message = there(quirks.answer).message
        self._token_address = url.rstrip("/") + self._token.address
        self._keys = keys
        self._now = now
        self._monotonic = monotonic
        self._pass: Pass | None = None
        self._asking = asyncio.Lock()
        self._seen: tuple[str, ...] = ()

    async def send(self, kind: Kind, *records: Record, keep: Keep = forget) -> Answer:
        """Send records in one request; see `Dialect`."""
        held = await self._valid(None, keep)
        if isinstance(held, Unavailable):
            return held
        answer = await super().send(kind, *records, keep=keep)
        if not isinstance(answer, TokenRefused):
            return answer
        held = await self._valid(held, keep)
        if isinstance(held, Unavailable):
            return held
        return await super().send(kind, *records, keep=keep)

    async def close(self) -> None:
        """Close the connections; the token stays."""
        await super().close()
        self._asking = asyncio.Lock()  # a lock belongs to the loop that waited for it

    async def _pack(self, kind: Kind, shaped: Sequence[Record]) -> Packed:
        (record,) = shaped
        plain, sm4 = msgspec.json.encode(record), self._sm4
        iv = {"prefix": os.urandom(16), "key": self._keys.body_key, "zeros": bytes(16)}[sm4.iv]
        sealed = sm4_encrypt(self._keys.body_key, plain, mode=sm4.mode, pad=sm4.padding, iv=iv)
        if sm4.iv == "prefix" and sm4.mode != "ECB":
            sealed = iv + sealed
        content = {self._token.data_field: encode(sealed, sm4.coding)}
        headers = {}
        carried = {self._token.name: self._pass.token if self._pass else ""}
        if self._token.carry == "header":
            headers = carried
        else:
            content |= carried
        return Packed(
            Parcel(
                address=self._addresses[kind],
                body=msgspec.json.encode(content),
                content_type=JSON,
                headers=headers,
            )
        )

    def _judge(self, reply: Reply) -> Answer:
        said = answers.parse(reply)
        if reply.status == 401 or (
            not isinstance(said, Unavailable) and answers.any_of(said, self._token.refused)
        ):
            return TokenRefused("上级平台不认可令牌")
        return super()._judge(reply)

    def _secrets(self) -> tuple[str, ...]:
        return (self._keys.app_word, self._keys.body_key.hex(), *self._seen)

    async def _valid(self, spent: Pass | None, keep: Keep) -> Pass | Unavailable:
        """Return a token that is neither over nor `spent`; many may ask, one request goes out."""
        async with self._asking:
            held = self._pass
            if held is None or held is spent or self._monotonic() >= held.until:
                self._pass = None
                renewed = await self._ask(keep)
                if isinstance(renewed, Unavailable):
                    return renewed
                held = self._pass = renewed
                self._seen = (renewed.token, *self._seen[:1])
            return held

    async def _ask(self, keep: Keep) -> Pass | Unavailable:
        began, at = self._monotonic(), self._time()
        shown = {self._token.key_field: self._keys.app_mark, self._token.time_field: at}
        content = dict(shown)
        if self._token.sign_field:
            phrase = f"{self._keys.app_mark}{at}{self._keys.app_word}".encode()
            content[self._token.sign_field] = sm3(phrase).hex()
        body = msgspec.json.encode(content)
        reply = await self._transport.post(
            Parcel(address=self._token_address, body=body, content_type=JSON)
        )
        answer = reply if isinstance(reply, Unavailable) else self._granted(reply, began)
        if isinstance(answer, Unavailable):
            reason = answers.strike(answer.reason, self._secrets())[:200]
            answer = Unavailable(f"未取得上级平台的令牌：{reason}")
        keep(
            Exchange(
                purpose="token",
                address=address_only(self._token_address),
                sent=shown,
                status=None if isinstance(reply, Unavailable) else reply.status,
                # Never its body: the token is in it, in a form that may not be the agreed one.
                received="",
                took_ms=int((self._monotonic() - began) * 1000),
                verdict="unavailable" if isinstance(answer, Unavailable) else "accepted",
                reason=answer.reason if isinstance(answer, Unavailable) else "",
            )
        )
        return answer

    def _granted(self, reply: Reply, began: float) -> Pass | Unavailable:
        members = answers.parse(reply)
        if isinstance(members, Unavailable):
            return members
        granted = all(
            answers.value(members, path) in wanted for path, wanted in self._token.success.items()
        )
        token = answers.value(members, self._token.token) or ""
        # A token that could not stand in a header is none.
        if not (granted and reply.status < 300 and token and token.isascii()):
            return Unavailable(answers.first(members, self._message) or "应答中没有令牌")
        if not token.isprintable() or len(token) > 4096:
            return Unavailable("应答中的令牌无法识别")
        life = (
            (answers.value(members, self._token.expires_s) or "") if self._token.expires_s else ""
        )
        seconds = int(life) if life.isascii() and life.isdigit() and len(life) < 8 else 0
        return Pass(token, began + (seconds or self._token.life_s) * (1 - EARLY))

    def _time(self) -> str:
        now = self._now()
        if self._token.time == "yyyyMMddHHmmss":
            return "".join(digit for digit in local_time(now) if digit.isdigit())
        return str(now if self._token.time == "ms" else now // 1000)
