"""What citizens add (追评) in the ledger: what `verify` says of tampering, and how it is erased."""

import asyncio
import hashlib
import sqlite3
from contextlib import closing

import msgspec
import pytest
from citizens_world import WORDS, Town
from receipts_world import LEDGER

from hub.citizens import receipts, rotation
from hub.citizens.receipts import Receipts
from hub.citizens.retention import NotErasable, Result, plan
from hub.rules.afterwards import Added
from hub.rules.retention import Retention, own_part, words_of
from hub.store import ledger
from hub.store.database import connect
from hub.verification import report, sources

MORE = "后来又来了一次，还是没有人理我，请处理"
YEAR = Retention(comments_days=365)


class Village(Town):
    """A town whose citizens add to their ratings."""

    def __init__(self, folder):
        super().__init__(folder)
        self.citizens = Receipts(self.path, self.writer, self.vault, LEDGER, now=self.clock)

    def add(self, invitation, text=MORE):
        token = receipts.token(self.vault, invitation)
        answer = asyncio.run(self.citizens.add(token, text))
        assert answer == "added"

    def visited(self, number, text=MORE, **change):
        """A citizen comes, rates and adds; the invitation is returned."""
        invitation = self.case(number)
        self.rate(invitation, **change)
        self.add(invitation, text)
        return invitation

    def verified(self):
        """What a verification finds where the hub's key can be read."""
        found = []
        with closing(connect(self.path)) as db:
            report.verify(sources.live(db, None, sources.vault_at(self.key)), found.append)
            report.around(db, found.append)
        return found

    def bodies(self):
        return [bytes(b) for (b,) in self.rows("SELECT body FROM ledger WHERE kind = 'added'")]


@pytest.fixture
def town(tmp_path):
    with Village(tmp_path) as town:
        yield town


def tampered(town, *deeds):
    """Drop the guards and do it, as an insider would; return what is found, in order."""
    town.quiet()
    with closing(connect(town.path)) as db:
        for (name,) in db.conn.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            db.conn.execute(f"DROP TRIGGER {name}")
        for deed in deeds:
            deed(db)
        db.conn.commit()
    return [f.what for f in town.verified() if f.what != "guards"]


def test_an_honest_ledger_with_additions_has_nothing_wrong(town):
    """Before the rating, after it, on what expired, erased."""
    town.visited(1)
    early = town.case(2)
    town.add(early)
    town.rate(early)
    late = town.case(3)
    town.add(late)
    town.rate(late, elapsed_ms=10_000_000)
    town.city_takes_all()
    town.erase("SL000001")
    assert len(town.bodies()) == 3
    assert b"" in town.bodies()
    assert town.verified() == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, ["mark", "added_twice"]),
        ({"invitation": "f" * 32}, ["mark", "invitation"]),
        ({"invitation": "f" * 32, "device": "k1"}, ["mark", "fields", "invitation"]),
        ({"invitation": "f" * 32, "outcome": "0" * 32}, ["mark", "fields", "invitation"]),
        ({"invitation": "f" * 32, "seq": 9}, ["mark", "fields", "invitation"]),
    ],
)
def test_an_addition_that_was_put_in_is_named(town, change, found):
    """A second one, one on no invitation, one that is passed off as a kiosk's word."""
    invitation = town.visited(1)
    fields = {
        "kind": "added",
        "recorded_at": town.now,
        "device": "",
        "invitation": invitation,
        "body": msgspec.json.encode(Added(text=MORE)),
    }
    entry = ledger.Entry(**(fields | change))
    assert tampered(town, lambda db: ledger.append(db, entry)) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"{}", ["body"]),
        (b"\xff", ["body"]),
        (b"[]", ["body"]),
        (b"hi", ["body"]),
        (b'{"text":""}', ["body"]),
        (b'{"text":" "}', ["body", "mark"]),
        (b'{"text":"%s"}' % (b"a" * 151), ["body"]),
    ],
)
def test_an_addition_that_cannot_have_been_written_is_named(town, body, found):
    """Unreadable, empty, too long."""
    town.visited(1)

    def edit(db):
        db.conn.execute("UPDATE ledger SET body = ? WHERE kind = 'added'", (body,))

    assert tampered(town, edit) == found


def insert(town, invitation, body):
    """Enter an addition with INSERT alone, as somebody who can write the file; guards stand."""
    town.quiet()
    with closing(connect(town.path)) as db, db.atomic():
        return db.conn.execute(
            "INSERT INTO ledger (kind, recorded_at, device, invitation, body)"
            " VALUES ('added', ?, '', ?, ?)",
            (town.now, invitation, body),
        ).lastrowid


