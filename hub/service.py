"""The composition root of the hub: wires store, links, desk, web and the way to the city."""

import asyncio
import contextlib
import logging
import random
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from hub import notary
from hub.citizens.nightly import Nightly
from hub.citizens.receipts import Receipts, linker
from hub.clock import epoch_ms, monotonic_ms
from hub.clockwatch import ClockWatch
from hub.config import HubConfig
from hub.counter.bindings import Bindings
from hub.counter.board import Board
from hub.counter.desk import Desk
from hub.counter.pairing import Codes
from hub.counter.seats import Seats
from hub.counter.windows import Windows
from hub.feed import Feeds
from hub.gate import context, dialect, kicker, papers
from hub.ingest import Ingest
from hub.kiosks.guard import Guard
from hub.kiosks.presence import Presence
from hub.kiosks.renewal import Renewals
from hub.link.broker import EmbeddedBroker
from hub.link.client import HubLink
from hub.notary import Notary
from hub.reception import Reception
from hub.rulings import Rulings
from hub.soundness import Soundness
from hub.state import State, opened
from hub.store import database, settings
from hub.store.writer import Busy, Stopped, Writer
from hub.upstream.daily import Daily
from hub.upstream.dialects.transport import Transport
from hub.upstream.forwarder import Forwarder
from hub.web import app as web
from hub.web import receipt
from hub.web import server as webserver
from hub.web.auth import Keys
from hub.web.ledger import PublicLedger
from hub.web.pages.assembly import assemble
from hub.web.values import Health
from protocol import signing, wire
from protocol.errors import SignatureInvalid
from protocol.messages import Rated, Receipt
from protocol.topics import Leaf

log = logging.getLogger(__name__)

SEATS_MS = 30_000
"""How often it is looked whether somebody is signed on since yesterday, or a session is over."""

LOOK_MS = 1_000
"""How often it is looked whether a command has signed somebody off."""

TIDY_S = 0.25
"""How often the slots of ended invitations are cleared on the broker."""


async def serve(config: HubConfig, base: Path, stop: asyncio.Event) -> None:
    """Run the hub of `config` until `stop` is set; paths are relative to `base`.

    Raises what `opened` does, and `BrokerError`, if it cannot start; nothing runs on after that.
    """
    with opened(config, base) as state:
        await Hub(config, base, state).run(stop)


