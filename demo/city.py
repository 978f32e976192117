"""A stand-in city platform: takes service records and ratings as strictly as a real one.

`python -m demo.city --port N --out DIR/city.jsonl` serves `POST /service`, `POST /evaluate`,
`POST /control` and `GET /health` on loopback. Each record that it accepts is one line of JSON
in the file, as received, on disk before the answer goes out; killed at any moment and started
again it knows all it ever accepted.

A rating that it has and that comes again as not valid (EffectivEvalua 0, 复核认定) is one more
line: the last one of a key counts.

With `--envelopes DIR` (see `demo.city_envelope`) records come in sealed lists: all of a list are
taken, on disk at once, or none of them is, and it is answered with one word.

Keys: a service record (projectNo, serviceNumber); a rating (projectNo, serviceNumber,
assessNumber). The domain page (3) names (projectNo, assessNumber) for a rating, but a case has
several services, each rated once, so the service number has to be part of the key.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from aiohttp import web

from demo import city_faults
from demo.city_envelope import Envelopes, said
from demo.city_rules import Refusal, check_rating, check_service

MODES = ("ok", "down", "slow", "drop", "drip", *city_faults.WHOLE)
TAKEN_FIRST = frozenset({"drop", "drip", "repeat"})
"""What the city answers only after it has accepted the record; else nothing is accepted."""

LONGEST = 4 << 20
"""How long a sealed list may be, in bytes."""

Key = tuple[str, ...]


class Book:
    """All that the city accepted, in order, one line each."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("a+b")
        self._file.seek(0)
        content = self._file.read()
        # A kill in the middle of a write leaves a line without its end: it was never answered.
        whole = content[: content.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        os.fsync(self._file.fileno())
        directory = os.open(path.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        records = [json.loads(line) for line in whole.split(b"\n")[:-1]]
        self._keys = {_key(record) for record in records}
        self._void = {_key(record) for record in records if _void(record)}

    def __len__(self) -> int:
        return len(self._keys)

    def has(self, key: Key) -> bool:
        """Whether a record with this key was accepted."""
        return key in self._keys

    def counts(self, key: Key) -> bool:
        """Whether a rating with this key was accepted, and has not been made invalid since."""
        return key in self._keys and key not in self._void

    def add(self, *records: dict[str, str]) -> None:
        """Write records to the disk; a city that cannot write ends (`OSError`)."""
        lines = [json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records]
        self._file.write(b"".join(lines))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._keys.update(map(_key, records))
        self._void.update(_key(record) for record in records if _void(record))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _key(record: dict[str, str]) -> Key:
    key = (record["projectNo"], record["serviceNumber"])
    return (*key, record["assessNumber"]) if "satisfaction" in record else key


def _void(record: dict[str, str]) -> bool:
    return record.get("EffectivEvalua") == "0"


class City:
    """The platform; `control` sets the fault that it plays."""

    def __init__(self, book: Book, envelopes: Envelopes | None = None) -> None:
        self._book = book
        self._envelopes = envelopes
        self._mode = "ok"
        self._delay = 0.0
        self._until = float("inf")
        self._left: int | None = None
        self._after = False

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application(client_max_size=64 * 1024 if self._envelopes is None else LONGEST)
        app.router.add_post("/service", self._service)
        app.router.add_post("/evaluate", self._evaluate)
        app.router.add_post("/control", self._control)
        app.router.add_get("/health", self._health)
        return app

    async def _service(self, request: web.Request) -> web.StreamResponse:
        return await self._take(request, rating=False)

    async def _evaluate(self, request: web.Request) -> web.StreamResponse:
        return await self._take(request, rating=True)

    async def _take(self, request: web.Request, *, rating: bool) -> web.StreamResponse:
        body = await request.read()
        mode, delay, after = self._next_mode()
        if mode == "down":
            return city_faults.cut(request)
        if mode in city_faults.WHOLE and not after:
            return await city_faults.answer(request, mode, delay)
        if mode == "slow":
            await asyncio.sleep(delay)
        try:
            answer = self._judge(body, rating=rating)
        except OSError as error:
            # What stands in the file is uncertain now; the next start reads it and knows.
            sys.exit(f"city: cannot write: {error}")
        if mode in ("ok", "slow") or answer.status != 200:  # a refusal is not made a success
            return answer
        return await city_faults.answer(request, mode, delay)

    def _judge(self, body: bytes, *, rating: bool) -> web.Response:
        try:
            records = self._checked(body, rating=rating)
        except Refusal as refusal:
            exists = refusal.code == "exists"
            return self._reply(200 if exists else 400, code=refusal.code, message=str(refusal))
        self._book.add(*records)
        return self._reply(200, success=True, code="ok", message="接收成功")

    def _checked(self, body: bytes, *, rating: bool) -> list[dict[str, str]]:
        """Return what is to be kept of a request, all of it; raises `Refusal`."""
        if self._envelopes is None:
            records = [_parse(body)]
        else:
            records = self._envelopes.open(body, rating=rating)
        for record in records:
            (check_rating if rating else check_service)(record)
            self._fits(record)
        if len({_key(record) for record in records}) < len(records):
            raise Refusal("value", "列表中有重复的数据")
        return records

    def _fits(self, record: dict[str, str]) -> None:
        """Raise `Refusal` if a record does not go with what the city has."""
        key = _key(record)
        if len(key) == 3 and not self._book.has(key[:2]):
            raise Refusal("order", "没有对应的办件服务数据，请先上报办件")
        if len(key) == 3 and key[2] == "2" and not self._book.has((*key[:2], "1")):
            raise Refusal("order", "没有首次评价，请先上报评价再上报追评")
        if self._book.has(key) and not (_void(record) and self._book.counts(key)):
            raise Refusal("exists", "数据已存在")

    def _reply(
        self, status: int, *, success: bool = False, code: str, message: str
    ) -> web.Response:
        word: dict[str, Any] = {"success": success, "code": code, "message": message}
        if self._envelopes is not None:
            word = said(success=success, code=code, message=message)
        text = json.dumps(word, ensure_ascii=False)
        return web.json_response(status=status, text=text)

    def _next_mode(self) -> tuple[str, float, bool]:
        if self._left == 0 or time.monotonic() >= self._until:
            self._set("ok")
        if self._left is not None:
            self._left -= 1
        return self._mode, self._delay, self._after

    def _set(
        self,
        mode: str,
        *,
        delay: float = 0.0,
        lasts: float | None = None,
        count: int | None = None,
        after: bool = False,
    ) -> None:
        self._mode, self._delay, self._left = mode, delay, count
        self._after = after or mode in TAKEN_FIRST
        self._until = float("inf") if lasts is None else time.monotonic() + lasts

    async def _control(self, request: web.Request) -> web.Response:
        """Set a fault: `seconds` is the delay of "slow" and "drip", else how long it lasts.

        `count`: for so many records only. `after`: the record is accepted before the bad answer.
        """
        try:
            wish: dict[str, Any] = json.loads(await request.read())
            seconds, count = wish.get("seconds"), wish.get("count")
            mode = MODES[MODES.index(wish["mode"])]
            seconds = None if seconds is None else float(seconds)
            count = None if count is None else int(count)
            after = bool(wish.get("after"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"problem": str(error)}, status=400)
        if mode in ("slow", "drip"):
            self._set(mode, delay=1.0 if seconds is None else seconds, count=count)
        else:
            self._set(mode, lasts=seconds, count=count, after=after)
        return web.json_response({"mode": self._mode})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"mode": self._mode, "accepted": len(self._book)})


def _parse(body: bytes) -> dict[str, str]:
    try:
        record = json.loads(body)
        json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal("format", "报文不是 JSON") from error
    if not isinstance(record, dict):
        raise Refusal("format", "报文不是 JSON 对象")
    return record


async def serve(port: int, out: Path, envelopes: Envelopes | None = None) -> None:
    """Serve until SIGTERM or SIGINT; prints `{"port": N}` when ready."""
    book = Book(out)
    runner = web.AppRunner(City(book, envelopes).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=1.0)
    await site.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await stop.wait()
    await runner.cleanup()
    book.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="demo.city", description="模拟上级平台（仅供演示和测试）")
    parser.add_argument("--port", type=int, default=0, help="端口；0 表示自动选择")
    parser.add_argument("--out", type=Path, required=True, help="接收记录的文件，如 city.jsonl")
    parser.add_argument(
        "--envelopes", type=Path, help="按 envelope 格式收：平台私钥、应用标识和口令所在的文件夹"
    )
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    with suppress(KeyboardInterrupt):
        envelopes = None if options.envelopes is None else Envelopes(options.envelopes)
        asyncio.run(serve(options.port, options.out, envelopes))


if __name__ == "__main__":
    main()
