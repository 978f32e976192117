"""Who may do what: the scopes of the hub, and which of them each role holds.

Three rules are kept by this table: whoever sits at a window sees no score and no citizen; whoever
manages accounts and keys is not the one who reads the audit trail of it, unless they are given
both roles, which the trail tells; and the office alone looks at a rating to rule on it (复核认定;
domain page, D8).
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from protocol.messages import Staff


class Scope(StrEnum):
    """One thing that may be done; the words are part of the interface."""

    CASES = "cases"
    INVITE = "invite"
    PAUSE = "pause"
    WINDOWS = "windows"
    SIGN_ON = "sign_on"
    SIGN_ON_ANYONE = "sign_on_anyone"
    PAIR = "pair"
    REBIND = "rebind"
    BINDINGS = "bindings"
    DEVICES = "devices"
    RENEWALS = "renewals"
    ACCOUNTS = "accounts"
    AUDIT = "audit"
    RULE = "rule"
    FEED = "feed"


class Role(StrEnum):
    """What a user is to the hall; one may be several."""

    WINDOW = "window"
    SUPERVISOR = "supervisor"
    OFFICE = "office"
    IT = "it"
    AUDITOR = "auditor"


ROLES: dict[Role, frozenset[Scope]] = {
    Role.WINDOW: frozenset({Scope.WINDOWS, Scope.SIGN_ON, Scope.PAIR}),
    Role.SUPERVISOR: frozenset({Scope.WINDOWS, Scope.BINDINGS, Scope.PAUSE}),
    Role.OFFICE: frozenset({Scope.WINDOWS, Scope.BINDINGS, Scope.PAUSE, Scope.REBIND, Scope.RULE}),
    Role.IT: frozenset(
        {
            Scope.WINDOWS,
            Scope.BINDINGS,
            Scope.PAIR,
            Scope.REBIND,
            Scope.DEVICES,
            Scope.ACCOUNTS,
        }
    ),
    Role.AUDITOR: frozenset({Scope.WINDOWS, Scope.BINDINGS, Scope.DEVICES, Scope.AUDIT}),
}

KEY_SCOPES = frozenset(Scope) - {Scope.SIGN_ON, Scope.ACCOUNTS, Scope.AUDIT}
"""What an interface key may be given: it sits at no window, and makes no users or keys."""


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks: a user, an interface key, or the hub's own console.

    `name` is how the ledger and the audit trail call them: `user:NAME`, `key:ID`, `console`.
    `staff` is the clerk that citizens see when this user signs on; `address` is where the
    request comes from, empty for the hub and its console.
    """

    name: str
    scopes: frozenset[Scope]
    staff: Staff | None = None
    address: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether the caller holds a scope."""
        return scope in self.scopes


HUB = Caller(name="hub", scopes=frozenset())
"""The hub itself, where it acts by its own rules."""

CONSOLE = Caller(name="console", scopes=frozenset(Scope))
"""Who has the hub's own machine in hand."""


def scopes_of(roles: Iterable[Role]) -> frozenset[Scope]:
    """Return all that these roles may do together."""
    return frozenset().union(*(ROLES[role] for role in roles))
