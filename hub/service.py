"""The composition root of the hub: wires store, links, desk, web and the way to the city."""

import asyncio
import contextlib
import logging
import random
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from hub import notary
from hub.bindings import Bindings
from hub.board import Board
from hub.config import ApiConfig, ConfigError, HubConfig, UpstreamConfig
from hub.desk import Desk
from hub.gate import context, device_ca, kicker, papers
from hub.guard import Guard
from hub.ingest import Ingest
from hub.keys import public_keys, remembered
from hub.link.broker import EmbeddedBroker
from hub.link.client import HubLink
from hub.nightly import Nightly
from hub.notary import Notary
from hub.pairing import Codes
from hub.presence import Presence
from hub.reception import Reception
from hub.renewal import Renewals
from hub.roster import Roster
from hub.store import cases, certificates, database, lock, settings, tree, vault
from hub.store.writer import Busy, Stopped, Writer
from hub.upstream.dialects import Dialect, DialectError, dialect_of
from hub.upstream.forwarder import Forwarder
from hub.web import app as web
from hub.web.auth import Keys
from hub.web.ledger import PublicLedger
from hub.web.pages.assembly import assemble
from hub.web.values import Health
from hub.windows import Windows
from protocol import signing, wire
from protocol.errors import SignatureInvalid
from protocol.messages import Rated, Receipt
from protocol.topics import Leaf

log = logging.getLogger(__name__)

SEATS_MS = 30_000
"""How often it is looked whether somebody is signed on since yesterday, or a session is over."""

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


def dialect(upstream: UpstreamConfig | None, base: Path) -> Dialect | None:
    """Return the way of the city to be spoken to, None without one; raises `ConfigError`."""
    if upstream is None:
        return None
    try:
        tls = ssl.create_default_context(cafile=base / upstream.ca) if upstream.ca else None
        return dialect_of(
            upstream.dialect,
            upstream.url,
            base=base,
            access=upstream.access,
            now=epoch_ms,
            quirks=upstream.quirks,
            timeout_s=upstream.timeout_s,
            tls=tls,
        )
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"hub.toml：upstream.ca：{upstream.ca} 不是可用的证书（PEM）：{error}"
        ) from error
    except DialectError as error:
        raise ConfigError(str(error)) from error


