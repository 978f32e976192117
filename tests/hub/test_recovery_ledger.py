"""A hub restored from a backup takes back what it has lost, and nothing that it never issued."""

import json
from contextlib import closing

import pytest
from msgspec.structs import replace
from world_hall import KEYS, NOW, Hall, a_case, an_invitation, expired, rated

from hub.ingest import Ingest
from hub.kiosks.keys import pem_of
from hub.store import answers, cases, deliveries, keys, recovery
from hub.store.database import connect, migrate
from hub.store.vault import Vault, load_or_create
from hub.verification import report, sources
from protocol import signing

SINCE = NOW + 1_000
VAULT = Vault(b"k" * 32)


class Restored(Hall):
    """A hall whose hub has just been restored from a backup that knows `k1`."""

    def __init__(self, folder, vault=VAULT):
        with closing(connect(folder / "hub.db")) as db:
            migrate(db)
            with db.atomic():
                keys.remember(db, "k1", pem_of(KEYS["k1"].public_key()), NOW)
            recovery.begin(db, since=SINCE, made_at=NOW, checkpoint="")
        super().__init__(folder)
        self.now = SINCE + 5
        self.ingest = Ingest(
            self.writer,
            {device: key.public_key() for device, key in KEYS.items()},
            now=self.clock,
            acknowledge=lambda device, receipt: self.receipts.append((device, receipt)),
            settled=self._settle,
            vault=vault,
        )

    def asks(self, device):
        return recovery.of(self.reader, device)

    def resent(self, device, since=SINCE):
        self.ingest.resent(device, since)
        self.quiet()

    def notes(self):
        rows = self.rows("SELECT body FROM ledger WHERE kind = 'settings' ORDER BY position")
        return [json.loads(body)["recovery"] for (body,) in rows]

    def learn(self, device):
        """Know a kiosk that was enrolled after the backup."""
        key = pem_of(KEYS[device].public_key())
        self.writer.call(lambda db: keys.remember(db, device, key, NOW))

    def findings(self):
        """What a verification of the ledger finds."""
        found = []
        report.verify(sources.live(self.reader, None), found.append)
        report.around(self.reader, found.append)
        return [str(finding) for finding in found if finding.grave]


@pytest.fixture
def hall(tmp_path):
    with Restored(tmp_path) as hall:
        yield hall


def lost(device="k1", **change):
    """An invitation that the hub issued after the backup was made."""
    return recovery.sealed(VAULT, device, an_invitation(**change))


# ---------------------------------------------------------------- what comes back


@pytest.mark.parametrize("build", [rated, expired])
def test_a_lost_outcome_comes_back_with_its_invitation(hall, build):
    """It is entered as what it is, marked as brought back, and all accounts agree."""
    asked = lost()
    outcome = build(asked.id, asked=asked)
    jws = signing.sign(outcome, KEYS["k1"])
    for _ in range(3):
        hall.hand_in(jws)
    assert hall.committed() == [outcome.id] * 3
    assert hall.ledger(asked.id) == ["settings", build.__name__]
    assert hall.notes() == ["begun", "reentered"]
    assert hall.rows("SELECT body FROM ledger WHERE outcome = ?", outcome.id) == [(jws,)]
    assert hall.account("k1").balanced
    assert hall.findings() == []


def test_a_kiosk_that_came_after_the_backup_is_heard_as_well(hall):
    """The backup does not know it; the hub knows its key, and its own seal."""
    asked = lost("k2")
    outcome = rated(asked.id, device="k2", asked=asked)
    hall.send(outcome)
    assert hall.committed("k2") == [outcome.id]
    hall.resent("k2")
    assert hall.asks("k2") is None
    assert hall.asks("k1") is not None


def test_what_was_refused_then_is_refused_now(hall):
    """A late rating comes back as what it was: an expiry, with the proof."""
    asked = lost()
    outcome = rated(asked.id, asked=asked, elapsed_ms=asked.ttl_ms + 5_000)
    hall.send(outcome)
    assert hall.refused() == [(outcome.id, "late")]
    assert hall.ledger(asked.id) == ["settings", "expired"]
    assert hall.findings() == []


