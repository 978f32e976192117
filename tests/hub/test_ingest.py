"""What comes from kiosks: it counts once or is refused with a reason, and only then answered."""

import json
import sqlite3

import pytest
from msgspec.structs import replace
from world_hall import (
    KEYS,
    NOW,
    OTHER_WINDOW,
    TTL_MS,
    Hall,
    an_invitation,
    expired,
    new_id,
    rated,
    withdrawn,
)

from hub.store import ledger
from protocol import signing, wire
from protocol.messages import Shown, Stamp


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


@pytest.fixture
def invited(hall):
    return hall.invite().status.id


def test_a_rating_counts(hall, invited):
    """A rating in time is in the ledger as it was signed, on its way to the city, receipted."""
    outcome = rated(invited, level=2, reasons=("207",), comment="示例")
    jws = hall.send(outcome)
    assert hall.rows("SELECT outcome, seq, body FROM ledger WHERE kind = 'rated'") == [
        (outcome.id, outcome.seq, jws)
    ]
    assert hall.rows("SELECT kind, serial FROM deliveries WHERE kind = 'rating'") == [
        ("rating", "SL0001")
    ]
    assert (hall.committed(), hall.refused(), hall.settled) == ([outcome.id], [], [{"k1"}])
    assert hall.ask(hall.desk.invitation(invited)).state == "rated"


@pytest.mark.parametrize("build", [rated, expired, withdrawn])
def test_three_deliveries_count_once(hall, invited, build):
    """The same outcome three times is one entry, one delivery at most, and three receipts."""
    outcome = build(invited)
    jws = signing.sign(outcome, KEYS["k1"])
    for _ in range(3):
        hall.hand_in(jws)
    kind = build.__name__
    assert hall.ledger(invited) == [kind]
    assert hall.committed() == [outcome.id] * 3
    ratings = hall.rows("SELECT count(*) FROM deliveries WHERE kind = 'rating'")[0][0]
    assert ratings == (1 if kind == "rated" else 0)
    assert hall.account("k1").balanced
    assert not hall.counted()


def test_three_deliveries_in_one_group_count_once(hall, invited):
    """Repeats that are committed together are told apart as well."""
    outcome = rated(invited)
    jws = signing.sign(outcome, KEYS["k1"])
    for _ in range(3):
        hall.ingest.outcome("k1", jws)
    hall.quiet()
    assert hall.ledger() == ["rated"]
    assert hall.committed() == [outcome.id] * 3


def test_a_tap_before_the_withdrawal_counts(hall, invited):
    """The window asked it back, but the citizen had tapped: the kiosk's word decides."""
    assert hall.ask(hall.desk.withdraw("1号窗口")).withdrawal_requested
    hall.send(rated(invited))
    assert hall.ledger(invited) == ["rated"]


def refused_before(hall, invited):
    """Another service of the hall has been closed already by its kiosk."""
    hall.send(withdrawn(invited))
    return rated(invited)


def of_another_device(hall, invited):
    return rated(hall.invite(OTHER_WINDOW, "SL0002").status.id)


def of_nobody(hall, invited):
    return rated(new_id())


@pytest.mark.parametrize(
    ("build", "cause"),
    [(of_nobody, "foreign"), (of_another_device, "foreign"), (refused_before, "closed")],
)
def test_what_names_no_open_invitation_of_its_device(hall, invited, build, cause):
    """It is refused with a reason, counted, kept as evidence, and nothing else changes."""
    outcome = build(hall, invited)
    before = hall.rows("SELECT * FROM ledger"), hall.account()
    jws = hall.send(outcome)
    assert hall.refused() == [(outcome.id, cause)]
    assert hall.counted() == {("k1", cause): 1}
    assert hall.evidence() == [("k1", cause, jws)]
    assert (hall.rows("SELECT * FROM ledger"), hall.account()) == before


@pytest.mark.parametrize(
    ("change", "cause", "ends"),
    [
        ({"elapsed_ms": TTL_MS + 1_001}, "late", "expired"),
        ({"level": 1, "reasons": ("199",)}, "unknown_reason", "withdrawn"),
        ({"catalogue": "1999.1"}, "unknown_reason", "withdrawn"),
    ],
)
def test_a_refused_rating_closes_its_invitation(hall, invited, change, cause, ends):
    """It never counts, at whichever repeat; the hub closes the invitation and keeps the proof."""
    outcome = rated(invited, **change)
    jws = hall.send(outcome)
    assert hall.refused() == [(outcome.id, cause)]
    assert hall.ledger(invited) == [ends]
    body = hall.rows("SELECT body FROM ledger WHERE outcome = ?", outcome.id)[0][0]
    assert json.loads(body) == {"refused": cause, "jws": jws.decode()}
    hall.hand_in(jws)
    assert hall.committed() == []
    assert hall.refused() == [(outcome.id, cause)] * 2  # for the same cause, and counted once
    assert hall.counted() == {("k1", cause): 1}
    assert hall.ledger(invited) == [ends]
    assert hall.rows("SELECT count(*) FROM deliveries WHERE kind = 'rating'") == [(0,)]
    assert hall.evidence() == [("k1", cause, jws)]
    assert hall.account("k1").balanced


