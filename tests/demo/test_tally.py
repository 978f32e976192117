"""The counts afterwards: what is lost, altered, cut off, and what came in the wrong order."""

import pytest

from demo.cases import Row
from demo.citizen import Pressed
from demo.tally import Played, Summary, _compare, _in_order
from protocol.messages import Rated, Stamp

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
    played = Played(row=a_row(), pressed=[Pressed(invitation="b" * 32, level=2, **pressed)])
    summary = Summary()
    ratings = {KEY: [came]} if came else {}
    has = {KEY: in_ledger(ledger or came)} if came else {}
    _compare(summary, [played], ratings, has)
    return {
        name: getattr(summary, name)
        for name in ("lost", "altered", "cut_off", "invented")
        if getattr(summary, name)
    }


def test_a_rating_that_arrives_whole_is_nothing_to_tell():
    """To the letter."""
    assert compared(record(), promised=True, thanked=True) == {}


@pytest.mark.parametrize(("detail", "text"), [("", ""), ("207", ""), ("207,210", "太")])
def test_who_was_cut_off_counts_as_cut_off(detail, text):
    """As far as the citizen had come is neither lost nor altered."""
    assert compared(record(detail=detail, text=text), promised=True) == {"cut_off": 1}


def test_who_was_thanked_at_the_end_must_arrive_to_the_letter():
    """After 完成 no reason may be missing."""
    assert compared(record(detail="207"), promised=True, thanked=True) == {"altered": 1}


@pytest.mark.parametrize(("detail", "text"), [("210", ""), ("", "太慢了"), ("207,210", "很快")])
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


def test_the_file_decides_the_order_of_a_case():
    """Services may stand as 3, 1, 2: so they are given, and so they have to arrive."""
    played = [Played(row=a_row(number)) for number in (3, 1, 2)]
    for order, problems in (("312", 0), ("123", 1), ("321", 1)):
        summary = Summary()
        _in_order(summary, played, [record(number) for number in order])
        assert len(summary.problems) == problems, order
