"""The composition root of the hub: wires store, links, desk, web and the way to the city."""

import asyncio
import contextlib
import logging
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from hub.board import Board
from hub.config import ApiConfig, ConfigError, HubConfig
from hub.desk import Desk
from hub.gate import context, kicker, papers
from hub.guard import Guard
from hub.ingest import UNKNOWN_DEVICE, Ingest
from hub.keys import public_keys, remembered
from hub.link.broker import EmbeddedBroker
from hub.link.client import HubLink
from hub.presence import Presence
from hub.store import cases, database, vault
from hub.store.writer import Writer
from hub.upstream.dialects import Plain
from hub.upstream.forwarder import Forwarder
from hub.web import app as web
from hub.web.values import Health
from protocol import signing, wire
from protocol.errors import ProtocolError, SignatureInvalid
from protocol.messages import Rated, Receipt, State
from protocol.topics import Leaf

log = logging.getLogger(__name__)

REVOKED = "revoked"
"""The cause of refusal of whatever a revoked device signs."""

TIDY_S = 0.25
"""How often the slots of ended invitations are cleared on the broker."""


def epoch_ms() -> int:
    """The hub's time: milliseconds since 1970, kept right by the hall's time service."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds of the clock that never jumps."""
    return time.monotonic_ns() // 1_000_000


def listen(api: ApiConfig) -> socket.socket:
    """Take the port of the HTTP interface; raises `ConfigError` if it cannot be had."""
    family = socket.AF_INET6 if ":" in api.host else socket.AF_INET
    try:
        return socket.create_server((api.host, api.port), family=family)
    except OSError as error:
        raise ConfigError(
            f"接口地址 {api.host}:{api.port} 无法使用：{error}。"
            "请检查端口是否被占用（服务器是否已在运行），或修改配置的 api.host、api.port"
        ) from error