class Hub:
    """One hall's hub, on the state that was opened for it. `await run()` serves."""

    def __init__(self, config: HubConfig, base: Path, state: State) -> None:
        self._config = config
        self._base = base
        self._dialect = dialect(config.upstream, base)
        self._path = state.path
        self._roster = state.roster
        self._past_keys = state.past_keys
        self._vault = state.vault
        self._nightly = Nightly(state.path.parent, state.vault, config.retention, now=epoch_ms)
        self._soundness = Soundness(state.path, whole=state.whole, now=epoch_ms)
        self._writer = Writer(state.db)
        self._notary = Notary(
            self._writer,
            state.ledger_key,
            notary.origin(config.hall),
            each_s=config.ledger.checkpoint_s,
            now=epoch_ms,
        )
        self._clock = ClockWatch(state.path, now=epoch_ms)
        report = config.ledger.report_url
        self._daily = (
            Daily(state.path, config.hall, report, Transport(), now=epoch_ms) if report else None
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
            link_of=linker(state.vault, config.public.url),
            screens=config.screens,
            believed=self._believed,
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
            believed=self._believed,
        )
        self._rulings = Rulings(
            self._path,
            self._writer,
            self._vault,
            verify=self._verify,
            now=epoch_ms,
            queued=self._poke,
        )
        self._feeds = Feeds(self._writer, self._vault, now=epoch_ms, queued=self._poke)
        self._site = assemble(
            config,
            self._path,
            writer=self._writer,
            bindings=self._bindings,
            desk=self._desk,
            codes=codes,
            renewals=self._renewals,
            roster=self._roster,
            rulings=self._rulings,
            online=self._online,
            revoked=self._guard.all_revoked,
            changed=self._board.refresh,
            now=epoch_ms,
            monotonic=monotonic_ms,
        )
        self._forwarder: Forwarder | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, serve until `stop` is set, and stop in the opposite order.

        Raises `ConfigError` or `BrokerError` if it cannot start; nothing runs on after that.
        """
        config = self._config
        broker = None
        try:
            server = self._server()
            seeing = contextlib.closing(Seats(self._path, self._board.refresh))
            with webserver.listen(config.api) as port, seeing as seats:
                if config.broker.embedded:
                    starting = EmbeddedBroker(config.broker.host, config.broker.port)
                    await asyncio.to_thread(starting.start)
                    broker = starting
                self._writer.start()
                self._start_forwarder()
                await asyncio.to_thread(self._guard.start)
                self._link.start()
                self._writer.submit(lambda db: settings.note(db, config.in_force(), epoch_ms()))
                tidying = asyncio.create_task(self._tidy(seats))
                noting = asyncio.create_task(self._notary.run())
                cleaning = asyncio.create_task(self._nightly.run())
                looking = asyncio.create_task(self._soundness.run())
                telling = asyncio.create_task(self._daily.run()) if self._daily else None
                log.info("hub=up hall=%s api=%s:%d", config.hall, *port.getsockname()[:2])
                try:
                    await server.until(stop, port)
                finally:
                    tidying.cancel()
                    noting.cancel()
                    cleaning.cancel()
                    looking.cancel()
                    if telling is not None:
                        telling.cancel()
                        await asyncio.gather(telling, return_exceptions=True)
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

    def _server(self) -> webserver.Server:
        app = web.create(
            web.Rooms(
                desk=self._desk,
                bindings=self._bindings,
                renewals=self._renewals,
                rulings=self._rulings,
                feeds=self._feeds,
                keys=Keys(self._path, now=epoch_ms, denied=self._site.denials.note),
                ledger=PublicLedger(self._path, self._notary.verifier),
            ),
            presence=self._online,
            health=self._health,
            site=self._site,
            front=receipt.front(
                self._config,
                Receipts(
                    self._path,
                    self._writer,
                    self._vault,
                    self._notary.verifier,
                    now=epoch_ms,
                    queued=self._poke,
                ),
                monotonic=monotonic_ms,
            ),
        )
        return webserver.server(app, self._config.api, self._base)

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

    async def _tidy(self, seats: Seats) -> None:
        seats_at = looked_at = 0
        while True:
            self._board.tidy()
            if monotonic_ms() - looked_at >= LOOK_MS:
                looked_at = monotonic_ms()
                seats.look()
            if monotonic_ms() - seats_at >= SEATS_MS:
                seats_at = monotonic_ms()
                with contextlib.suppress(Busy, Stopped):
                    self._bindings.end_of_day()
                    if self._writer.trouble:
                        self._writer.submit(database.probe)
                await asyncio.to_thread(self._clock.look)
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
        for leaf in (Leaf.INVITATION, Leaf.SETTINGS, Leaf.CERTIFICATE, Leaf.PORTRAIT):
            self._link.publish(device, leaf, b"", retain=True)
        self._board.forget(device)

    def _believed(self, device: str) -> bool:
        return not self._guard.revoked(device)

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
        if self._writer.trouble:
            reasons.append(
                f"数据写不进磁盘（{self._writer.trouble}）：请检查磁盘是否已满或只读；"
                "评价都留在评价器里，恢复后自动补送"
            )
        ready = not reasons and not self._guard.locked_out
        full = [
            f"评价器 {device} 存放评价的空间"
            + ("已满，已暂停使用：" if word == "full" else "不多了：")
            + "请检查它与服务器的连接和磁盘"
            for device, word in self._presence.short_of_storage().items()
        ]
        told = self._daily.alarm if self._daily else None
        noted = (self._nightly.alarm, self._soundness.alarm, self._clock.alarm, told)
        overdue = [each for each in noted if each]
        alarms = (*self._roster.alarms, *self._guard.alarms)
        return Health(ready=ready, reasons=(*reasons, *full, *overdue, *alarms))
