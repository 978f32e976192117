"""Whether an outcome that a device signed counts (promise 4: the right case or none)."""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from protocol.catalogue import load
from protocol.errors import CatalogueError
from protocol.messages import AnyOutcome, Expired, Invitation, Rated

GRACE_MS = 1_000
"""How much later than its time a tap may be measured: the kiosk reads its clock once a frame."""


class Verdict(StrEnum):
    """What becomes of an outcome; all but the first three are refusals, by their cause.

    A `REPEATED` rating is of a service that has one already: a kiosk was cut off, and the citizen
    was asked again meanwhile. It ends its own invitation and stands in the ledger, for somebody
    was thanked for it; the service's rating is the one that came first (一次一评).
    """

    COUNTS = "counts"
    KNOWN = "known"
    REPEATED = "repeated"
    FOREIGN = "foreign"
    CLOSED = "closed"
    SHOWN_OTHERWISE = "shown_otherwise"
    LATE = "late"
    UNKNOWN_REASON = "unknown_reason"


TAKEN = frozenset({Verdict.COUNTS, Verdict.KNOWN, Verdict.REPEATED})
"""What the device may forget, for it is kept here."""

CLOSING = (Verdict.LATE, Verdict.UNKNOWN_REASON, Verdict.SHOWN_OTHERWISE)
"""Refusals over which the hub itself closes the invitation."""

Ends = Literal["rated", "expired", "withdrawn"]


class Ruling(Struct, frozen=True):
    """The verdict, and how the invitation ends by it (None: it stays as it is).

    `news`: whether it was not given before, on the very same bytes.
    """

    verdict: Verdict
    ends: Ends | None = None
    news: bool = True


class Standing(Struct, frozen=True):
    """What the hub knows of the invitation that the outcome names, and that it issued.

    `held`: these very bytes stand in the ledger, so that they are no news; `refused`: they stand
    there in the entry by which the hub closed the invitation over them, for this cause.
    """

    device: str
    invitation: Invitation
    outcome_id: str | None
    case_rated: bool
    held: bool = False
    refused: Verdict | None = None


def settle(standing: Standing | None, outcome: AnyOutcome) -> Ruling:
    """Judge an outcome whose signature has been verified.

    What counted is known when the same bytes come again, and what was refused is refused for the
    same cause; all else for it is refused.

    What was answered to another wording than the hub's never counts: somebody on the way has
    altered it, and the citizen meant something else. An outcome that does not say what was
    asked comes from a kiosk older than that field, and counts as before, until version 2 of the
    messages; a newer one signs it, so that nobody on the way can leave it out.

    A refused rating never counts, but its device will not answer for that invitation a second
    time, so the hub closes it: as expired if it came late, else as withdrawn.
    """
    if standing is None or standing.device != outcome.device:
        return Ruling(Verdict.FOREIGN)
    if standing.refused is not None:
        return Ruling(standing.refused, news=False)
    if standing.outcome_id is not None:
        return Ruling(Verdict.KNOWN if standing.held else Verdict.CLOSED)
    as_issued = outcome.asked is None or outcome.asked == standing.invitation
    ruling = judge(outcome, ttl_ms=standing.invitation.ttl_ms, as_issued=as_issued)
    if ruling.ends == "rated" and standing.case_rated:
        return Ruling(Verdict.REPEATED, "rated")
    return ruling


def judge(outcome: AnyOutcome, *, ttl_ms: int, as_issued: bool) -> Ruling:
    """Judge an outcome by what was signed and what was issued, and by nothing else.

    The hub does so once, when it comes; whoever verifies the ledger does it again, years later.
    `ttl_ms`: the invitation's; `as_issued`: whether it was shown in the hub's own words.
    """
    if not as_issued:
        return Ruling(Verdict.SHOWN_OTHERWISE, "withdrawn")
    if not isinstance(outcome, Rated):
        ends: Ends = "expired" if isinstance(outcome, Expired) else "withdrawn"
        return Ruling(Verdict.COUNTS, ends)
    if outcome.elapsed_ms > ttl_ms + GRACE_MS:
        return Ruling(Verdict.LATE, "expired")
    try:
        listed = load(outcome.catalogue).has(outcome.level, outcome.reasons)
    except CatalogueError:
        listed = False
    if not listed:
        return Ruling(Verdict.UNKNOWN_REASON, "withdrawn")
    return Ruling(Verdict.COUNTS, "rated")


def knows_catalogue(outcome: AnyOutcome) -> bool:
    """Whether this software has the list from which an outcome's reasons were chosen."""
    try:
        return not isinstance(outcome, Rated) or bool(load(outcome.catalogue))
    except CatalogueError:
        return False
