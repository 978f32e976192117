"""What each kiosk should be showing, kept up to date on the broker: settings and slot."""

import contextlib
import threading
from collections.abc import Callable, Iterable

from sqlite_utils import Database

from hub.config import HubConfig, WindowConfig
from hub.store import invitations, pauses
from hub.store.writer import Busy, Stopped, Writer
from protocol import wire
from protocol.catalogue import CURRENT
from protocol.messages import Settings, Slot, Window
from protocol.topics import Leaf

Publish = Callable[[str, Leaf, bytes], None]


class Board:
    """Publishes, retained, what changed; `publish` sends one retained message."""

    def __init__(
        self, writer: Writer, config: HubConfig, *, now: Callable[[], int], publish: Publish
    ) -> None:
        self._writer = writer
        self._hall_name = config.hall_name
        self._devices = tuple(device.name for device in config.devices)
        self._windows: dict[str, WindowConfig] = {}
        for window in config.windows:
            self._windows.setdefault(window.device, window)
        self._now = now
        self._publish = publish
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

    def refresh(self, devices: Iterable[str], *, settings: bool = True) -> None:
        """Publish what these devices should show.

        Dropped when the writer is full or stopping: each device is told anew when it connects.
        """
        wanted = [device for device in devices if device in self._devices]

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
        window = self._windows.get(device)
        return Settings(
            version=version,  # the slot's: it grows even when the clock is put back
            hall_name=self._hall_name,
            window=Window(name=window.name, label=window.label)
            if window
            else Window(name="未配对"),
            staff=window.staff if window else None,
            catalogue=CURRENT,
            paused=pauses.reason(db, window.name) if window else None,
        )
