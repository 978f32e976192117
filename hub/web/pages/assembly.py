"""What the pages stand on, put together for a hub."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from hub.accounts.denials import Denials
from hub.accounts.door import Door
from hub.accounts.passwords import Hasher
from hub.accounts.register import Register
from hub.config import HubConfig
from hub.counter.bindings import Bindings
from hub.counter.desk import Desk
from hub.counter.pairing import Codes
from hub.counter.picture import Studio
from hub.kiosks.renewal import Renewals
from hub.kiosks.roster import Roster
from hub.rulings import Rulings
from hub.store.writer import Writer
from hub.web.pages.site import Site

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


def assemble(
    config: HubConfig,
    path: Path,
    *,
    writer: Writer,
    bindings: Bindings,
    desk: Desk,
    codes: Codes,
    renewals: Renewals,
    roster: Roster,
    rulings: Rulings,
    online: Callable[[str], bool],
    revoked: Callable[[], Collection[str]],
    changed: Callable[[Iterable[str]], None],
    now: Callable[[], int],
    monotonic: Callable[[], int],
    away_since: Callable[[str], int | None] = lambda _: None,
) -> Site:
    """Return what the pages of a hub stand on; `path` is its database. Clocks: milliseconds."""
    api = config.api
    hasher = Hasher()
    denials = Denials(writer, now=now, monotonic=monotonic)
    return Site(
        hall_name=config.hall_name,
        secure=bool(api.certificate) or api.address.startswith("https:"),
        hosts=frozenset({urlsplit(api.address).netloc} - {""}),
        now=now,
        door=Door(
            path,
            writer,
            hasher,
            denials,
            now=now,
            idle_ms=api.idle_minutes * _MINUTE_MS,
            total_ms=api.session_hours * _HOUR_MS,
        ),
        denials=denials,
        hasher=hasher,
        register=Register(path, writer, now=now, changed=changed),
        studio=Studio(),
        bindings=bindings,
        desk=desk,
        codes=codes,
        renewals=renewals,
        roster=roster,
        rulings=rulings,
        online=online,
        revoked=revoked,
        away_since=away_since,
    )
