"""Which outcomes count, as one table (promise 4)."""

import pytest
from msgspec.structs import replace
from world_hall import TTL_MS, an_invitation, expired, rated, withdrawn

from hub.rules.settle import CLOSING, GRACE_MS, Ruling, Standing, Verdict, settle

INVITATION = "a" * 32
MINE = "b" * 32
OTHER = "c" * 32
ISSUED = an_invitation(id=INVITATION)
ALTERED = replace(ISSUED, matter="另一个事项")


def standing(**change):
    fields = {"device": "k1", "invitation": ISSUED, "outcome_id": None, "case_rated": False}
    return Standing(**(fields | change))


def ended(outcome, by=MINE, *, held=False):
    return standing(outcome_id=by, case_rated=outcome == "rated", held=held)


GOOD = rated(INVITATION, id=MINE)
LATE = rated(INVITATION, id=MINE, elapsed_ms=TTL_MS + GRACE_MS + 1)
JUST = rated(INVITATION, id=MINE, elapsed_ms=TTL_MS + GRACE_MS)
NO_SUCH_REASON = rated(INVITATION, id=MINE, level=1, reasons=("199",))
NO_SUCH_LIST = rated(INVITATION, id=MINE, catalogue="1999.1")
BAD_WITHOUT_REASON = rated(INVITATION, id=MINE, level=1)
BAD = rated(INVITATION, id=MINE, level=2, reasons=("207", "214"), comment="示例")
EXPIRED = expired(INVITATION, id=MINE)
WITHDRAWN = withdrawn(INVITATION, id=MINE)
ASKED = rated(INVITATION, id=MINE, asked=ISSUED)
ASKED_OTHERWISE = rated(INVITATION, id=MINE, asked=ALTERED)
LONGER = rated(INVITATION, id=MINE, asked=replace(ISSUED, ttl_ms=TTL_MS + 1))
EXPIRED_OTHERWISE = expired(INVITATION, id=MINE, asked=ALTERED)
WITHDRAWN_OTHERWISE = withdrawn(INVITATION, id=MINE, asked=ALTERED)

TABLE = {
    "a good rating in time": (standing(), GOOD, Verdict.COUNTS, "rated"),
    "a bad rating with its reasons": (standing(), BAD, Verdict.COUNTS, "rated"),
    "a bad rating without any": (standing(), BAD_WITHOUT_REASON, Verdict.COUNTS, "rated"),
    "a rating at the very end of its grace": (standing(), JUST, Verdict.COUNTS, "rated"),
    "an expiry": (standing(), EXPIRED, Verdict.COUNTS, "expired"),
    "a withdrawal": (standing(), WITHDRAWN, Verdict.COUNTS, "withdrawn"),
    "an expiry of a case rated elsewhere": (
        standing(case_rated=True), EXPIRED, Verdict.COUNTS, "expired",
    ),
    "an invitation nobody knows": (None, GOOD, Verdict.FOREIGN, None),
    "an invitation of another device": (standing(device="k2"), GOOD, Verdict.FOREIGN, None),
    "an ended one of another device": (
        standing(device="k2", outcome_id=MINE, held=True), GOOD, Verdict.FOREIGN, None,
    ),
    "the rating that counted, again": (
        ended("rated", held=True), GOOD, Verdict.KNOWN, None,
    ),
    "the expiry that counted, again": (
        ended("expired", held=True), EXPIRED, Verdict.KNOWN, None,
    ),
    "the withdrawal that counted, again": (
        ended("withdrawn", held=True), WITHDRAWN, Verdict.KNOWN, None,
    ),
    "other bytes under the id that came late": (ended("expired"), LATE, Verdict.CLOSED, None),
    "other bytes under the id that counted": (ended("rated"), BAD, Verdict.CLOSED, None),
    "a rating after another": (ended("rated", OTHER), GOOD, Verdict.CLOSED, None),
    "a rating after its expiry": (ended("expired", OTHER), GOOD, Verdict.CLOSED, None),
    "an expiry after a rating": (ended("rated", OTHER), EXPIRED, Verdict.CLOSED, None),
    "a second rating of the case": (
        standing(case_rated=True), GOOD, Verdict.REPEATED, "rated",
    ),
    "a late second rating": (standing(case_rated=True), LATE, Verdict.LATE, "expired"),
    "a late rating": (standing(), LATE, Verdict.LATE, "expired"),
    "a reason that is not listed": (
        standing(), NO_SUCH_REASON, Verdict.UNKNOWN_REASON, "withdrawn",
    ),
    "a rating of what was issued": (standing(), ASKED, Verdict.COUNTS, "rated"),
    "a rating of another wording": (
        standing(), ASKED_OTHERWISE, Verdict.SHOWN_OTHERWISE, "withdrawn",
    ),
    "a rating under a longer time": (standing(), LONGER, Verdict.SHOWN_OTHERWISE, "withdrawn"),
    "another wording of a case rated elsewhere": (
        standing(case_rated=True), ASKED_OTHERWISE, Verdict.SHOWN_OTHERWISE, "withdrawn",
    ),
    "an expiry of another wording": (
        standing(), EXPIRED_OTHERWISE, Verdict.SHOWN_OTHERWISE, "withdrawn",
    ),
    "a withdrawal of another wording": (
        standing(), WITHDRAWN_OTHERWISE, Verdict.SHOWN_OTHERWISE, "withdrawn",
    ),
    "another wording after the end": (
        ended("expired", OTHER), ASKED_OTHERWISE, Verdict.CLOSED, None,
    ),
    "a list that nobody has": (standing(), NO_SUCH_LIST, Verdict.UNKNOWN_REASON, "withdrawn"),
}  # fmt: skip


@pytest.mark.parametrize(("known", "outcome", "verdict", "ends"), TABLE.values(), ids=TABLE)
def test_verdict(known, outcome, verdict, ends):
    """Each outcome gets exactly the verdict of the table, and ends its invitation as it says."""
    assert settle(known, outcome) == Ruling(verdict, ends)


@pytest.mark.parametrize("cause", CLOSING)
def test_what_was_refused_is_refused_again_and_is_no_news(cause):
    """The same bytes get the same word, whatever they say; those of another device do not."""
    known = standing(outcome_id=MINE, refused=cause)
    assert settle(known, GOOD) == Ruling(cause, news=False)
    strange = standing(device="k2", outcome_id=MINE, refused=cause)
    assert settle(strange, GOOD) == Ruling(Verdict.FOREIGN)


def test_table_is_whole():
    """No verdict is missing from the table."""
    assert {row[2] for row in TABLE.values()} == set(Verdict)
