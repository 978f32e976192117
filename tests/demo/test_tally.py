"""The counts afterwards: what is lost, altered, cut off, and what came in the wrong order."""

from contextlib import closing

import pytest

from demo.__main__ import _tell
from demo.cases import Row
from demo.citizen import Pressed
from demo.tally import Played, Summary, _compare, _in_order, _in_place, _is_incomplete
from hub.store import bindings, database, invitations
from protocol.messages import Invitation, Rated, Staff, Stamp, Window

KEY = ("A1", 1)


def a_row(number=1, *, serial="A1", level=2, reasons=("207", "210"), comment="太慢了"):
    return Row(number + 1, serial, number, "事项", "示例甲", "1号窗口", level, reasons, comment)


def record(number="1", *, level="2", detail="207,210", text="太慢了", serial="A1"):
    return {
        "projectNo": serial,
        "serviceNumber": number,
        "satisfaction": level,
        "evalDetail": detail,
        "writingEvaluation": text,
    }


def in_ledger(came):
    codes = came["evalDetail"]
    return Rated(
        id="a" * 32,
        device="kiosk-01",
        seq=1,
        invitation="b" * 32,
        stamp=Stamp(boot="c" * 32, mono_ms=1),
        level=int(came["satisfaction"]),
        reasons=tuple(codes.split(",")) if codes else (),
        comment=came["writingEvaluation"],
        catalogue="2021.1",
        elapsed_ms=1,
    )


def compared(came, ledger=None, **pressed):
    """Compare what was pressed with what came; `ledger` is there where it differs from that."""
    played = Played(row=a_row(), pressed=[Pressed(invitation="b" * 32, level=2, **pressed)])
    summary = Summary()
    ratings = {KEY: [came]} if came else {}
    has = {KEY: in_ledger(ledger or came)} if ledger or came else {}
    _compare(summary, [played], ratings, has)
    return {
        name: getattr(summary, name)
        for name in ("lost", "altered", "cut_off", "invented")
        if getattr(summary, name)
    }


def test_a_rating_that_arrives_whole_is_nothing_to_tell():
    """To the letter."""
    assert compared(record(), promised=True, thanked=True) == {}


@pytest.mark.parametrize(("detail", "text"), [("", ""), ("", "太"), ("207", "太慢了")])
def test_who_was_cut_off_counts_as_cut_off(detail, text):
    """As far as the citizen had come is neither lost nor altered."""
    assert compared(record(detail=detail, text=text), promised=True) == {"cut_off": 1}


def test_who_was_thanked_at_the_end_must_arrive_to_the_letter():
    """After 完成 no reason may be missing."""
    assert compared(record(detail="207"), promised=True, thanked=True) == {"altered": 1}


@pytest.mark.parametrize(
    ("detail", "text"), [("210", "太慢了"), ("207", "太"), ("207,210", "很快")]
)
def test_what_was_never_on_the_way_is_altered(detail, text):
    """A power cut leaves out what comes later; it changes nothing."""
    assert compared(record(detail=detail, text=text)) == {"altered": 1}


def test_what_differs_from_the_signed_bytes_is_altered():
    """Even where it is what the citizen meant."""
    assert compared(record(), record(detail="207")) == {"altered": 1}


def test_a_promise_that_did_not_arrive_is_lost():
    """谢谢 was shown; who never saw it was promised nothing."""
    assert compared(None, promised=True) == {"lost": 1}
    assert compared(None) == {}


BARE = record(detail="", text="")


def test_a_bad_level_without_a_reason_is_kept_where_the_city_takes_none():
    """The power went after 谢谢 and before any reason: in the ledger, set aside, not lost."""
    assert compared(None, BARE, promised=True) == {"cut_off": 1}
    assert compared(None, BARE) == {"cut_off": 1}  # 谢谢 may have stood unseen by the script


@pytest.mark.parametrize(
    ("ledger", "pressed"),
    [
        pytest.param(BARE, {"thanked": True}, id="reasons had been submitted"),
        pytest.param(record(), {}, id="it has reasons, so the city takes it"),
        pytest.param(record(detail="", text="太"), {}, id="it has words, so the city takes it"),
        pytest.param(record(level="1", detail="", text=""), {}, id="another level than pressed"),
        pytest.param(record(level="4", detail="", text=""), {}, id="a good level needs no reason"),
    ],
)
def test_any_other_promise_that_is_not_at_the_city_is_lost(ledger, pressed):
    """Being in the ledger is no excuse for it."""
    assert compared(None, ledger, promised=True, **pressed) == {"lost": 1}