def test_an_addition_forged_by_inserts_alone_is_named(town):
    """Without a mark, with one that was made up, with that of another citizen's words."""
    town.visited(1)
    (honest,) = town.bodies()
    invitations = [town.case(number) for number in (2, 3, 4)]
    bodies = [
        '{"text":"伪造的追评"}'.encode(),
        msgspec.json.encode(Added(text="伪造的追评", mark="0" * 32)),
        honest,
    ]
    for invitation in invitations:
        town.rate(invitation)
    places = [insert(town, *each) for each in zip(invitations, bodies, strict=True)]
    found = town.verified()
    assert [(each.position, each.what, each.grave) for each in found] == [
        *((place, "mark", True) for place in places),
        *((place, "delivery", True) for place in places),
    ]
    assert str(found[0]) == f"✗ 第 {places[0]} 条：标记不对：不是本服务器登记的"


def test_marks_of_additions_stay_right_when_keys_are_changed(town):
    """Those from before and those from after; another hub's key fits none of them."""
    town.visited(1)
    old = town.key.read_bytes()
    town.writer.call(lambda db: rotation.renew(db, town.key, "sm4-gcm", town.now))
    assert town.key.read_bytes() != old
    town.visited(2)
    assert town.verified() == []
    town.key.write_bytes(b"x" * 32)
    assert {each.what for each in town.verified()} == {"mark"}


def test_words_that_vanish_without_their_entry_are_named(town):
    town.visited(1)

    def wipe(db):
        position, body = db.conn.execute(
            "SELECT position, body FROM ledger WHERE kind = 'added'"
        ).fetchone()
        digest = hashlib.sha256(body).digest()
        db.conn.execute("INSERT INTO erasures VALUES (?, ?, 1)", (position, digest))
        db.conn.execute("UPDATE ledger SET body = x'' WHERE position = ?", (position,))

    assert tampered(town, wipe) == ["body"]


def test_the_guards_keep_additions_from_being_altered(town):
    town.visited(1)
    town.quiet()
    with closing(connect(town.path)) as db, pytest.raises(sqlite3.IntegrityError):
        db.conn.execute("UPDATE ledger SET body = x'7b7d' WHERE kind = 'added'")


# ------------------------------------------------------------ erasing


def test_an_erased_citizens_additions_are_nowhere_in_the_files(town):
    """With the rating's own words; the ledger stays whole, others keep theirs."""
    town.visited(1, comment=WORDS, level=1, reasons=("108",))
    town.visited(2, "另一个人说的话，应当留着不动")
    town.city_takes_all()
    assert MORE.encode() in town.raw()
    assert town.erase("SL000001") == Result(citizens=1, words=2, evidence=0)
    assert MORE.encode() not in town.raw()
    assert "另一个人说的话".encode() in town.raw()
    assert town.verified() == []


def test_an_addition_that_the_city_has_not_got_is_not_erased(town):
    """It waits: the clerk is told to send it first."""
    invitation = town.case(1)
    town.rate(invitation)
    town.city_takes_all()
    town.add(invitation)
    with pytest.raises(NotErasable, match="等待报送"):
        town.erase("SL000001")
    town.after(500)
    town.opens()
    assert plan(town.state, YEAR, town.now).words == 0
    assert town.bodies() != [b""]


@pytest.mark.parametrize(("days", "erased"), [(364, 0), (366, 1)])
def test_additions_are_erased_when_their_time_is_over(town, days, erased):
    """Counted from when the city has had them."""
    town.visited(1)
    town.city_takes_all()
    town.after(days)
    town.opens()
    assert plan(town.state, YEAR, town.now).words == erased
    assert town.run(YEAR).words == erased
    assert (town.bodies() == [b""]) == bool(erased)
    assert (MORE.encode() in town.raw()) == (not erased)
    assert town.verified() == []
    assert town.run(YEAR).words == 0


def test_additions_that_are_not_for_the_city_are_erased_by_their_age(town):
    """On an invitation that expired; one that is open keeps them."""
    late, still_open = town.case(1), town.case(2)
    town.add(late)
    town.add(still_open, "还没有评价，先写几句话")
    town.rate(late, elapsed_ms=10_000_000)
    town.city_takes_all()
    town.after(366)
    town.opens()
    assert town.run(YEAR).words == 1
    assert MORE.encode() not in town.raw()
    assert "先写几句话".encode() in town.raw()
    assert town.verified() == []


def test_terms_that_keep_words_keep_additions(town):
    town.visited(1)
    town.city_takes_all()
    town.after(5_000)
    town.opens()
    assert town.run(Retention(citizens_days=1)).words == 0
    assert town.bodies() != [b""]


@pytest.mark.parametrize("text", ["字", MORE, "长" * 150, '引号"和\n换行\\'])
def test_words_of_an_addition_are_found_in_its_body(text):
    """Whatever of them could be found elsewhere, is looked for."""
    body = msgspec.json.encode(Added(text=text))
    assert words_of(body) == text
    assert own_part(body) in body
    assert text[:1].encode() in own_part(body)


@pytest.mark.parametrize("body", [b'{"text":', b'{"text":1}', b'{"text":"', b"{}", b'{"text":""}'])
def test_what_is_no_addition_has_no_words(body):
    assert words_of(body) == ""
