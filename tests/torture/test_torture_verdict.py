"""The account at the end finds what is lost, doubled, altered or invented; else it says nothing."""

import json
import sqlite3
from contextlib import closing

import pytest
from cryptography.hazmat.primitives import serialization

from bench.torture.field import AtRisk, Restored
from bench.torture.report import Outcome, summary
from bench.torture.truth import Notebook, read
from bench.torture.verdict import judge
from protocol import signing
from protocol.messages import Expired, Rated, Stamp

DEVICE = "kiosk-01"
NAMES = [f"{number:032x}" for number in range(1, 9)]
MATTER, CLERK = "示例事项", "示例甲"


class Hall:
    """Three sources that agree, until a test spoils one of them."""

    def __init__(self, folder):
        self.key = signing.generate_key()
        self.pem = folder / "kiosk-01.pem"
        self.pem.write_bytes(
            self.key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        self.truth = folder / "truth.jsonl"
        self.book = Notebook(self.truth)
        self.hub = folder / "hub.db"
        self.city = folder / "city.jsonl"
        self.city.write_text("", encoding="utf-8")
        self.db = sqlite3.connect(self.hub)
        self.db.execute(
            "CREATE TABLE ledger (position INTEGER PRIMARY KEY, kind, device, invitation, body)"
        )

    def close(self):
        self.db.close()
        self.book.close()

    def invite(self, number):
        body = {
            "serial": f"S{number}",
            "service_number": 1,
            "matter": MATTER,
            "staff": {"name": CLERK},
        }
        self.enter("invited", NAMES[number], json.dumps(body).encode())

    def enter(self, kind, invitation, body):
        self.db.execute(
            "INSERT INTO ledger (kind, device, invitation, body) VALUES (?, ?, ?, ?)",
            (kind, DEVICE, invitation, body),
        )
        self.db.commit()

    def rate(self, number, level, reasons=(), comment="", key=None):
        rated = Rated(
            id=NAMES[number],
            device=DEVICE,
            seq=number + 1,
            invitation=NAMES[number],
            stamp=Stamp(boot=NAMES[0], mono_ms=1),
            level=level,
            reasons=reasons,
            comment=comment,
            catalogue="2021.1",
            elapsed_ms=500,
        )
        self.enter("rated", NAMES[number], signing.sign(rated, key or self.key))

    def expire(self, number):
        expired = Expired(
            id=NAMES[number],
            device=DEVICE,
            seq=number + 1,
            invitation=NAMES[number],
            stamp=Stamp(boot=NAMES[0], mono_ms=1),
            elapsed_ms=500,
        )
        self.enter("expired", NAMES[number], signing.sign(expired, self.key))

    def press(self, number, level, *codes, done=True):
        name = NAMES[number]
        self.book.note(name, "tap", level=level)
        if level > 2:
            self.book.note(name, "thanks")
        for code in codes:
            self.book.note(name, "choose", code=code)
        if level < 3:
            self.book.note(name, "submit")
            self.book.note(name, "thanks")
        if done:
            self.book.note(name, "done")
            self.book.note(name, "left")

    def arrive(self, number, level, *codes, comment=""):
        record = {"projectNo": f"S{number}", "serviceNumber": "1"}
        rating = record | {
            "satisfaction": str(level),
            "evalDetail": ",".join(codes),
            "writingEvaluation": comment,
            "taskName": MATTER,
            "proManager": CLERK,
        }
        with self.city.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n" + json.dumps(rating) + "\n")

    def whole(self, number, level, *codes):
        self.press(number, level, *codes)
        self.invite(number)
        self.rate(number, level, codes)
        self.arrive(number, level, *codes)

    def judge(self, **more):
        return judge({DEVICE: self.truth}, self.hub, self.city, {DEVICE: self.pem}, **more)


@pytest.fixture
def hall(tmp_path):
    with closing(Hall(tmp_path)) as made:
        yield made


def test_three_sources_that_agree_are_without_a_problem(hall):
    hall.whole(0, 5, "510", "517")
    hall.whole(1, 1, "108")
    hall.invite(2)
    hall.expire(2)
    found = hall.judge()
    assert found.problems == []
    assert (found.thanked, found.invited, found.rated, found.expired) == (2, 3, 2, 1)


def test_the_summary_explains_why_the_city_has_fewer_ratings_than_the_ledger(hall):
    """A bad level that was left without a reason is rated, not lost, and never sent."""
    hall.whole(0, 5, "510")
    hall.press(1, 1, done=False)
    hall.invite(1)
    hall.rate(1, 1)
    found = hall.judge()
    assert (found.problems, found.rated, found.city_ratings, found.incomplete) == ([], 2, 1, 1)
    told = summary(Outcome(1, 0, {}, {}, [], 1.0, 1.0, found))
    assert "城市平台收到评价 1\n差评未写明原因、按规定不报送 1\n" in told


def test_a_rating_that_is_missing_in_the_ledger_is_lost(hall):
    hall.press(0, 5)
    hall.invite(0)
    hall.expire(0)
    assert hall.judge().lost == 1


def test_a_rating_that_is_missing_at_the_city_is_lost(hall):
    hall.press(0, 5)
    hall.invite(0)
    hall.rate(0, 5)
    assert hall.judge().lost == 1


def test_a_tap_without_thanks_may_be_missing_or_there(hall):
    hall.book.note(NAMES[0], "tap", level=5)
    hall.invite(0)
    hall.expire(0)
    hall.book.note(NAMES[1], "tap", level=4)
    hall.invite(1)
    hall.rate(1, 4)
    hall.arrive(1, 4)
    assert hall.judge().problems == []


def test_a_rating_that_is_twice_at_the_city_or_in_the_ledger_is_duplicated(hall):
    hall.whole(0, 5)
    hall.arrive(0, 5)
    hall.whole(1, 4)
    hall.rate(1, 4)
    assert hall.judge().duplicated >= 2


@pytest.mark.parametrize(
    ("level", "codes", "words"), [(4, (), ""), (5, ("510",), "字"), (5, ("511",), "")]
)
def test_a_rating_that_came_other_than_pressed_is_altered(hall, level, codes, words):
    hall.press(0, 5, "510")
    hall.invite(0)
    hall.rate(0, level, codes, words)
    hall.arrive(0, level, *codes, comment=words)
    assert hall.judge().altered == 1


def test_a_rating_that_the_city_has_otherwise_than_the_ledger_is_altered(hall):
    hall.press(0, 5, "510")
    hall.invite(0)
    hall.rate(0, 5, ("510",))
    hall.arrive(0, 5, "511")
    assert hall.judge().altered == 1


def test_reasons_may_be_missing_only_while_they_were_not_promised(hall):
    hall.press(0, 5, "510", done=False)
    hall.invite(0)
    hall.rate(0, 5)
    hall.arrive(0, 5)
    found = hall.judge()
    assert (found.problems, found.cut_off) == ([], 1)
    hall.press(1, 5, "510")
    hall.invite(1)
    hall.rate(1, 5)
    hall.arrive(1, 5)
    assert hall.judge().altered == 1


def test_a_bad_rating_without_its_submitted_reason_is_altered(hall):
    hall.press(0, 1, "108", done=False)
    hall.invite(0)
    hall.rate(0, 1)
    assert hall.judge().altered == 1


def test_a_rating_that_nobody_pressed_is_invented(hall):
    hall.invite(0)
    hall.rate(0, 5)
    hall.arrive(0, 5)
    hall.arrive(1, 5)
    assert hall.judge().invented == 2


def test_what_was_taken_back_and_pressed_anew_counts_as_pressed_anew(hall):
    name = NAMES[0]
    hall.book.note(name, "tap", level=1)
    hall.book.note(name, "undo")
    hall.press(0, 5)
    hall.invite(0)
    hall.rate(0, 1)
    hall.arrive(0, 1)
    assert hall.judge().altered == 1


def test_a_press_that_the_screen_did_not_take_was_not_pressed(hall):
    hall.press(0, 5, done=False)
    hall.book.note(NAMES[0], "choose", code="510")
    hall.book.note(NAMES[0], "refused")
    hall.invite(0)
    hall.rate(0, 5, ("510",))
    hall.arrive(0, 5, "510")
    assert hall.judge().altered == 1


def test_an_entry_with_the_signature_of_another_key_is_a_problem(hall):
    hall.press(0, 5)
    hall.invite(0)
    hall.rate(0, 5, key=signing.generate_key())
    assert any("signature" in words for words in hall.judge().problems)


def test_an_invitation_without_an_outcome_is_a_problem(hall):
    hall.invite(0)
    found = hall.judge()
    assert found.open == 1
    assert found.problems


def test_what_lay_in_a_spoiled_outbox_is_lost_unless_there_was_an_alarm(hall):
    hall.press(0, 5)
    hall.invite(0)
    hall.expire(0)
    spoiled = frozenset({NAMES[0]})
    assert hall.judge(at_risk=[AtRisk(DEVICE, "cut", spoiled, alarmed=False)]).lost == 1
    alarmed = hall.judge(at_risk=[AtRisk(DEVICE, "cut", spoiled, alarmed=True)])
    assert (alarmed.problems, alarmed.lost_with_disk) == ([], 1)


def test_what_an_older_backup_does_not_know_is_counted_apart(hall):
    hall.press(0, 5)
    hall.arrive(0, 5)
    names, keys = frozenset({NAMES[0]}), frozenset({("S0", 1)})
    restored = Restored("cut", 3, rated=names, invitations=names, services=keys)
    found = hall.judge(restored=[restored])
    assert (found.problems, found.gone_with_backup) == ([], 1)


def test_a_line_that_a_kill_cut_off_in_the_notebook_spoils_no_other(tmp_path):
    path = tmp_path / "truth.jsonl"
    first = Notebook(path)
    first.note("a", "tap", level=5)
    first.close()
    with path.open("ab") as file:
        file.write(b'{"invitation": "a", "do": "cho')
    second = Notebook(path)
    second.note("a", "thanks")
    second.close()
    assert [line["do"] for line in read(path)] == ["tap", "thanks"]
