"""The whole hall: real kiosk windows, hub, broker and stand-in city, each a process."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from demo.cases import read
from demo.generate import generate, write
from demo.tally import read_city

ROOT = Path(__file__).parents[2]


def demo(out: Path, *arguments: str, timeout: float = 280) -> subprocess.CompletedProcess[str]:
    """Run the command as a newcomer would."""
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    return subprocess.run(
        [sys.executable, "-m", "demo", "--once", "--headless", "--out", str(out), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def summary(out: Path) -> dict[str, object]:
    return json.loads((out / "summary.json").read_text(encoding="utf-8"))


def arrived(out: Path) -> dict[tuple[str, str], tuple[str, str, str]]:
    """What the city has, by case, read without any of our own counting."""
    found = {}
    for record in read_city(out / "city.jsonl"):
        if "satisfaction" in record:
            key = (record["projectNo"], record["serviceNumber"])
            assert key not in found, f"{key} arrived twice"
            found[key] = (
                record["satisfaction"],
                record["evalDetail"],
                record["writingEvaluation"],
            )
    return found


def expected(cases: Path) -> dict[tuple[str, str], tuple[str, str, str]]:
    """What the file says, read with nothing but the csv module."""
    with cases.open(encoding="utf-8", newline="") as file:
        return {
            (row["serial"], row["service_number"]): (
                row["level"],
                row["reasons"].replace(";", ","),
                row["comment"],
            )
            for row in csv.DictReader(file)
            if row["level"]
        }


@pytest.mark.timeout(300)
def test_every_rating_of_the_sample_arrives_though_hub_and_city_are_interrupted(tmp_path):
    """The sample file plays through with a dead hub and a dead city in the middle."""
    ran = demo(tmp_path / "out")
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    sample = ROOT / "demo" / "sample.csv"
    assert arrived(tmp_path / "out") == expected(sample)
    counted = summary(tmp_path / "out")
    assert counted["kills"] == 2
    assert counted["rows"] == len(read(sample))
    assert counted["rated"] == counted["forwarded"] == len(expected(sample))
    total = sum(counted[key] for key in ("rated", "expired", "withdrawn", "open"))
    assert counted["invited"] == total
    pictures = sorted((tmp_path / "out").glob("*.png"))
    first = ["00-pairing", "01-idle", "02-invitation", "03-thanks"]
    assert [each.stem for each in pictures][:4] == first
    for picture in pictures:
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert picture.stat().st_size > 5_000  # a blank window compresses to less
    assert "评价已接收" not in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.timeout(300)
def test_nothing_is_lost_doubled_or_altered_through_forty_power_cuts(tmp_path):
    """Kiosks, hub, mosquitto and city are killed at random moments while the sample plays."""
    ran = demo(tmp_path / "out", "--kills", "40", "--seed", "20", "--broker", "mosquitto")
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    counted = summary(tmp_path / "out")
    assert counted["kills"] >= 30
    assert (counted["lost"], counted["duplicated"], counted["altered"]) == (0, 0, 0)
    assert counted["invented"] == counted["open"] == counted["waiting"] == 0


@pytest.mark.timeout(300)
def test_generated_cases_arrive_to_the_letter(tmp_path):
    """All levels, every reason code, rare characters and 200-character matters arrive as filed."""
    cases = tmp_path / "cases.csv"
    write(generate(70, seed=11), cases)
    ran = demo(tmp_path / "out", "--cases", str(cases))
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert arrived(tmp_path / "out") == expected(cases)
    codes = {code for _, why, _ in expected(cases).values() for code in why.split(",") if code}
    assert len(codes) == 40


@pytest.mark.timeout(120)
def test_services_of_one_case_arrive_in_the_order_of_the_file(tmp_path):
    """Also as 3, 1, 2, at different windows, and with one citizen who walks away."""
    cases = tmp_path / "cases.csv"
    cases.write_text(
        "serial,service_number,matter,staff,window,level,reasons,comment\n"
        "A1,3,事项,示例甲,1号窗口,5,,\n"
        "A1,1,事项,示例乙,2号窗口,2,207,慢\n"
        "A1,4,事项,示例乙,2号窗口,,,\n"
        "A1,2,事项,示例甲,1号窗口,4,,\n",
        encoding="utf-8",
    )
    ran = demo(tmp_path / "out", "--cases", str(cases))
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert list(arrived(tmp_path / "out")) == [("A1", "3"), ("A1", "1"), ("A1", "2")]
    steps = [each.stem[3:] for each in sorted((tmp_path / "out").glob("*.png"))]
    first = ["pairing", "idle", "invitation", "thanks", "end"]
    assert steps == [*first, "idle", "invitation", "thanks", "thanks-reasons", "end"]
    hops = [line.split(maxsplit=1)[1] for line in ran.stdout.splitlines() if " A1 第" in line]
    for number in (3, 1, 2):
        name = f"A1 第 {number} 次服务"
        ledger = next(at for at, hop in enumerate(hops) if f"{name}核验无误" in hop)
        city = next(at for at, hop in enumerate(hops) if f"{name}的评价已接收" in hop)
        assert ledger < city


def bound(out: Path) -> list[tuple[str, str]]:
    """Kinds and windows of the changes of binding in the ledger, in order, read as they stand."""
    with closing(sqlite3.connect(out / "hall" / "hub" / "hub.db")) as db:
        rows = db.execute("SELECT kind, body FROM ledger ORDER BY position").fetchall()
    of = ("paired", "unpaired", "signed_on", "signed_off")
    return [(kind, json.loads(body)["window"]) for kind, body in rows if kind in of]


@pytest.mark.timeout(120)
def test_kiosks_and_clerks_go_where_the_next_citizen_comes(tmp_path):
    """Five windows share three kiosks, and one clerk serves at three of them, one at a time."""
    cases = tmp_path / "cases.csv"
    lines = ["serial,service_number,matter,staff,window,level,reasons,comment"]
    for number, window in enumerate("1234514253", 1):
        staff = "示例甲" if window in "124" else f"示例{'乙丙'[number % 2]}"
        lines.append(f"A{number},1,事项,{staff},{window}号窗口,{'54'[number % 2]},,")
    cases.write_text("\n".join(lines) + "\n", encoding="utf-8")
    ran = demo(tmp_path / "out", "--cases", str(cases))
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert arrived(tmp_path / "out") == expected(cases)
    counted = summary(tmp_path / "out")
    assert counted["misplaced"] == counted["withdrawn"] == 0
    entries = bound(tmp_path / "out")
    moves = ran.stdout.count("移到")
    assert ran.stdout.count("显示配对码，工作人员在") == 3
    assert moves >= 4
    assert sum(kind == "paired" for kind, _ in entries) == 3 + moves
    assert sum(kind == "unpaired" for kind, _ in entries) == moves
    signed_on = [window for kind, window in entries if kind == "signed_on"]
    assert {f"{number}号窗口" for number in range(1, 6)} == set(signed_on)
    assert len(signed_on) == ran.stdout.count("签到")


def test_a_bad_cases_file_starts_nothing_and_names_every_bad_row(tmp_path):
    """Each bad row is listed with line, column and reason; the exit code is 2."""
    cases = tmp_path / "bad.csv"
    cases.write_text(
        "serial,service_number,matter,staff,window,level,reasons,comment\n"
        "A1,1,事项,示例甲,1号窗口,6,,\n"
        "A2,0,事项,示例甲,1号窗口,5,999,\n"
        "A3,1,,示例甲,1号窗口,2,,\n",
        encoding="utf-8",
    )
    ran = demo(tmp_path / "out", "--cases", str(cases))
    assert ran.returncode == 2
    for words in ("第 2 行 level", "第 3 行 service_number", "第 3 行 reasons", "第 4 行 matter"):
        assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "out").exists()