class Hub:
    """One hall's hub. `await run()` serves until `stop` is set."""

    def __init__(self, config: HubConfig, base: Path) -> None:
        self._config = config
        self._base = base
        self._dialect = dialect(config.upstream, base)
        state = base / config.state
        state.mkdir(parents=True, exist_ok=True)
        self._path = state / "hub.db"
        configured = public_keys(config, base)
        lost = not self._path.exists() or self._path.stat().st_size == 0
        if lost and (state / "ledger.key").exists():
            raise ConfigError(
                f"{self._path} 不见了或是空的，而台账的签名密钥还在：数据可能已丢失。"
                "请保留现场，用 pingyi-hub restore 从备份恢复；确实要另立台账，请把密钥移走"
            )
        db = database.connect(self._path)
        database.migrate(db)
        database.check_guards(db)
        self._roster = Roster(
            config.hall, configured, certificates.of_all(db), device_ca(config, base)
        )
        self._past_keys = remembered(db, self._roster, epoch_ms())
        self._vault = vault.load_or_create(
            state / "citizens.key",
            needed=cases.any_kept(db),
            cipher=config.citizens.cipher,
        )
        self._nightly = Nightly(state, self._vault, config.retention, now=epoch_ms)
        ledger_key = notary.load_or_create(state / "ledger.key", needed=tree.newest(db) is not None)
        self._writer = Writer(db)
        self._notary = Notary(
            self._writer,
            ledger_key,
            notary.origin(config.hall),
            each_s=config.ledger.checkpoint_s,
            now=epoch_ms,
        )
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
            self._roster,
            papers(config, base),
            dismiss=self._dismiss,
            kick=None if kicks is None else kicks.kick,
        )
        windows = Windows(config.windows)
        codes = Codes(now=epoch_ms, random_below=secrets.randbelow)
        self._board = Board(
            self._writer,
            config.hall_name,
            windows,
            self._roster,
            codes,
            now=epoch_ms,
            online=self._online,
            publish=self._show,
            link=config.api.address,
        )
        self._ingest = Ingest(
            self._writer,
            self._roster,
            now=epoch_ms,
            acknowledge=self._acknowledge,
            settled=self._settled,
            vault=self._vault,
        )
        self._renewals = Renewals(self._writer, self._roster, now=epoch_ms, publish=self._show)
        self._reception = Reception(
            writer=self._writer,
            roster=self._roster,
            guard=self._guard,
            presence=self._presence,
            ingest=self._ingest,
            renewals=self._renewals,
            now=epoch_ms,
            acknowledge=self._acknowledge,
            arrived=lambda device: self._board.refresh([device]),
            learnt=self._learnt,
        )
        self._bindings = Bindings(
            self._writer,
            windows,
            codes,
            now=epoch_ms,
            online=self._online,
            changed=self._board.refresh,
        )
        self._desk = Desk(
            self._writer,
            self._vault,
            windows,
            now=epoch_ms,
            changed=self._board.refresh,
            queued=self._poke,
        )
        self._site = assemble(
            config,
            self._path,
            writer=self._writer,
            bindings=self._bindings,
            desk=self._desk,
            codes=codes,
            renewals=self._renewals,
            roster=self._roster,
            online=self._online,
            revoked=self._guard.all_revoked,
            changed=self._board.refresh,
            now=epoch_ms,
            monotonic=monotonic_ms,
        )
        self._forwarder: Forwarder | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, serve, and stop in the opposite order.

        Raises `ConfigError` or `BrokerError` if it cannot start; nothing runs on after that.
        """
        with lock.alone(self._path.parent):
            await self._run(stop)

    async def _run(self, stop: asyncio.Event) -> None:
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
                self._writer.submit(lambda db: settings.note(db, config, epoch_ms()))
                tidying = asyncio.create_task(self._tidy())
                noting = asyncio.create_task(self._notary.run())
                cleaning = asyncio.create_task(self._nightly.run())
                log.info("hub=up hall=%s api=%s:%d", config.hall, *port.getsockname()[:2])
                try:
                    await _serve(server, port, stop)
                finally:
                    tidying.cancel()
                    noting.cancel()
                    cleaning.cancel()
                    self._site.door.tend(closing=True)
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
            web.Rooms(
                desk=self._desk,
                bindings=self._bindings,
                renewals=self._renewals,
                keys=Keys(self._path, now=epoch_ms, denied=self._site.denials.note),
                ledger=PublicLedger(self._path, self._notary.verifier),
            ),
            presence=self._online,
            health=self._health,
            site=self._site,
        )
        api = self._config.api
        return _Server(
            uvicorn.Config(
                app,
                ssl_certfile=self._base / api.certificate if api.certificate else None,
                ssl_keyfile=self._base / api.key if api.key else None,
                access_log=False,  # addresses hold serial numbers
                log_config=None,
                lifespan="on",
                timeout_graceful_shutdown=5,
            )
        )

    def _start_forwarder(self) -> None:
        upstream = self._config.upstream
        if upstream is None or self._dialect is None:
            log.warning("upstream=none note=ratings-wait-in-the-ledger")
            return
        self._forwarder = Forwarder(
            self._path,
            self._writer,
            self._vault,
            self._dialect,
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
        seats_at = 0
        while True:
            self._board.tidy()
            if monotonic_ms() - seats_at >= SEATS_MS:
                seats_at = monotonic_ms()
                with contextlib.suppress(Busy, Stopped):
                    self._bindings.end_of_day()
                self._site.door.tend()
            await asyncio.sleep(TIDY_S)

    def _poke(self) -> None:
        if self._forwarder is not None:
            self._forwarder.poke()

    def _settled(self, devices: set[str]) -> None:
        self._board.settled(devices)
        self._poke()

    def _connected(self) -> None:
        self._board.everything()
        self._renewals.repeat()
        for device in self._guard.all_revoked():
            self._dismiss(device)

    def _show(self, device: str, leaf: Leaf, data: bytes) -> None:
        if not self._guard.revoked(device):
            self._link.publish(device, leaf, data, retain=True)

    def _dismiss(self, device: str) -> None:
        """Take back what the broker retains for a revoked device."""
        for leaf in (Leaf.INVITATION, Leaf.SETTINGS, Leaf.CERTIFICATE):
            self._link.publish(device, leaf, b"", retain=True)

    def _online(self, device: str) -> bool:
        return self._presence.online(device) and not self._guard.revoked(device)

    def _acknowledge(self, device: str, receipt: Receipt) -> None:
        # QoS 0: a receipt that is lost is asked for again, and a PUBACK for each is a fifth of
        # the hub's work when many kiosks come back at once.
        self._link.publish(device, Leaf.RECEIPT, wire.encode(receipt), qos=0)

    def _receive(self, device: str, leaf: Leaf, payload: bytes, retained: bool) -> None:
        self._reception.receive(device, leaf, payload, retained)

    def _learnt(self, device: str, key: EllipticCurvePublicKey) -> None:
        past = [each for each in self._past_keys.get(device, ()) if each != key]
        self._past_keys = {**self._past_keys, device: [key, *past]}

    def _health(self) -> Health:
        reasons = []
        if not self._link.up:
            reasons.append("与消息服务的连接中断，评价器收不到邀请")
        ready = not reasons and not self._guard.locked_out
        full = [
            f"评价器 {device} 存放评价的空间"
            + ("已满，已暂停使用：" if word == "full" else "不多了：")
            + "请检查它与服务器的连接和磁盘"
            for device, word in self._presence.short_of_storage().items()
        ]
        overdue = [self._nightly.alarm] if self._nightly.alarm else []
        return Health(ready=ready, reasons=(*reasons, *full, *overdue, *self._guard.alarms))


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
