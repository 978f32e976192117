"""The interactive demo: a kiosk's window for a person, a case pushed now and then."""

import asyncio
import itertools
from collections.abc import Iterator

from msgspec.structs import replace

from demo.bindings import Bindings
from demo.cases import Row
from demo.hall import Hall, places
from demo.parts import Away
from demo.pictures import Camera
from demo.play import Plan
from demo.tally import read_city
from demo.timeline import Timeline
from demo.window_system import Rejected, WindowSystem

ANSWER_S = 60
PAUSE_S = 3.0
LOOK_S = 0.3
SERIAL_SIGNS = 64


async def host(rows: list[Row], plan: Plan) -> None:
    """Push cases until the window is closed or the program is stopped. Raises `PartError`."""
    line = Timeline(quiet=plan.quiet)
    line.say("演示", "启动城市平台（替身）、大厅服务器和评价器 …")
    city_file = plan.out / "city.jsonl"
    hall = Hall(
        plan.out / "hall",
        city_file,
        places(rows, 1),
        headless=plan.headless,
        size=plan.size,
        mosquitto=plan.mosquitto,
    )
    desk = WindowSystem(hall.api_port, hall.api_key)
    bindings = Bindings(hall, desk, line, Camera(plan.out, rows), back=False)
    try:
        await hall.start(lambda part: line.say("演示", f"{part.name}已就绪"))
        for number, row in enumerate(without_end(rows)):
            try:
                await bindings.prepare(0, row)
                line.case(row, number % len(rows) + 1, len(rows))
                await _case(line, hall, desk, row)
            except Rejected as error:
                line.say("大厅", f"这个办件不能邀请评价：{error}")
            await asyncio.sleep(PAUSE_S)
    except Away:
        line.say("演示", "评价器窗口已关闭")
    finally:
        await desk.close()
        await hall.stop()


async def _case(line: Timeline, hall: Hall, desk: WindowSystem, row: Row) -> None:
    """Invite for one row, and tell what came of it. Raises `Away` once the window is closed."""
    await desk.register(row)
    status = await desk.invite(row, ANSWER_S)
    line.say("评价器", f"请您评价（{ANSWER_S} 秒内），不评也可以")
    while status["state"] == "open":
        await asyncio.sleep(LOOK_S)
        if hall.kiosks[0].pid is None:
            raise Away
        status = await desk.status(status["id"])
    if status["state"] == "rated":
        line.say("大厅", "评价核验无误，已入台账，回执已发；窗口人员看不到评了什么")
        await _arrival(line, hall, row)
    else:
        line.say("大厅", "未评：不产生任何评价")


async def _arrival(line: Timeline, hall: Hall, row: Row) -> None:
    key = (row.serial, str(row.service_number))
    for _ in range(20):
        for record in read_city(hall.city_file):
            if "satisfaction" in record and key == (record["projectNo"], record["serviceNumber"]):
                line.say("城市平台", "评价已接收")
                return
        await asyncio.sleep(LOOK_S)
    line.say("城市平台", "还没有收到，大厅服务器会继续报送")


def without_end(rows: list[Row]) -> Iterator[Row]:
    """Repeat the rows for ever; one service is rated once, so each round has new serials.

    No serial comes up in two rounds, whatever the file holds, and none exceeds 64 characters.
    """
    used = {row.serial for row in rows}
    yield from rows
    for number in itertools.count(2):
        fresh: dict[str, str] = {}
        for row in rows:
            if row.serial not in fresh:
                fresh[row.serial] = _unused(row.serial, number, used)
                used.add(fresh[row.serial])
            yield replace(row, serial=fresh[row.serial])


def _unused(serial: str, number: int, used: set[str]) -> str:
    for mark in itertools.chain((f"-{number}",), (f"-{number}-{n}" for n in itertools.count(2))):
        found = serial[: SERIAL_SIGNS - len(mark)] + mark
        if found not in used:
            return found
    raise AssertionError("the marks have no end")