def test_the_file_decides_the_order_of_a_case():
    """Services may stand as 3, 1, 2: so they are given, and so they have to arrive."""
    played = [Played(row=a_row(number)) for number in (3, 1, 2)]
    for order, problems in (("312", 0), ("123", 1), ("321", 1)):
        summary = Summary()
        _in_order(summary, played, [record(number) for number in order])
        assert len(summary.problems) == problems, order


JIA, YI = Staff(name="示例甲", number="1"), Staff(name="示例乙", number="2")


def misplaced(file, *steps):
    """How many invitations are misplaced after these steps, each of which is (what, *of what)."""
    do = {
        "pair": lambda db, window, device: bindings.pair(db, window, device, by="console", now=1),
        "unpair": lambda db, window: bindings.unpair(db, window, by="console", now=1),
        "on": lambda db, window, staff: bindings.sign_on(db, window, staff, by="console", now=1),
        "off": lambda db, window: bindings.sign_off(db, window, by="console", now=1),
        "invite": lambda db, window, staff, device="k1": invitations.issue(
            db,
            device,
            Invitation(
                id="b" * 32,
                serial="A1",
                service_number=1,
                matter="事项",
                window=Window(name=window),
                staff=staff,
                issued_at=1,
                ttl_ms=1_000,
            ),
        ),
    }
    with closing(database.connect(file)) as db:
        database.migrate(db)
        with db.atomic():
            for what, *of in steps:
                do[what](db, *of)
    summary = Summary()
    _in_place(summary, [Played(row=a_row())], file)
    return summary.misplaced


def test_an_invitation_that_goes_where_kiosk_and_clerk_are_is_in_place(tmp_path):
    """Also after both have been elsewhere and come back."""
    there = [("pair", "1号窗口", "k1"), ("on", "1号窗口", JIA)]
    away = [("pair", "2号窗口", "k1"), ("on", "2号窗口", JIA)]
    assert misplaced(tmp_path / "db", *there, *away, *there, ("invite", "1号窗口", JIA)) == 0


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([("on", "1号窗口", YI)], id="another clerk is signed on"),
        pytest.param([("off", "1号窗口")], id="nobody is signed on"),
        pytest.param([("on", "2号窗口", JIA)], id="the clerk has gone to another window"),
        pytest.param([("pair", "1号窗口", "k2")], id="another kiosk stands there"),
        pytest.param([("pair", "2号窗口", "k1")], id="the kiosk has been moved away"),
        pytest.param([("unpair", "1号窗口")], id="the kiosk has been taken off"),
    ],
)
def test_an_invitation_by_or_at_another_than_the_ledger_says_is_a_problem(tmp_path, steps):
    """The clerk and the kiosk are those of the last entry before it, not of a later one."""
    before = [("pair", "1号窗口", "k1"), ("on", "1号窗口", JIA)]
    invite = ("invite", "1号窗口", JIA)
    assert misplaced(tmp_path / "late", *before, *steps, invite) == 1
    assert misplaced(tmp_path / "early", *before, invite, *steps) == 0


def test_an_invitation_for_another_window_or_clerk_than_the_file_says_is_a_problem(tmp_path):
    """Whatever the ledger says of the pairing, the row asks for 示例甲 at 1号窗口."""
    other = [("pair", "2号窗口", "k1"), ("on", "2号窗口", JIA), ("invite", "2号窗口", JIA)]
    assert misplaced(tmp_path / "window", *other) == 1
    other = [("pair", "1号窗口", "k1"), ("on", "1号窗口", YI), ("invite", "1号窗口", YI)]
    assert misplaced(tmp_path / "clerk", *other) == 1


def test_the_account_at_the_end_says_why_the_city_has_fewer(capsys, tmp_path):
    """A bad rating without a reason is rated, not lost, and not at the city: its number is told."""
    _tell(Summary(invited=42, rated=42, forwarded=38, incomplete=4), tmp_path)
    assert "报送评价 38；差评未写明原因、按规定不报送 4；丢失 0" in capsys.readouterr().out
    _tell(Summary(invited=42, rated=42, forwarded=42), tmp_path)
    assert "报送评价 42；丢失 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("came", "incomplete"),
    [
        (BARE, True),
        (record(), False),
        (record(detail="", text="太"), False),
        (record(level="4", detail="", text=""), False),
    ],
)
def test_only_a_bad_level_without_reason_and_text_is_incomplete(came, incomplete):
    assert _is_incomplete(in_ledger(came)) is incomplete
