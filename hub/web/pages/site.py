"""What stands behind the pages, and what every request of theirs finds."""

from collections.abc import Callable, Collection
from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Struct

from hub.accounts.denials import Denials
from hub.accounts.door import Door, Person
from hub.accounts.passwords import Hasher
from hub.accounts.register import Register
from hub.counter.bindings import Bindings
from hub.counter.desk import Desk
from hub.counter.pairing import Codes
from hub.counter.picture import Studio
from hub.kiosks.renewal import Renewals
from hub.kiosks.roster import Roster
from hub.rulings import Rulings
from hub.web.pages.forms import Form

Http = Request[Any, Any, Any]


class Site(Struct, frozen=True, kw_only=True):
    """All that the pages look at and change.

    `online(device)` says whether a kiosk is seen now, `revoked()` which are not believed any
    more, `away_since(device)` since when one is not seen (0: never; None: it is, or that is not
    known). `secure`: people reach the pages by TLS. `hosts`: names, with the port, by which they
    may be reached besides the one in the request. Times: milliseconds since 1970.
    """

    hall_name: str
    secure: bool
    hosts: Collection[str]
    now: Callable[[], int]
    door: Door
    denials: Denials
    hasher: Hasher
    register: Register
    studio: Studio
    bindings: Bindings
    desk: Desk
    codes: Codes
    renewals: Renewals
    roster: Roster
    rulings: Rulings
    online: Callable[[str], bool]
    revoked: Callable[[], Collection[str]]
    away_since: Callable[[str], int | None]


TheSite = NamedDependency[SkipValidation[Site]]


def person(request: Http) -> Person:
    """Return who is signed in; the guard has made sure of it."""
    found: Person = request.state.person
    return found


def form(request: Http) -> Form:
    """Return the form of a change; the guard has made sure that it is of this session."""
    found: Form = request.state.form
    return found
