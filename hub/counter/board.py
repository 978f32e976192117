"""What each kiosk should be showing, kept up to date on the broker: settings and slot."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from msgspec import Struct
from msgspec.structs import replace
from sqlite_utils import Database

from hub.config import ScreensConfig
from hub.counter.pairing import Codes
from hub.counter.vigil import Vigil
from hub.counter.windows import Windows
from hub.store import bindings, invitations, pauses, portraits, recovery
from hub.store.writer import Busy, Stopped, Writer
from protocol import wire
from protocol.catalogue import CURRENT
from protocol.messages import Pairing, Portrait, Resend, Settings, Slot
from protocol.topics import Leaf

Publish = Callable[[str, Leaf, bytes], None]


class _Said(Struct, frozen=True):
    """What one kiosk is to be told; `picture` is read only where it is not the one told last."""

    device: str
    slot: Slot
    settings: Settings | None
    picture: bytes | None


class Board:
    """Publishes, retained, what changed; `publish` sends one retained message.

    `online(device)` says whether a kiosk is seen now: one that is not gets no pairing code.
    `believed(device)` says whether it is not revoked: to one that is, nothing is published.
    `link` is the address of the hub's pages, for the QR beside a code; empty = the code alone.
    `link_of(invitation)` is that of the citizen's own page; empty = none. `vigil` knows which
    invitations are the hub's own: no other is published.
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
        screens: ScreensConfig | None = None,
        believed: Callable[[str], bool] = lambda _: True,
        link_of: Callable[[str], str] = lambda _: "",
        vigil: Vigil | None = None,
    ) -> None:
        self._writer = writer
        self._hall_name = hall_name
        self._screens = screens or ScreensConfig()
        self._believed = believed
        self._link_of = link_of
        self._vigil = vigil or Vigil()
        self._windows = windows
        self._devices = devices
        self._codes = codes
        self._now = now
        self._online = online
        self._publish = publish
        self._pair_link = f"{link}/pair?code=" if link else ""
        self._lock = threading.Lock()
        self._ended: set[str] = set()
        self._owed: set[str] = set()
        """Kiosks that could not be told: the writer took nothing, or the commit failed."""
        self._pictures: dict[str, str] = {}
        """Digest of the photograph that the broker retains for each kiosk, empty for none."""

    def everything(self) -> None:
        """Publish for all devices, as after a new connection to the broker."""
        self._pictures = {}  # what is being sent right now is noted in the one before: sent again
        self.refresh(self._devices)

    def forget(self, device: str) -> None:
        """Note that the broker retains no photograph for a kiosk any more."""
        self._pictures.pop(device, None)

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
            owed, self._owed = self._owed, set()
        if owed:
            self.refresh(owed)
        if ended - owed:
            self.refresh(ended - owed, settings=False)
        turned = self._codes.turn(self._online)
        if turned:
            self.refresh(turned)

    def refresh(self, devices: Iterable[str], *, settings: bool = True) -> None:
        """Publish what these devices should show.

        What the writer does not take now, or cannot commit, `tidy` sees to.
        """
        known = set(self._devices)
        wanted = [device for device in devices if device in known and self._believed(device)]
        pictures = self._pictures

        def job(db: Database) -> list[_Said]:
            return [self._said(db, device, pictures, settings) for device in wanted]

        def then(done: "Future[list[_Said]]") -> None:
            if done.exception() is None:
                self._send(done.result(), pictures)
            else:
                self._owe(wanted)

        try:
            self._writer.submit(job, then)
        except Busy:
            self._owe(wanted)
        except Stopped:
            pass

    def _owe(self, devices: Iterable[str]) -> None:
        with self._lock:
            self._owed.update(devices)

    def _said(self, db: Database, device: str, pictures: dict[str, str], full: bool) -> _Said:
        slot = invitations.slot(
            db, device, self._now(), lambda each: self._vigil.genuine(db, device, each)
        )
        if slot.invitation is not None:
            slot = replace(slot, link=self._link_of(slot.invitation.id))
        if not full:
            return _Said(device, slot, None, None)
        settings = self._settings(db, device, slot.version)
        digest, picture = settings.portrait, None
        if pictures.get(device) != digest:
            picture = portraits.picture(db, digest) if digest else b""
        return _Said(device, slot, settings, picture)

    def _send(self, found: list[_Said], pictures: dict[str, str]) -> None:
        for said in found:
            if said.settings is not None:
                self._send_picture(said.device, said.settings.portrait, said.picture, pictures)
                self._publish(said.device, Leaf.SETTINGS, wire.encode(said.settings))
            self._publish(said.device, Leaf.INVITATION, wire.encode(said.slot))

    def _send_picture(
        self, device: str, digest: str, picture: bytes | None, pictures: dict[str, str]
    ) -> None:
        """Publish a photograph before the settings that name it, and only when it is another."""
        if pictures.get(device) == digest:
            return
        if picture is None:  # it was told when this was read, and another one since
            self._owe([device])
            return
        message = wire.encode(Portrait(digest=digest, picture=picture)) if picture else b""
        self._publish(device, Leaf.PORTRAIT, message)
        if self._believed(device):  # else it was not published
            pictures[device] = digest

    def _settings(self, db: Database, device: str, version: int) -> Settings:
        name = bindings.window_of(db, device)
        lost = recovery.of(db, device)
        base = Settings(
            version=version,  # the slot's: it grows even when the clock is put back
            hall_name=self._hall_name,
            catalogue=CURRENT,
            reasons_ms=self._screens.reasons_s * 1000,
            thanks_ms=self._screens.thanks_s * 1000,
            elder=self._screens.elder,
            english=self._screens.english,
            announcements=self._screens.announcements,
            resend=None if lost is None else Resend(since=lost.since, after=lost.after),
        )
        if name is None or name not in self._windows:
            return replace(base, pairing=self._pairing(device))
        held, window = bindings.seat(db, name), self._windows[name]
        if self._vigil.seat_bent(db, name):
            held = None  # whoever stands there was put there past the ledger
        return replace(
            base,
            window=window.shown(),
            staff=held.staff if held else None,
            paused=pauses.reason(db, name),
            elder=base.elder if window.elder is None else window.elder,
            portrait=portraits.digest_of(db, held.staff) if held else "",
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
