"""What each kiosk should be showing, kept up to date on the broker: settings and slot."""

import contextlib
import threading
from collections.abc import Callable, Iterable

from msgspec.structs import replace
from sqlite_utils import Database

from hub.pairing import Codes
from hub.store import bindings, invitations, pauses, recovery
from hub.store.writer import Busy, Stopped, Writer
from hub.windows import Windows
from protocol import wire
from protocol.catalogue import CURRENT
from protocol.messages import Pairing, Resend, Settings, Slot
from protocol.topics import Leaf

Publish = Callable[[str, Leaf, bytes], None]


class Board:
    """Publishes, retained, what changed; `publish` sends one retained message.

    `online(device)` says whether a kiosk is seen now: one that is not gets no pairing code.
    `link` is the address of the hub's pages, for the QR beside a code; empty = the code alone.
    """

    def __init__(
        self,
        writer: Writer,
        hall_name: str,
        windows: Windows,
        devices: Iterable[str],
        codes: Codes,
        *,
        now: Callable[[], int],
        online: Callable[[str], bool],
        publish: Publish,
        link: str = "",
    ) -> None:
        self._writer = writer
        self._hall_name = hall_name
        self._windows = windows
        self._devices = devices
        self._codes = codes
        self._now = now
        self._online = online
        self._publish = publish
        self._pair_link = f"{link}/pair?code=" if link else ""
        self._lock = threading.Lock()
        self._ended: set[str] = set()

    def everything(self) -> None:
        """Publish for all devices, as after a new connection to the broker."""
        self.refresh(self._devices)

    def settled(self, devices: Iterable[str]) -> None:
        """Note devices whose invitation has ended; `tidy` clears their slots."""
        with self._lock:
            self._ended.update(devices)

    def tidy(self) -> None:
        """Publish for those whose invitation has ended since the last call, once for each.

        Nobody waits for it: the kiosk knows what it has ended. It keeps what is retained on
        the broker from outliving the citizen by more than a moment.
        """
        with self._lock:
            ended, self._ended = self._ended, set()
        if ended:
            self.refresh(ended, settings=False)
        turned = self._codes.turn(self._online)
        if turned:
            self.refresh(turned)

    def refresh(self, devices: Iterable[str], *, settings: bool = True) -> None:
        """Publish what these devices should show.

        Dropped when the writer is full or stopping: each device is told anew when it connects.
        """
        known = set(self._devices)
        wanted = [device for device in devices if device in known]

        def job(db: Database) -> list[tuple[str, Slot, Settings | None]]:
            return [
                (
                    device,
                    slot := invitations.slot(db, device, self._now()),
                    self._settings(db, device, slot.version) if settings else None,
                )
                for device in wanted
            ]

        with contextlib.suppress(Busy, Stopped):
            self._writer.submit(
                job, lambda done: None if done.exception() else self._send(done.result())
            )

    def _send(self, found: list[tuple[str, Slot, Settings | None]]) -> None:
        for device, slot, settings in found:
            if settings is not None:
                self._publish(device, Leaf.SETTINGS, wire.encode(settings))
            self._publish(device, Leaf.INVITATION, wire.encode(slot))

    def _settings(self, db: Database, device: str, version: int) -> Settings:
        name = bindings.window_of(db, device)
        lost = recovery.of(db, device)
        base = Settings(
            version=version,  # the slot's: it grows even when the clock is put back
            hall_name=self._hall_name,
            catalogue=CURRENT,
            resend=None if lost is None else Resend(since=lost.since, after=lost.after),
        )
        if name is None or name not in self._windows:
            return replace(base, pairing=self._pairing(device))
        held = bindings.seat(db, name)
        return replace(
            base,
            window=self._windows[name].shown(),
            staff=held.staff if held else None,
            paused=pauses.reason(db, name),
        )

    def _pairing(self, device: str) -> Pairing | None:
        if not self._online(device):
            return None
        shown = self._codes.of(device)
        candidate = shown.candidate
        return Pairing(
            code=shown.code,
            until=max(0, shown.until),
            qr=self._pair_link + shown.code,
            window=self._windows[candidate.window].shown() if candidate else None,
        )