def test_another_word_under_the_id_of_a_refused_rating_is_news(hall, invited):
    """Only the very same bytes are the same."""
    late = rated(invited, elapsed_ms=TTL_MS + 1_001)
    hall.send(late)
    hall.send(replace(late, elapsed_ms=1000))
    assert hall.refused() == [(late.id, "late"), (late.id, "closed")]
    assert hall.counted() == {("k1", "late"): 1, ("k1", "closed"): 1}


def test_a_second_rating_of_a_service_is_kept_and_goes_nowhere(hall):
    """A kiosk was cut off, and the citizen was asked again at another: both were thanked."""
    first, second = an_invitation(), an_invitation()
    hall.issue(first)
    hall.issue(second, device="k2")
    hall.send(rated(first.id))
    again = rated(second.id, device="k2")
    hall.send(again)
    assert hall.refused("k2") == []
    assert hall.committed("k2") == [again.id]
    assert hall.ledger() == ["rated", "rated"]
    assert hall.account().balanced
    assert hall.rows("SELECT count(*) FROM deliveries WHERE kind = 'rating'") == [(1,)]
    assert hall.rows("SELECT position FROM deliveries WHERE kind = 'rating'") == hall.rows(
        "SELECT min(position) FROM ledger WHERE kind = 'rated'"
    )


def test_shown_is_noted_for_its_own_device_once(hall, invited):
    """The first `shown` of the invitation's device is noted, of another it changes nothing."""
    shown = wire.encode(Shown(invitation=invited, stamp=Stamp(boot="0" * 32, mono_ms=1)))
    hall.ingest.shown("k2", shown)
    hall.quiet()
    assert not hall.ask(hall.desk.invitation(invited)).shown
    for later in (5, 9):
        hall.now = NOW + later
        hall.ingest.shown("k1", shown)
        hall.quiet()
    assert hall.rows("SELECT shown_at FROM invitations") == [(NOW + 5,)]
    hall.ingest.shown("k1", b"{}")
    hall.quiet()
    assert hall.counted() == {("k1", "malformed"): 1}


def fill(hall):
    """Leave no room in the file, not even in its last pages."""
    limit = hall.db.conn.execute("PRAGMA page_count").fetchone()[0]
    hall.writer.call(lambda db: db.conn.execute(f"PRAGMA max_page_count = {limit}").fetchone())
    for size in (1000, 100, 10, 1):
        matter = "示" * (size // 10 + 1)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            hall.issue_for_ever(matter)


def test_a_full_disk_gives_no_receipt(hall, invited, caplog):
    """Without space nothing is acknowledged; once there is space, saying it again commits it."""
    fill(hall)
    outcome = rated(invited, level=1, reasons=("108",), comment="示" * 150)
    jws = signing.sign(outcome, KEYS["k1"])
    for _ in range(3):
        hall.hand_in(jws)
    assert hall.receipts == []
    assert hall.ledger() == []
    assert caplog.text.count("commit=failed") == 1
    hall.writer.call(lambda db: db.conn.execute("PRAGMA max_page_count = 1000000").fetchone())
    hall.hand_in(jws)
    assert hall.ledger() == ["rated"]
    assert hall.committed() == [outcome.id]
    assert hall.account().balanced
    hall.hand_in(jws)
    assert caplog.text.count("commit=works-again") == 1


def test_a_busy_hub_gives_no_receipt(tmp_path):
    """What the writer has no room for is not acknowledged, and commits when it is said again."""
    with Hall(tmp_path, limit=4) as hall:
        waiting = [an_invitation(f"SL{number}") for number in range(30)]
        hall.issue(*waiting)
        messages = [signing.sign(rated(each.id), KEYS["k1"]) for each in waiting]
        rounds = 0
        while hall.account().open:
            rounds += 1
            assert rounds < 1000
            for jws in messages:
                hall.ingest.outcome("k1", jws)
            hall.quiet_or_broken()
        hall.quiet()
        assert set(hall.committed()) == {
            name for (name,) in hall.rows("SELECT outcome FROM ledger WHERE kind = 'rated'")
        }
        assert hall.account().rated == 30


def test_gaps_in_the_numbering_are_seen(hall):
    """The hub knows at once how many numbers of a device have not arrived."""
    waiting = [an_invitation(f"SL{number}") for number in range(3)]
    hall.issue(*waiting)
    for invitation, seq in zip(waiting, (1, 2, 5), strict=True):
        hall.send(rated(invitation.id, seq=seq))
    assert ledger.missing(hall.reader) == {"k1": 2}
