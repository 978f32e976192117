"""The interactive demo: a kiosk's window for a person, a case pushed now and then."""

import asyncio
import itertools
from collections.abc import Iterator

from msgspec.structs import replace

from demo.cases import Row
from demo.hall import Hall
from demo.parts import Away
from demo.play import Plan
from demo.tally import read_city
from demo.timeline import Timeline
from demo.window_system import WindowSystem

ANSWER_S = 60
PAUSE_S = 3.0
LOOK_S = 0.3


async def host(rows: list[Row], plan: Plan) -> None:
    """Push cases until the window is closed or the program is stopped."""
    line = Timeline()
    windows = dict.fromkeys((row.window for row in rows), 0)
    city_file = plan.out / "city.jsonl"
    hall = Hall(plan.out / "hall", city_file, windows, headless=plan.headless, size=plan.size)
    desk = WindowSystem(hall.api_port, hall.api_key)
    line.say("演示", "启动城市平台（替身）、大厅服务器和评价器 …")
    try:
        await hall.start()
        for number, row in enumerate(_without_end(rows), 1):
            line.case(row, number, len(rows))
            await desk.register(row)
            status = await desk.invite(row, ANSWER_S)
            line.say("评价器", f"请您评价（{ANSWER_S} 秒内），不评也可以")
            while status["state"] == "open":
                await asyncio.sleep(LOOK_S)
                if hall.kiosks[0].pid is None:
                    raise Away  # noqa: TRY301 - the window was closed: the way out of all loops
                status = await desk.status(status["id"])
            if status["state"] == "rated":
                line.say("大厅", "评价核验无误，已入台账，回执已发；窗口人员看不到评了什么")
                await _arrival(line, hall, row)
            else:
                line.say("大厅", "未评：不产生任何评价")
            await asyncio.sleep(PAUSE_S)
    except Away:
        line.say("演示", "评价器窗口已关闭")
    finally:
        await desk.close()
        await hall.stop()


async def _arrival(line: Timeline, hall: Hall, row: Row) -> None:
    key = (row.serial, str(row.service_number))
    for _ in range(20):
        for record in read_city(hall.city_file):
            if "satisfaction" in record and key == (record["projectNo"], record["serviceNumber"]):
                line.say("城市平台", "评价已接收")
                return
        await asyncio.sleep(LOOK_S)
    line.say("城市平台", "还没有收到，大厅服务器会继续报送")


def _without_end(rows: list[Row]) -> Iterator[Row]:
    """Repeat the rows for ever; one service is rated once, so each round has new numbers."""
    for number in itertools.count():
        for row in rows:
            yield row if number == 0 else replace(row, serial=f"{row.serial[:58]}-{number + 1}")