def test_a_lost_case_is_wanted_again_and_then_both_go_to_the_city(hall):
    """The rating waits, with words that say what to do; the case goes before it."""
    asked = lost(serial="SL0009")
    hall.send(rated(asked.id, asked=asked))
    [(state, reason)] = hall.rows("SELECT state, reason FROM deliveries WHERE kind = 'service'")
    assert state == "set_aside"
    assert "重新登记" in reason
    [rating] = deliveries.due(hall.reader, SINCE * 2, 10)
    assert (rating.kind, rating.service_state) == ("rating", "set_aside")
    hall.writer.call(lambda db: answers.set_aside(db, rating.id, "x", hall.now))

    def again(db):
        cases.put(db, VAULT, a_case("SL0009"), hall.now)
        return deliveries.again(db, "SL0009", 1, hall.now)

    assert hall.writer.call(again) == 2
    [first] = deliveries.due(hall.reader, SINCE * 2, 10)
    assert first.kind == "service"
    hall.writer.call(lambda db: answers.accepted(db, first.id, hall.now, "exists"))
    [second] = deliveries.due(hall.reader, SINCE * 2, 10)
    assert (second.kind, second.service_state) == ("rating", "accepted")
    assert deliveries.counts(hall.reader).set_aside == 0


def test_a_case_that_the_backup_has_needs_no_one(hall):
    hall.writer.call(lambda db: cases.put(db, VAULT, a_case("SL0009"), hall.now))
    asked = lost(serial="SL0009")
    hall.send(rated(asked.id, asked=asked))
    states = hall.rows("SELECT kind, state FROM deliveries ORDER BY id")
    assert states == [("service", "waiting"), ("rating", "waiting")]


# ---------------------------------------------------------------- what a kiosk cannot do


def of_another_kiosk(asked):
    return recovery.sealed(VAULT, "k2", asked)


def made_up(asked):
    return replace(asked, seal="")


def made_up_with_a_seal(asked):
    return replace(asked, seal="0" * 32)


def another_case(asked):
    return replace(asked, serial="SL7777")


def another_matter(asked):
    return replace(asked, matter="另一个事项")


def by_another_hub(asked):
    return recovery.sealed(Vault(b"o" * 32), "k1", asked)


@pytest.mark.parametrize(
    "forge",
    [of_another_kiosk, made_up, made_up_with_a_seal, another_case, another_matter, by_another_hub],
)
def test_what_the_hub_never_issued_to_this_kiosk_stays_foreign(hall, forge):
    """Its key signs whatever it likes; the seal is the hub's, and is of one kiosk."""
    asked = forge(lost())
    before = hall.rows("SELECT * FROM ledger")
    outcome = rated(asked.id, asked=asked)
    jws = hall.send(outcome)
    assert hall.refused() == [(outcome.id, "foreign")]
    assert hall.evidence() == [("k1", "foreign", jws)]
    assert hall.rows("SELECT * FROM ledger") == before


def test_an_outcome_that_does_not_say_what_was_asked_stays_foreign(hall):
    outcome = rated(lost().id)
    hall.send(outcome)
    assert hall.refused() == [(outcome.id, "foreign")]


def test_a_service_rated_twice_in_the_lost_time_goes_to_the_city_once(hall):
    """Two true invitations of one service: both stand in the ledger, the first word goes on."""
    mine, other = lost(serial="SL5"), lost("k2", serial="SL5")
    hall.learn("k2")
    hall.send(rated(mine.id, asked=mine))
    outcome = rated(other.id, device="k2", asked=other, level=1)
    hall.send(outcome)
    assert hall.refused("k2") == []
    assert hall.account().rated == 2
    assert hall.rows("SELECT count(*) FROM deliveries WHERE kind = 'rating'") == [(1,)]
    assert hall.findings() == []


