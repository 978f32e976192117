"""Clerks bind kiosks and themselves in a real hall, though hub and kiosk are cut off over it."""

import asyncio
from contextlib import asynccontextmanager, closing

import pytest

from demo.bindings import Bindings
from demo.cases import Row
from demo.hall import Hall, Size, places
from demo.parts import Away, PartError
from demo.pictures import Camera
from demo.play import Plan, play
from demo.timeline import Timeline
from demo.window_system import WindowSystem
from hub.store import bindings, database

FIRST, SECOND = "1号窗口", "综合#2%"


class Midnight(WindowSystem):
    """A window system over which the day ends, just as it wants to invite."""

    async def invite(self, row, timeout_s):
        if not hasattr(self, "over"):
            self.over = True
            await self._ask("DELETE", f"/windows/{row.window}/staff")
        return await super().invite(row, timeout_s)


class CutOff(WindowSystem):
    """A window system over which the power goes: after a claim, or before an answer is there."""

    def __init__(self, hall, *cuts):
        super().__init__(hall.api_port, hall.api_key)
        self.cuts = list(cuts)
        self.claims = []

    async def claim(self, window, code):
        found = await super().claim(window, code)
        self.claims.append(code)
        if self.cuts:
            part = self.cuts.pop(0)
            await part.kill()
            await part.start()
        return found

    async def _ask(self, method, path, body=None):
        if method == "POST" and path.rpartition("/")[2] in ("move", "confirmation"):
            await super()._ask(method, path, body)  # its answer is lost, so it is said again
        return await super()._ask(method, path, body)


def a_row(window, staff="示例甲"):
    return Row(2, "A1", 1, "事项", staff, window, 5, (), "")


@asynccontextmanager
async def a_hall(folder, *rows, quiet=True):
    hall = Hall(folder / "hall", folder / "city.jsonl", places(rows, 1), headless=True, size=Size())
    desk = CutOff(hall)
    made = Bindings(hall, desk, Timeline(quiet=quiet), Camera(folder, list(rows)), back=True)
    try:
        await hall.start(lambda _: None)
        yield hall, desk, made
    finally:
        await desk.close()
        await hall.stop()


def changes(file):
    with closing(database.connect(file)) as db:
        found = reversed(bindings.history(db))
        return [
            (each.kind, each.change.window, each.change.staff and each.change.staff.name)
            for each in found
        ]


@pytest.mark.timeout(120)
def test_a_kiosk_is_paired_moved_and_signed_on_through_cuts_and_lost_answers(tmp_path, capsys):
    """Every code is typed once, each change is made once, and the kiosk shows where it stands."""
    rows = (a_row(FIRST), a_row(SECOND, "示例乙"), a_row(SECOND))

    async def story():
        async with a_hall(tmp_path, *rows, quiet=False) as (hall, desk, made):
            [kiosk] = hall.kiosks
            desk.cuts = [hall.hub, kiosk]
            await made.pair(0, rows[0])
            assert len(set(desk.claims)) == len(desk.claims) >= 2
            for row in rows:
                await made.prepare(0, row)
                await made.prepare(0, row)
                assert (kiosk.seen["window"], kiosk.seen["clerk"]) == (row.window, row.staff)
                assert kiosk.seen["code"] is None
            assert hall.hub.kills == kiosk.kills == 1
        return changes(hall.database)

    assert asyncio.run(story()) == [
        ("paired", FIRST, None),
        ("signed_on", FIRST, "示例甲"),
        ("unpaired", FIRST, None),
        ("paired", SECOND, None),
        ("signed_on", SECOND, "示例乙"),
        ("signed_off", FIRST, "示例甲"),
        ("signed_off", SECOND, "示例乙"),
        ("signed_on", SECOND, "示例甲"),
    ]
    assert [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines()] == [
        "评价器1显示配对码，工作人员在“1号窗口”输入并确认",
        "示例甲在“1号窗口”签到",
        "评价器1从“1号窗口”移到“综合#2%”",
        "示例乙在“综合#2%”签到",
        "示例甲在“综合#2%”签到",
    ]
    assert (tmp_path / "00-pairing.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.timeout(120)
def test_a_kiosk_that_cannot_be_paired_is_told_in_words(tmp_path, monkeypatch):
    """A window that the hub does not know; a kiosk that does not come back; one that was closed."""
    row = a_row(FIRST)

    async def story():
        async with a_hall(tmp_path, row) as (hall, desk, made):
            with pytest.raises(PartError, match="评价器1不能与“9号窗口”配对：没有名为“9号窗口”"):
                await made.pair(0, a_row("9号窗口"))
            await hall.kiosks[0].kill()
            monkeypatch.setattr("demo.bindings.PAIR_S", 0.5)
            with pytest.raises(PartError, match="评价器1在 0 秒内没能与“1号窗口”配对"):
                await made.pair(0, row)
            closed = Bindings(hall, desk, Timeline(quiet=True), Camera(tmp_path, [row]), back=False)
            with pytest.raises(Away):
                await closed.pair(0, row)

    asyncio.run(story())


@pytest.mark.timeout(120)
def test_a_clerk_who_is_signed_off_at_midnight_signs_on_again_and_goes_on(tmp_path, monkeypatch):
    """The hub invites nobody without a clerk; the citizen in front of the kiosk does not notice."""
    monkeypatch.setattr("demo.play.WindowSystem", Midnight)
    summary = asyncio.run(play([a_row(FIRST)], Plan(out=tmp_path, quiet=True)))
    assert summary.problems == []
    assert (summary.invited, summary.rated) == (1, 1)
    found = changes(tmp_path / "hall" / "hub" / "hub.db")
    assert [kind for kind, *_ in found] == ["paired", "signed_on", "signed_off", "signed_on"]
