import time

import pytest
from upstream_world import Hub, a_rating, keep_rating, verify

from hub.store import answers, backlog, deliveries


@pytest.fixture
def hub(tmp_path):
    hub = Hub(tmp_path)
    yield hub
    hub.close()


FAR = 1 << 53


def heads(hub, at=FAR, limit=100):
    return [(d.serial, d.service_number, d.kind) for d in deliveries.due(hub.reader, at, limit)]


def test_of_a_serial_only_the_first_in_line_is_due(hub):
    """First in, first out, each on its own."""
    hub.case("A", 1)
    hub.rate("A", 1)
    hub.case("A", 2)
    hub.case("B", 1)
    seen = []
    while line := deliveries.due(hub.reader, FAR, 10):
        seen.append([(d.serial, d.service_number, d.kind) for d in line])
        for d in line:
            hub.writer.call(lambda db, d=d: answers.accepted(db, d.id, 1))
    assert seen == [
        [("A", 1, "service"), ("B", 1, "service")],
        [("A", 1, "rating")],
        [("A", 2, "service")],
    ]


def test_a_failed_attempt_holds_up_its_own_case_until_its_time(hub):
    """The rating behind it waits too; the next wake-up is that time."""
    hub.case("A")
    hub.rate("A")
    (first,) = deliveries.due(hub.reader, FAR, 10)
    hub.writer.call(lambda db: answers.retry(db, first.id, FAR - 5, "HTTP 500"))
    assert heads(hub, FAR - 6) == []
    assert deliveries.next_at(hub.reader, 0) == FAR - 5
    assert deliveries.next_at(hub.reader, FAR) is None
    (again,) = deliveries.due(hub.reader, FAR - 5, 10)
    assert (again.kind, again.attempts) == ("service", 1)
    assert hub.row("A", "service") == ("waiting", "HTTP 500", 1)


def test_what_is_settled_stays_settled(hub):
    """A late word about an accepted record changes nothing."""
    hub.case("A")
    (d,) = deliveries.due(hub.reader, FAR, 10)
    hub.writer.call(lambda db: answers.accepted(db, d.id, 1))
    hub.writer.call(lambda db: answers.set_aside(db, d.id, "x", 2))
    hub.writer.call(lambda db: answers.retry(db, d.id, 3, "x"))
    hub.writer.call(lambda db: deliveries.retry_set_aside(db, 3))
    assert hub.row("A", "service") == ("accepted", "", 0)


def test_a_delivery_carries_the_case_and_the_rating_as_signed(hub):
    """The citizen's data are unsealed, the rating is read from the ledger."""
    hub.case("A")
    rated = hub.rate("A", level=4, reasons=("406",))
    (service,) = deliveries.due(hub.reader, FAR, 10)
    parcel = deliveries.load(hub.reader, hub.vault, service)
    assert parcel.case.applicant.name == "示例甲"
    assert parcel.invitation is None
    hub.writer.call(lambda db: answers.accepted(db, service.id, 1))
    (rating,) = deliveries.due(hub.reader, FAR, 10)
    assert rating.service_state == "accepted"
    parcel = deliveries.load(hub.reader, hub.vault, rating)
    assert verify(parcel.device, parcel.jws) == rated
    assert parcel.invitation.id == rated.invitation
    assert parcel.recorded_at > 0


def test_what_is_not_there_cannot_be_carried(hub):
    """No case or no ledger entry: said so, never guessed."""
    hub.writer.call(lambda db: keep_rating(db, "NONE", 1, a_rating(), 1))
    hub.case("A")
    hub.writer.call(
        lambda db: db.execute(
            "INSERT INTO deliveries (serial, service_number, kind, position, next_at, queued_at) "
            "VALUES ('A', 2, 'rating', 999, 1, 1)"
        )
    )
    by_key = {}
    while line := deliveries.due(hub.reader, FAR, 10):
        for d in line:
            by_key[d.serial, d.service_number, d.kind] = d
            hub.writer.call(lambda db, d=d: answers.accepted(db, d.id, 1))
    assert deliveries.load(hub.reader, hub.vault, by_key["NONE", 1, "rating"]) is None
    assert by_key["NONE", 1, "rating"].service_state is None
    assert deliveries.load(hub.reader, hub.vault, by_key["A", 2, "rating"]) is None


def test_a_hundred_thousand_waiting_records_cost_no_more_than_a_few(hub):
    """Looking for what is due, when the next comes and how it stands all use an index."""

    def fill(db):
        db.conn.executemany(
            "INSERT INTO deliveries (serial, service_number, kind, next_at, queued_at) "
            "VALUES (?, 1, ?, ?, 0)",
            (
                (f"SL{n:06}", kind, 1_000 + n)
                for n in range(50_000)
                for kind in ("service", "rating")
            ),
        )

    hub.writer.call(fill)
    assert hub.counts().waiting == 100_000
    began = time.thread_time()
    for _ in range(20):
        assert len(deliveries.due(hub.reader, FAR, 16)) == 16
        assert deliveries.next_at(hub.reader, 30_000) == 30_001
        hub.counts()
    assert (time.thread_time() - began) / 20 < 0.02
    for query, values in ((deliveries._DUE, (FAR, 16)), (deliveries._NEXT, (0,))):
        plan = [row[3] for row in hub.reader.execute(f"EXPLAIN QUERY PLAN {query}", values)]
        assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step]


def test_what_was_set_aside_goes_again_with_its_rating(hub):
    """A corrected case takes its rating along; other cases are left alone."""
    hub.case("A")
    hub.rate("A")
    hub.case("B")
    for d in deliveries.due(hub.reader, FAR, 10):
        hub.writer.call(lambda db, d=d: answers.set_aside(db, d.id, "示例原因", 1))
    assert hub.counts().set_aside == 3
    assert hub.writer.call(lambda db: deliveries.again(db, "A", 1, 2)) == 2
    assert [each.serial for each in backlog.records(hub.reader, "set_aside", 9)] == ["B"]
    assert hub.writer.call(lambda db: deliveries.retry_set_aside(db, 2)) == 1
