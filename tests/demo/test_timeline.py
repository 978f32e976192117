"""What a newcomer reads: each hop once, in the order of the way, each service by its name."""

import json
import re

import pytest

from demo.cases import Row
from demo.hops import Hops, shortened
from demo.host import without_end
from demo.timeline import Timeline

LONG = "1201162026010600000001"


def rows(*keys):
    return [Row(2, serial, n, "事项", "示例甲", "1号窗口", 5, (), "") for serial, n in keys]


@pytest.fixture
def city(tmp_path):
    file = tmp_path / "city.jsonl"

    def accept(serial, number, **more):
        with file.open("a", encoding="utf-8") as out:
            line = {"projectNo": serial, "serviceNumber": str(number), **more}
            out.write(json.dumps(line) + "\n")

    accept.file = file
    return accept


def told(capsys):
    return [re.sub(r"^\S+ +", "", line) for line in capsys.readouterr().out.splitlines()]


def test_the_ledger_is_told_before_the_city(city, capsys):
    """Also where the city's file is looked at first; and neither is told twice."""
    hops = Hops(Timeline(), city.file, rows((LONG, 1)))
    city(LONG, 1)
    city(LONG, 1, satisfaction="5")
    hops.city()
    hops.ledger(LONG, 1)
    hops.city()
    assert told(capsys) == [
        "城市平台   …000001 的办件服务数据已接收",
        "大厅       …000001 核验无误，已入台账，回执已发",
        "城市平台   …000001 的评价已接收",
    ]


def test_services_of_one_case_are_told_apart(city, capsys):
    """Each has its number; a case with one service has none."""
    hops = Hops(Timeline(), city.file, rows((LONG, 1), (LONG, 2), ("B-7", 1)))
    for serial, number in ((LONG, 1), (LONG, 2), ("B-7", 1)):
        city(serial, number)
    hops.city()
    assert told(capsys) == [
        "城市平台   …000001 第 1 次服务的办件服务数据已接收",
        "城市平台   …000001 第 2 次服务的办件服务数据已接收",
        "城市平台   B-7 的办件服务数据已接收",
    ]


def test_short_serials_can_be_read_and_told_apart():
    """A short one is whole; equal ends grow until they differ, and begin with a readable sign."""
    long = [f"{start}00000000{end}" for start, end in (("1A", "123"), ("1B", "123"), ("2C", "9"))]
    odd = "示例办件-二〇二六-----7"
    short = shortened([*long, "A-1", odd])
    assert short["A-1"] == "A-1"
    assert short[odd] == "…六-----7"
    assert len(set(short.values())) == 5
    for serial, form in short.items():
        assert serial.endswith(form.removeprefix("…"))


def test_later_rounds_have_serials_of_their_own():
    """For ever new, at most 64 signs, and services of one case stay together."""
    full = "W" * 60
    given = rows(("A1", 1), ("A1", 2), ("A1-2", 1), (full + "AAAA", 1), (full + "BBBB", 1))
    endless = without_end(given)
    rounds = [[next(endless) for _ in given] for _ in range(12)]
    assert rounds[0] == given
    seen = set()
    for played in rounds:
        serials = [row.serial for row in played]
        assert serials[0] == serials[1]
        assert len(set(serials)) == 4
        assert all(len(serial) <= 64 for serial in serials)
        assert not seen & set(serials)
        seen |= set(serials)