def test_after_the_end_nothing_is_entered_any_more(hall):
    hall.resent("k1")
    asked = lost()
    outcome = rated(asked.id, asked=asked)
    hall.send(outcome)
    assert hall.refused() == [(outcome.id, "foreign")]
    assert hall.notes() == ["begun", "ended"]


def test_without_the_key_to_the_seal_nothing_is_believed(tmp_path):
    with Restored(tmp_path, vault=None) as hall:
        asked = lost()
        outcome = rated(asked.id, asked=asked)
        hall.send(outcome)
        assert hall.refused() == [(outcome.id, "foreign")]


def test_while_the_key_cannot_be_read_nothing_is_answered(tmp_path):
    """The kiosk keeps what it has and says it again: a refusal would be for good."""
    path = tmp_path / "citizens.key"
    vault = load_or_create(path)
    with Restored(tmp_path, vault=vault) as hall:
        asked = recovery.sealed(vault, "k1", an_invitation())
        outcome = rated(asked.id, asked=asked)
        jws = signing.sign(outcome, KEYS["k1"])
        path.rename(tmp_path / "away")
        hall.hand_in(jws)
        assert hall.receipts == []
        (tmp_path / "away").rename(path)
        hall.hand_in(jws)
        assert hall.committed() == [outcome.id]


# ---------------------------------------------------------------- beginning and end


def test_the_word_of_another_recovery_ends_nothing(hall):
    """A kiosk may still hold what it has told an earlier restored hub."""
    hall.resent("k1", SINCE - 1)
    assert hall.asks("k1").since == SINCE
    hall.resent("k1")
    hall.resent("k1")
    assert hall.asks("k1") is None
    assert hall.notes() == ["begun", "ended"]


def test_hall_it_can_end_it_for_those_that_never_come_back(hall):
    assert recovery.waited_for(hall.reader) == ["k1"]
    with closing(connect(hall.path)) as db:
        assert recovery.finish(db, SINCE) == ["k1"]
        assert recovery.finish(db, SINCE) is None
    assert (hall.asks("k1"), hall.asks("k2")) == (None, None)
    assert hall.notes() == ["begun", "ended"]


def test_a_hub_that_never_lost_its_disk_asks_nobody(tmp_path):
    with Hall(tmp_path) as hall:
        assert recovery.of(hall.reader, "k1") is None
        assert recovery.waited_for(hall.reader) is None


def test_a_second_restoration_begins_anew(hall):
    hall.resent("k1")
    with closing(connect(hall.path)) as db:
        recovery.begin(db, since=SINCE + 9, made_at=NOW, checkpoint="")
    assert hall.asks("k1").since == SINCE + 9


NUMBERS = {
    "none": ((), 0),
    "a few": (range(1, 11), 0),
    "many": (range(1, 201), 200 - recovery.IN_FLIGHT),
    "a gap of a draft": ((*range(1, 100), *range(101, 201)), 99),
    "two gaps": ((1, 2, 4, 5, *range(7, 201)), 2),
    "a first one missing": (range(2, 201), 0),
    "out of order": ((*range(1, 190), 195, 191, 190), 190 - recovery.IN_FLIGHT),
    "begun anew": ((*range(1, 501), *range(1, 31)), 0),
    "begun anew, long ago": ((*range(1, 501), *range(1, 481)), 480 - recovery.IN_FLIGHT),
}


@pytest.mark.parametrize(("numbers", "after"), NUMBERS.values(), ids=NUMBERS)
def test_from_which_number_on_it_asks(tmp_path, numbers, after):
    """Never above what may be lost: too much is only said once more, too little is gone."""
    with closing(connect(tmp_path / "hub.db")) as db:
        migrate(db)
        with db.atomic():
            for number in numbers:
                db.conn.execute(
                    "INSERT INTO ledger (kind, recorded_at, device, invitation, seq, body)"
                    " VALUES ('expired', 0, 'k1', 'x', ?, x'')",
                    (number,),
                )
        recovery.begin(db, since=SINCE, made_at=NOW, checkpoint="")
        found = recovery.of(db, "k1")
        assert (found.after, found.since) == (after, SINCE)
