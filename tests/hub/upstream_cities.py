"""Stand-in cities, one per dialect: each opens and checks what it gets for itself, with gmssl.

Nothing of the hub's own SM2, SM3, SM4 or wording serves here: what these cities can read and
believe, an independent implementation can.
"""

import asyncio
import base64
import json
import threading
import time
from collections import deque
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs

from aiohttp import web
from gmssl import sm2, sm3, sm4

from demo.city_rules import Refusal, check_rating, check_service
from hub.upstream.access import Access
from hub.upstream.dialects import dialect_of
from hub.upstream.quirks import pattern

# The key pair of the examples in GB/T 32918.5.
SECRET = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"
PUBLIC = (
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
MARK, WORD, BODY_KEY = (
    "示例厅mark",
    "示例口令word",
    bytes.fromhex("0123456789abcdeffedcba9876543210"),
)
ACCESS = Access(
    app_mark=MARK, app_word="word", city_key="city.pub", hall_key="hall.key", body_key="body.key"
)
NAMES = ("plain", "flat", "form", "envelope", "token")
NOW = 1_790_000_000_000


def papers(folder: Path) -> Path:
    """Write the files that the city handed to the hall."""
    for name, content in {
        "word": WORD + "\n",
        "city.pub": "04" + PUBLIC,
        "hall.key": SECRET,
        "body.key": BODY_KEY.hex(),
    }.items():
        path = folder / name
        path.write_text(content, encoding="utf-8")
        path.chmod(0o600)
    return folder


def speak(name, url, folder, *changes, handed=False, **options):
    """Return a dialect with the pattern's quirks, changed line by line as a hall would.

    `handed`: the folder has the papers of another city.
    """
    if not handed:
        papers(folder)
    quirks = ""
    if changes:
        quirks = "quirks.toml"
        (folder / quirks).write_text(quirks_file(name, *changes), encoding="utf-8")
    settings = {"base": folder, "access": ACCESS, "now": lambda: NOW, "quirks": quirks}
    return dialect_of(name, url, **(settings | options))


def quirks_file(name, *changes) -> str:
    text = pattern(name)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def gm_open(sealed: bytes, *, order="C1C3C2", prefix=True, secret=SECRET) -> bytes:
    """Decrypt with gmssl, and check the digest (C3), which gmssl leaves out."""
    if prefix:
        assert sealed[0] == 4
        sealed = sealed[1:]
    key = sm2.CryptSM2(secret, PUBLIC, mode=1 if order == "C1C3C2" else 0)
    plain = key.decrypt(sealed)
    shared = key._kg(int(secret, 16), sealed[:64].hex())
    digest = sealed[64:96] if order == "C1C3C2" else sealed[-32:]
    if sm3.sm3_hash(list(bytes.fromhex(shared[:64] + plain.hex() + shared[64:]))) != digest.hex():
        raise ValueError("digest")
    return plain


def gm_seal(plain: bytes, *, order="C1C3C2", prefix=True) -> bytes:
    key = sm2.CryptSM2(SECRET, PUBLIC, mode=1 if order == "C1C3C2" else 0)
    return (b"\x04" if prefix else b"") + key.encrypt(plain)


def gm_verifies(signature: bytes, data: bytes) -> bool:
    return sm2.CryptSM2(SECRET, PUBLIC).verify_with_sm3(signature.hex(), data)


def gm_sm4_open(sealed: bytes, *, mode="CBC", iv: bytes | None = None) -> bytes:
    """Decrypt with gmssl; without `iv` it stands in front."""
    if mode == "CBC" and iv is None:
        iv, sealed = sealed[:16], sealed[16:]
    cipher = sm4.CryptSM4()
    cipher.set_key(BODY_KEY, sm4.SM4_DECRYPT)
    return cipher.crypt_cbc(iv, sealed) if mode == "CBC" else cipher.crypt_ecb(sealed)


class Untrusted(Exception):
    """What was sent is not from this hall, or nobody can read it."""


class Register:
    """What a city holds: ratings only to its service records, nothing twice."""

    def __init__(self) -> None:
        self.records = []
        self._keys = set()

    def take(self, record, *, replace=False, rule=True):
        """Return "ok", "exists" or the reason of a refusal.

        `replace`: a case may be corrected; `rule`: a rating may be made invalid.
        """
        rating = "satisfaction" in record
        try:
            (check_rating if rating else check_service)(record)
        except Refusal as refusal:
            return str(refusal)
        case = (record["projectNo"], record["serviceNumber"])
        key = (*case, record["assessNumber"]) if rating else case
        if rating and case not in self._keys:
            return "没有对应的办件服务数据，请先上报办件"
        if key in self._keys:
            before = next(r for r in self.records if _whole_key(r) == key)
            ruling = (
                rating
                and rule
                and (before["EffectivEvalua"], record["EffectivEvalua"]) == ("1", "0")
            )
            if not (ruling or (replace and not rating)):
                return "exists"
            self.records.remove(before)
        self._keys.add(key)
        self.records.append(record)
        return "ok"

    def take_list(self, records, *, whole=True, **how):
        """Return one word for all: "ok", or that of the first that is not taken.

        `whole`: then none is kept; else those that are good in themselves are.
        """
        before = list(self.records), set(self._keys)
        words = [self.take(record, **how) for record in records]
        word = next((word for word in words if word != "ok"), "ok")
        if whole and word != "ok":
            self.records, self._keys = before
        return word


LATE = {"lose", "html after", "repeat", "hold"}
"""The moods in which a city has taken what was sent before it answers so."""


class StandIn:
    """One city of one dialect, in a thread of its own.

    `order`, `prefix`, `signs`, `decode`: how it expects SM2. `seal`: what of an envelope is
    sealed. `lose_next`: as many answers are lost on the way. `updates`: whether a case that it
    has is replaced when it comes again, or only at /update. `rulings`: likewise whether a rating
    is made invalid when it comes again so, only at /ruling, or never. `late_s`: how late
    its Date is. `whole`: see `Register.take_list`; `longest`: a longer list is refused.

    `moods`: how it takes the next requests, one after another; then "ok" for ever. "cut": it
    hangs up, "html", "busy": it answers so; "lose", "html after", "repeat" (已存在), "hold" (no
    answer at all): likewise, after it has taken what was sent. `lists`: what stood in each request.
    """

    def __init__(
        self,
        name,
        *,
        order="C1C3C2",
        prefix=True,
        signs=False,
        decode=bytes.fromhex,
        seal="records",
        updates="endpoint",
        rulings="again",
        late_s=0,
        tls=None,
        whole=True,
        longest=1000,
    ):
        self.name = name
        self.register = Register()
        self.asked = []
        self.tokens = []
        self.lose_next = 0
        self.moods = deque()
        self.lists = []
        self._whole = whole
        self._longest = longest
        self._options = {"order": order, "prefix": prefix}
        self._signs = signs
        self._decode = decode
        self._seal = seal
        self._updates = updates
        self._rulings = rulings
        self._late_s = late_s
        self._tls = tls
        self._ready = threading.Event()
        self._loop = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(5)

    def kept(self):
        """What was accepted, in order: (serial, service number, kind)."""
        return [
            (r["projectNo"], r["serviceNumber"], "rating" if "satisfaction" in r else "service")
            for r in self.register.records
        ]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_post("/{kind}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        scheme, host = ("https", "localhost") if self._tls else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _answer(self, request):
        body = await request.read()
        self.asked.append((request.path, dict(request.headers), body))
        try:
            if request.path == "/token":
                return self._grant(json.loads(body))
            if self.name == "token" and self._shown(request, body) not in self.tokens[-1:]:
                return web.json_response({"code": 401, "msg": "令牌失效"})
            found = getattr(self, f"_{self.name}")(body)
        except Untrusted as error:
            mood, word = "ok", str(error)
        else:
            records = found if isinstance(found, list) else [found]
            mood = self.moods.popleft() if self.moods else "ok"
            self.lists.append([_whole_key(record) for record in records])
            taken = mood in LATE or mood == "ok"
            word = self._take(request.path, records) if taken else "系统繁忙"
        if mood == "hold":
            await self._stop.wait()
        if mood in ("cut", "lose") or self.lose_next:
            self.lose_next -= mood not in ("cut", "lose")
            request.transport.abort()
        if mood.startswith("html"):
            return web.Response(text="<html>维护</html>", content_type="text/html")
        if mood == "repeat" and word == "ok":
            word = "exists"
        date = formatdate(time.time() - self._late_s, usegmt=True)
        return web.json_response(self.says(word), headers={"Date": date})

    def _take(self, path, records):
        """Return the word for what was sent to this path."""
        if any(("satisfaction" in each) != (path in ("/evaluate", "/ruling")) for each in records):
            return "地址与数据不符"
        if len(records) > self._longest:
            return "列表过长"
        replace = self._updates == "again" or path == "/update"
        rule = self._rulings == ("endpoint" if path == "/ruling" else "again")
        return self.register.take_list(records, whole=self._whole, replace=replace, rule=rule)

    def _shown(self, request, body):
        return request.headers.get("token") or json.loads(body).get("access")

    def says(self, word):
        """Return the answer in the city's own form."""
        taken, message = word == "ok", "数据已存在" if word == "exists" else word
        if self.name == "plain":
            return {
                "success": taken,
                "code": word if taken or word == "exists" else "x",
                "message": message,
            }
        if self.name == "flat":
            return {"result": "1" if taken else "0", "resultmsg": "" if taken else message}
        if self.name == "form":
            return {
                "success": taken,
                "code": "200" if taken else "-1",
                "errorMessage": "" if taken else message,
                "serviceCode": "示例流水0001",
            }
        if self.name == "envelope":
            return {
                "success": "true" if taken else "false",
                "code": "0" if taken else "1",
                "message": message,
            }
        return {"code": 200 if taken else 500, "msg": message, "data": None}

    def _plain(self, body):
        return json.loads(body)

    def _flat(self, body):
        return _single(body)

    def _form(self, body):
        form = _single(body)
        self._check(form)
        return json.loads(self._open(json.loads(form["params"])["data"]))

    def _envelope(self, body):
        content = json.loads(body)
        assert content["txnCommCom"] == {}
        form = content["txnBodyCom"]
        self._check(form)
        params = form["params"]
        if self._seal == "params":
            params = json.loads(self._open(params))
        ((name, records),) = params.items()
        if self._seal == "records":
            records = [json.loads(self._open(record)) for record in records]
        assert records
        assert {name} == {
            "evaluate" if "satisfaction" in record else "serviceData" for record in records
        }
        return records

    def _token(self, body):
        sealed = base64.b64decode(json.loads(body)["data"], validate=True)
        try:
            return json.loads(gm_sm4_open(sealed))
        except ValueError:
            raise Untrusted("无法解密") from None

    def _grant(self, body):
        phrase = f"{MARK}{body['timestamp']}{WORD}".encode()
        if body["appKey"] != MARK or body["sign"] != sm3.sm3_hash(list(phrase)):
            return web.json_response({"code": 403, "msg": "签名不符"})
        self.tokens.append(f"token-{len(self.tokens)}-secret")
        return web.json_response(
            {"code": 200, "data": {"token": self.tokens[-1], "expiresIn": 600}}
        )

    def _check(self, form):
        phrase = f"{form['time']}{MARK}{WORD}".encode()
        sign = self._decode(form["sign"])
        if form["appMark"] != MARK or form["time"] != "20260921221320":
            raise Untrusted("appMark 或时间不符")
        if not (gm_verifies(sign, phrase) if self._signs else self._open(form["sign"]) == phrase):
            raise Untrusted("签名不符")

    def _open(self, text):
        try:
            return gm_open(self._decode(text), **self._options)
        except (ValueError, TypeError, AssertionError):
            raise Untrusted("无法解密") from None


def _single(body):
    return {
        name: value
        for name, (value,) in parse_qs(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True
        ).items()
    }


def _whole_key(record):
    """By what a record is known: a service record by its service, a rating by its number too."""
    number = (record["assessNumber"],) if "satisfaction" in record else ()
    return record["projectNo"], record["serviceNumber"], *number


def http(status, body, kind="application/json", more=""):
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return (head + f"Connection: close\r\n{more}\r\n").encode() + body


TOKEN = http(200, b'{"code":200,"data":{"token":"t0","expiresIn":600}}')


@asynccontextmanager
async def raw_city(answer, tls=None, drip=None, token=TOKEN):
    """Answer every record with these very bytes; yields the address and what was asked.

    `token` is what the way to a token answers. `drip`: pieces to send one after another until
    the other side hangs up.
    """
    asked = []

    async def serve(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length or 0))
            if head.startswith(b"POST /token "):
                writer.write(token)
                await writer.drain()
                return
            asked.append((head, body))
            if drip is not None:
                writer.write(answer)
                while not reader.at_eof():
                    writer.write(drip)
                    await writer.drain()
                    await asyncio.sleep(0.01)
            elif answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        await server.wait_closed()
