"""The words that every dialect answers in, and what it lets be kept of each exchange."""

from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct

from hub.rules.records import Record

Kind = Literal["service", "rating", "update", "ruling", "addition"]
"""An update is a service record whose case the city has, in an older version; a ruling is the
rating record that the city has, now not valid; an addition is a rating record of its own."""
OF_CASES: frozenset[Kind] = frozenset({"service", "update"})
Updates = Literal["again", "endpoint", "none"]
Verdict = Literal["accepted", "exists", "refused", "unavailable"]


class Accepted(Struct, frozen=True):
    """The city has taken the record."""


class AlreadyExists(Struct, frozen=True):
    """The city has had it before: a success, the earlier answer was lost."""


class Refused(Struct, frozen=True):
    """The city will never take this record as it is; `reason` is in its own words."""

    reason: str


class Unavailable(Struct, frozen=True):
    """The city gave no answer to be relied on; `reason` is fit to be kept in clear."""

    reason: str


Answer = Accepted | AlreadyExists | Refused | Unavailable


class Exchange(Struct, frozen=True, kw_only=True):
    """One request and what came back, fit to be kept in clear: no secret, nobody's data.

    `sent`: the fields under the city's names before they were sealed, citizens' data struck.
    `status`: of HTTP, None where no answer came. `received`: at most 1000 characters, with
    what it repeats of the citizen or of a secret struck. `reason` is empty for a success.
    `date`: of the answer, by the city's own clock, ms since 1970; None where it did not say.
    Of a request with several records there is one for each: the one with place `of`, from 0, of
    `together`.
    """

    purpose: Literal["service", "rating", "update", "ruling", "addition", "token"]
    address: str
    sent: Record
    status: int | None
    received: str
    took_ms: int
    date: int | None = None
    verdict: Verdict
    reason: str
    of: int = 0
    together: int = 1


Keep = Callable[[Exchange], None]


def forget(_: Exchange) -> None:
    """Keep nothing."""


class Dialect(Protocol):
    """One city's wire format."""

    @property
    def updates(self) -> Updates:
        """How a city is told that a case has changed; "none": it is not, send no update."""

    @property
    def rulings(self) -> Updates:
        """How a city is told that a rating is not adopted; "none": it is not."""

    @property
    def additions(self) -> bool:
        """Whether a city takes additions (追评)."""

    @property
    def batch(self) -> int:
        """How many records one request may hold."""

    async def send(self, kind: Kind, *records: Record, keep: Keep = forget) -> Answer:
        """Send records in one request, at most `batch`; raises nothing but cancellation.

        The answer is that to the request as a whole: for several records it does not say which
        of them is refused, or was there before. `keep` is called after each exchange that it
        took, in order, once for each record.
        """

    async def close(self) -> None:
        """Close what connections there are; a later `send` opens new ones."""
