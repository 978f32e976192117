"""The composition root of the hub: wires store, links, desk, web and the way to the city."""

import asyncio
import logging
import random
import secrets
from contextlib import closing
from pathlib import Path

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
from hub.counter.vigil import Vigil
from hub.counter.windows import Windows
from hub.feed import Feeds
from hub.gate import context, dialect, kicker, papers
from hub.health import HealthCheck
from hub.ingest import Ingest
from hub.kiosks.attendance import Attendance
from hub.kiosks.guard import Guard
from hub.kiosks.past import PastKeys
from hub.kiosks.presence import Presence
from hub.kiosks.renewal import Renewals
from hub.link.broker import EmbeddedBroker
from hub.link.client import HubLink
from hub.notary import Notary
from hub.reception import Reception
from hub.rulings import Rulings
from hub.running import Running
from hub.soundness import Soundness
from hub.state import State, opened
from hub.store import settings
from hub.store.writer import Writer
from hub.tidying import Tidying
from hub.upstream.daily import Daily
from hub.upstream.dialects.transport import Transport
from hub.upstream.forwarder import Forwarder
from hub.web import app as web
from hub.web import receipt
from hub.web import server as webserver
from hub.web.auth import Keys
from hub.web.ledger import PublicLedger
from hub.web.pages.assembly import assemble
from protocol import wire
from protocol.messages import Receipt
from protocol.topics import Leaf

log = logging.getLogger(__name__)


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
        self._path = state.path
        self._roster = state.roster
        self._past_keys = PastKeys(state.past_keys)
        self._vault = state.vault
        self._nightly = Nightly(state.path.parent, state.vault, config.retention, now=epoch_ms)
        self._soundness = Soundness(state.path, whole=state.whole, now=epoch_ms)
        self._writer = Writer(state.db)
        self._forwarder = self._way_to_the_city()
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
        kicks = kicker(config, base)
        tls = context(config, base)
        self._presence = Presence(monotonic_ms)
        self._link = HubLink(
            config.hall,
            config.broker.host,
            config.broker.port,
            receive=self._receive,
            connected=self._connected,
            rng=random.Random(),  # noqa: S311 - jitter
            tls=tls,
        )
        self._guard = Guard(
            self._path,
            self._roster,
            papers(config, base),
            dismiss=self._dismiss,
            kick=None if kicks is None else kicks.kick,
            serials=self._roster.serials,
        )
        self._attendance = Attendance(
            self._path,
            self._writer,
            self._presence,
            known=lambda: set(self._roster) - self._guard.all_revoked(),
            now=epoch_ms,
            monotonic=monotonic_ms,
        )
        windows = Windows(config.windows)
        vigil = Vigil(state.vault)
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
            vigil=vigil,
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
            learnt=self._past_keys.learnt,
        )
        self._bindings = Bindings(
            self._writer,
            windows,
            codes,
            now=epoch_ms,
            online=self._online,
            changed=self._board.refresh,
            vigil=vigil,
        )
        self._desk = Desk(
            self._writer,
            self._vault,
            windows,
            now=epoch_ms,
            changed=self._board.refresh,
            queued=self._poke,
            believed=self._believed,
            vigil=vigil,
        )
        self._rulings = Rulings(
            self._path,
            self._writer,
            self._vault,
            verify=self._past_keys.verify,
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
            away_since=self._attendance.away_since,
            changed=self._board.refresh,
            now=epoch_ms,
            monotonic=monotonic_ms,
        )
        self._health = HealthCheck(
            link=self._link,
            writer=self._writer,
            guard=self._guard,
            roster=self._roster,
            presence=self._presence,
            alarms=(
                lambda: self._nightly.alarm,
                lambda: self._soundness.alarm,
                lambda: self._notary.alarm,
                lambda: self._clock.alarm,
                lambda: self._site.door.forgeries.alarm,
                lambda: vigil.alarm,
                lambda: self._daily.alarm if self._daily else None,
                lambda: self._attendance.alarm,
            ),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, serve until `stop` is set, and stop in the opposite order.

        Raises `ConfigError` or `BrokerError` if it cannot start; nothing runs on after that.
        """
        config = self._config
        async with Running() as running:
            running.callback(log.info, "hub=down")
            running.callback(self._link.stop)  # it holds sockets before it starts
            server = self._server()
            port = running.enter_context(webserver.listen(config.api))
            seats = running.enter_context(closing(Seats(self._path, self._board.refresh)))
            if config.broker.embedded:
                await running.start(EmbeddedBroker(config.broker.host, config.broker.port))
            await running.start(self._writer)
            if self._forwarder is None:
                log.warning("upstream=none note=ratings-wait-in-the-ledger")
            else:
                self._forwarder.start()
                running.push_async_callback(self._forwarder.stop)
            await running.start(self._guard)
            await running.start(self._link)
            self._writer.submit(lambda db: settings.note(db, config.in_force(), epoch_ms()))
            running.callback(self._site.door.tend, closing=True)
            running.job("tidying", self._tidying(seats).run())
            running.job("notary", self._notary.run())
            running.job("attendance", self._attendance.run())
            running.job("nightly", self._nightly.run())
            running.job("soundness", self._soundness.run())
            if self._daily is not None:
                running.job("daily", self._daily.run())
            log.info("hub=up hall=%s api=%s:%d", config.hall, *port.getsockname()[:2])
            await server.until(stop, port)

    def _server(self) -> webserver.Server:
        app = web.create(
            web.Rooms(
                desk=self._desk,
                bindings=self._bindings,
                renewals=self._renewals,
                rulings=self._rulings,
                feeds=self._feeds,
                keys=Keys(
                    self._path,
                    now=epoch_ms,
                    denied=self._site.denials.note,
                    forged=self._site.door.forgeries.note,
                ),
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

    def _way_to_the_city(self) -> Forwarder | None:
        upstream = self._config.upstream
        way = dialect(upstream, self._base)
        if upstream is None or way is None:
            return None
        return Forwarder(
            self._path,
            self._writer,
            self._vault,
            way,
            verify=self._past_keys.verify,
            now=epoch_ms,
            random=random.Random(),  # noqa: S311 - jitter
            parallel=upstream.parallel,
            data_source=upstream.data_source,
        )

    def _tidying(self, seats: Seats) -> Tidying:
        return Tidying(
            writer=self._writer,
            board=self._board,
            bindings=self._bindings,
            seats=seats,
            clock=self._clock,
            door=self._site.door,
        )

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
