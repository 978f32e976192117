"""The programs of the hall, each a process of its own that may be killed and started again."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any

START_S = 60.0

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_C = ctypes.CDLL(None)


class PartError(Exception):
    """A program of the hall did not do what it should; the text says which, and where to look."""


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one of several errors that happened together that can be told in words."""
    found: BaseException = group.subgroup(PartError) or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def module(*arguments: str) -> list[str]:
    """Return the command that runs one of our modules with this Python."""
    return [sys.executable, "-m", *arguments]


def dying_with(parent: int) -> Callable[[], None]:
    """Return what makes a child, before it becomes its program, die whenever `parent` does.

    Linux only; elsewhere a demonstration that is killed leaves its programs behind.
    """

    def prepare() -> None:
        if hasattr(_C, "prctl"):
            _C.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before it could be asked for
                os._exit(1)

    return prepare


class Part:
    """One program: started, killed, started again; what it logs goes to `log`.

    `command` is a program with its arguments; see `module` for one of our own.
    """

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self._command = command
        self._log = log
        self._process: Process | None = None
        self.kills = 0

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start the program and wait until it is ready for work."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                limit=1 << 20,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl+C is for the demonstration, which stops them
                preexec_fn=dying_with(os.getpid()),
            )
        try:
            async with asyncio.timeout(START_S):
                await self._ready(self._process)
        except TimeoutError:
            raise PartError(f"{self.name}没有在 {START_S:.0f} 秒内启动，请看 {self._log}") from None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.pid is not None:
            os.kill(self.pid, number)

    async def kill(self) -> None:
        """Kill it at once, as a power cut would."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.kills += 1
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await self._gone()

    async def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await self._gone()

    async def _ready(self, process: Process) -> None:
        del process

    async def _gone(self) -> None:
        """Called after the process has ended."""


class Listener(Part):
    """A program that is ready once it listens on a port of this machine."""

    def __init__(self, name: str, command: list[str], log: Path, port: int) -> None:
        super().__init__(name, command, log)
        self._port = port

    async def _ready(self, process: Process) -> None:
        while True:
            if process.returncode is not None:
                raise PartError(f"{self.name}启动后立即退出，请看 {self._log}")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.close()
                return
            await asyncio.sleep(0.05)


class Away(Exception):
    """The kiosk's process is not running: killed, and not yet back."""


class KioskPart(Part):
    """A kiosk under the demo's finger; `seen` is what its screen shows."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        super().__init__(name, command, log)
        self.seen: dict[str, Any] = {}
        self._changed = asyncio.Condition()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._reader: asyncio.Task[None] | None = None
        self._alive = False

    async def order(self, do: str, **what: object) -> Any:
        """Give one command and return its answer; raises `Away` if the kiosk dies over it."""
        process = self._process
        if not self._alive or process is None or process.stdin is None:
            raise Away
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"n": self._number, "do": do, **what}, ensure_ascii=False)
        try:
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()
        except (ConnectionError, OSError):
            raise Away from None
        return await answer

    async def until(self, wanted: Callable[[dict[str, Any]], bool], within_s: float) -> bool:
        """Wait until what is seen is as wanted; False when the time is over. Raises `Away`."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                while True:
                    if not self._alive:
                        raise Away
                    if wanted(self.seen):
                        return True
                    await self._changed.wait()
        except TimeoutError:
            return False

    async def _ready(self, process: Process) -> None:
        self.seen = {}
        self._alive = True
        self._reader = asyncio.create_task(self._read(process))
        try:
            await self.until(lambda seen: bool(seen.get("settings")), START_S)
        except Away:
            raise PartError(f"{self.name}启动后立即退出，请看 {self._log}") from None

    async def _read(self, process: Process) -> None:
        if process.stdout is None:
            return
        async for raw in process.stdout:
            line = json.loads(raw)
            if "seen" in line:
                async with self._changed:
                    self.seen = line["seen"]
                    self._changed.notify_all()
            else:
                answer = self._answers.pop(line["answer"])
                if not answer.done():
                    if "error" in line:
                        answer.set_exception(PartError(f"{self.name}：{line['error']}"))
                    else:
                        answer.set_result(line["done"])
        await self._lost()

    async def _lost(self) -> None:
        self._alive = False
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Away())
        self._answers.clear()
        async with self._changed:
            self.seen = {}
            self._changed.notify_all()

    async def _gone(self) -> None:
        if self._reader is not None:
            await self._reader