class Hub:
    """One hall's hub. `await run()` serves until `stop` is set."""

    def __init__(self, config: HubConfig, base: Path) -> None:
        self._config = config
        self._base = base
        state = base / config.state
        state.mkdir(parents=True, exist_ok=True)
        self._path = state / "hub.db"
        self._keys = public_keys(config, base)
        db = database.connect(self._path)
        database.migrate(db)
        database.check_guards(db)
        self._past_keys = remembered(db, self._keys, epoch_ms())
        self._vault = vault.load_or_create(state / "citizens.key", needed=cases.any_kept(db))
        self._writer = Writer(db)
        self._presence = Presence(monotonic_ms)
        self._link = HubLink(
            config.hall,
            config.broker.host,
            config.broker.port,
            receive=self._receive,
            connected=self._connected,
            rng=random.Random(),  # noqa: S311 - jitter
            tls=context(config, base),
        )
        kicks = kicker(config, base)
        self._guard = Guard(
            self._path,
            self._keys,
            papers(config, base),
            dismiss=self._dismiss,
            kick=None if kicks is None else kicks.kick,
        )
        self._board = Board(
            self._writer,
            config,
            now=epoch_ms,
            publish=self._show,
        )
        self._ingest = Ingest(
            self._writer,
            self._keys,
            now=epoch_ms,
            acknowledge=self._acknowledge,
            settled=self._settled,
        )
        self._desk = Desk(
            self._writer,
            self._vault,
            config.windows,
            now=epoch_ms,
            changed=lambda device: self._board.refresh([device]),
            queued=self._poke,
        )
        self._forwarder: Forwarder | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, serve, and stop in the opposite order.

        Raises `ConfigError` or `BrokerError` if it cannot start; nothing runs on after that.
        """
        config = self._config
        broker = None
        try:
            server = self._server()
            with listen(config.api) as port:
                if config.broker.embedded:
                    starting = EmbeddedBroker(config.broker.host, config.broker.port)
                    await asyncio.to_thread(starting.start)
                    broker = starting
                self._writer.start()
                self._start_forwarder()
                await asyncio.to_thread(self._guard.start)
                self._link.start()
                tidying = asyncio.create_task(self._tidy())
                log.info("hub=up hall=%s api=%s:%d", config.hall, *port.getsockname()[:2])
                try:
                    await _serve(server, port, stop)
                finally:
                    tidying.cancel()
        finally:
            await asyncio.to_thread(self._guard.stop)
            await asyncio.to_thread(self._link.stop)
            if self._forwarder is not None:
                await self._forwarder.stop()
            await asyncio.to_thread(self._writer.stop)
            if broker is not None:
                await asyncio.to_thread(broker.stop)
            log.info("hub=down")

    def _server(self) -> "_Server":
        app = web.create(
            self._desk,
            self._config.api,
            self._base,
            presence=self._online,
            health=self._health,
        )
        return _Server(
            uvicorn.Config(
                app,
                access_log=False,  # addresses hold serial numbers
                log_config=None,
                lifespan="on",
                timeout_graceful_shutdown=5,
            )
        )

    def _start_forwarder(self) -> None:
        upstream = self._config.upstream
        if upstream is None:
            log.warning("upstream=none note=ratings-wait-in-the-ledger")
            return
        self._forwarder = Forwarder(
            self._path,
            self._writer,
            self._vault,
            Plain(upstream.url, timeout_s=upstream.timeout_s),
            verify=self._verify,
            now=epoch_ms,
            random=random.Random(),  # noqa: S311 - jitter
            parallel=upstream.parallel,
            data_source=upstream.data_source,
        )
        self._forwarder.start()

    def _verify(self, device: str, jws: bytes) -> Rated:
        """Return the rating in the ledger that a device signed, with a key it has or had."""
        for key in self._past_keys.get(device, ()):
            with contextlib.suppress(SignatureInvalid):
                outcome = signing.verify(jws, device, key)
                if isinstance(outcome, Rated):
                    return outcome
        raise SignatureInvalid(f"no key of {device} fits")

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            self._board.tidy()

    def _poke(self) -> None:
        if self._forwarder is not None:
            self._forwarder.poke()

    def _settled(self, devices: set[str]) -> None:
        self._board.settled(devices)
        self._poke()

    def _connected(self) -> None:
        self._board.everything()
        for device in self._guard.all_revoked():
            self._dismiss(device)

    def _show(self, device: str, leaf: Leaf, data: bytes) -> None:
        if not self._guard.revoked(device):
            self._link.publish(device, leaf, data, retain=True)

    def _dismiss(self, device: str) -> None:
        """Take back what the broker retains for a revoked device."""
        for leaf in (Leaf.INVITATION, Leaf.SETTINGS):
            self._link.publish(device, leaf, b"", retain=True)

    def _online(self, device: str) -> bool:
        return self._presence.online(device) and not self._guard.revoked(device)

    def _acknowledge(self, device: str, receipt: Receipt) -> None:
        # QoS 0: a receipt that is lost is asked for again, and a PUBACK for each is a fifth of
        # the hub's work when many kiosks come back at once.
        self._link.publish(device, Leaf.RECEIPT, wire.encode(receipt), qos=0)

    def _receive(self, device: str, leaf: Leaf, payload: bytes, retained: bool) -> None:
        if leaf is Leaf.STATE and retained:
            return  # what was once so says nothing of now
        if device not in self._keys:
            self._ingest.refuse(device, UNKNOWN_DEVICE, payload)
        elif self._guard.revoked(device):
            self._guard.heard(device)
            if leaf is Leaf.RATING:
                self._ingest.refuse(device, REVOKED, payload)
        elif leaf is Leaf.RATING:
            self._ingest.outcome(device, payload)
        elif leaf is Leaf.SHOWN:
            self._ingest.shown(device, payload)
        elif leaf is Leaf.STATE:
            self._state(device, payload)

    def _state(self, device: str, payload: bytes) -> None:
        """Answer a heartbeat with the hub's time; tell a new connection everything."""
        try:
            state = wire.decode(State, payload)
        except ProtocolError as error:
            self._ingest.refuse(device, error.cause, payload)
            return
        new = self._presence.note(device, state)
        if state.online:
            self._acknowledge(
                device, Receipt(hub_at=epoch_ms(), boot=state.boot, echo_ms=state.mono_ms)
            )
        if new:
            log.info("kiosk=here device=%s connection=%d", device, state.connection)
            self._board.refresh([device])

    def _health(self) -> Health:
        reasons = []
        if not self._link.up:
            reasons.append("与消息服务的连接中断，评价器收不到邀请")
        ready = not reasons and not self._guard.locked_out
        return Health(ready=ready, reasons=(*reasons, *self._guard.alarms))


async def _serve(server: "_Server", port: socket.socket, stop: asyncio.Event) -> None:
    serving = asyncio.create_task(server.serve([port]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the command decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
