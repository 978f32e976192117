"""Many kiosks side by side: a table of ports in, a report with one line per kiosk out."""

import csv
import io
import re
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import Annotated

from msgspec import Meta, Struct

from protocol import strict
from protocol.enrolment.messages import Host, Name
from protocol.messages import Part
from provisioning.desk import Enrolled, EnrolmentFailed
from provisioning.line import LineError

COLUMNS = ("port", "device", "hall", "hub")
REPORT = ("端口", "设备", "大厅", "结果", "原因", "连接测试", "核对数字", "用时（秒）")
SIDE_BY_SIDE = 64

_HUB = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:\s]+)):([0-9]{1,5})", re.ASCII)


class Hub(Part, frozen=True, kw_only=True):
    """Where the hub is."""

    host: Host
    port: Annotated[int, Meta(ge=1, le=65535)]


class Row(Part, frozen=True, kw_only=True):
    """One kiosk to enrol."""

    port: Annotated[str, Meta(min_length=1, max_length=200)]
    device: Name
    hall: Name
    hub: Hub


class Line(Struct, frozen=True):
    """One line of the report; `enrolled` is None for a kiosk that has no identity now."""

    row: Row
    enrolled: Enrolled | None
    reason: str
    seconds: float


def hub(text: str) -> Hub:
    """Return `HOST:PORT` or `[IPv6]:PORT`; raises `strict.Faults`."""
    found = _HUB.fullmatch(text.strip())
    if not found:
        raise strict.Faults([strict.Fault("hub", "应写成 主机:端口，例如 192.0.2.10:8883")])
    data = {"host": found[1] or found[2], "port": int(found[3])}
    return strict.convert(data, Hub, "hub")


def read(path: Path) -> list[Row]:
    """Read the table; raises `strict.Faults` with everything that is wrong, or OSError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise strict.Faults([strict.Fault(str(path), "不是 UTF-8 编码的 CSV 文件")]) from error
    table = csv.DictReader(io.StringIO(text), strict=True)
    rows: list[Row] = []
    faults: list[strict.Fault] = []
    try:
        if tuple(table.fieldnames or ()) != COLUMNS:
            raise strict.Faults([strict.Fault("第 1 行", f"表头应为 {','.join(COLUMNS)}")])
        for cells in table:
            place = f"第 {table.line_num} 行"
            try:
                where = hub(cells["hub"] or "")
                rows.append(strict.convert({**cells, "hub": {}} | {"hub": _plain(where)}, Row))
            except strict.Faults as error:
                faults += [
                    strict.Fault(f"{place} {one.place}", one.message) for one in error.faults
                ]
    except csv.Error as error:
        faults.append(strict.Fault(f"第 {table.line_num} 行", f"不是有效的 CSV：{error}"))
    for column in ("port", "device"):
        seen = [getattr(row, column) for row in rows]
        twice = sorted({value for value in seen if seen.count(value) > 1})
        faults += [strict.Fault(column, f"{value} 出现了不止一次") for value in twice]
    if not rows and not faults:
        faults.append(strict.Fault(str(path), "没有要入网的评价器"))
    if faults:
        raise strict.Faults(faults)
    return rows


def _plain(where: Hub) -> dict[str, object]:
    return {"host": where.host, "port": where.port}


def run(
    rows: list[Row],
    enrol: Callable[[Row, Callable[[str], bool]], Enrolled],
    *,
    ask: Callable[[Row, str], bool],
    done: Callable[[Line], None],
) -> None:
    """Call `enrol` for all rows side by side; `ask` and `done` are called in this thread only.

    `enrol` gets a function to ask about its number. When `ask` raises (the operator stops),
    no other kiosk is begun, all further questions are answered with no, and it is raised again
    when the last one has ended.
    """
    events: Queue[Line | _Question] = Queue()

    def one(row: Row) -> None:
        def confirm(number: str) -> bool:
            question = _Question(row, number)
            events.put(question)
            return question.answer.result()

        events.put(_one(row, lambda: enrol(row, confirm)))

    ended = 0

    def serve(left: int, ask: Callable[[Row, str], bool], done: Callable[[Line], None]) -> None:
        nonlocal ended
        while ended < left:
            event = events.get()
            if isinstance(event, Line):
                ended += 1
                done(event)
                continue
            answer = False
            try:
                answer = ask(event.row, event.number)
            finally:
                event.answer.set_result(answer)

    def quietly(line: Line) -> None:
        with suppress(Exception):  # what went wrong first is what is raised
            done(line)

    with ThreadPoolExecutor(min(len(rows), SIDE_BY_SIDE), "enrol") as pool:
        begun = [pool.submit(one, row) for row in rows]
        try:
            serve(len(rows), ask, done)
        except BaseException:
            never = sum(each.cancel() for each in begun)
            serve(len(rows) - never, lambda *_: False, quietly)
            raise


class _Question:
    """What a thread asks, and where it waits for the answer."""

    def __init__(self, row: Row, number: str) -> None:
        self.row = row
        self.number = number
        self.answer: Future[bool] = Future()


def _one(row: Row, enrol: Callable[[], Enrolled]) -> Line:
    started = time.monotonic()
    enrolled, reason = None, ""
    try:
        enrolled = enrol()
    except (LineError, EnrolmentFailed) as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - one kiosk must not end the others
        reason = f"程序出错：{type(error).__name__}：{error}"
    return Line(row, enrolled, reason, time.monotonic() - started)


def report(lines: list[Line]) -> str:
    """Return the report as CSV, in the order given."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(REPORT)
    for line in lines:
        done = line.enrolled
        cells = (
            line.row.port,
            line.row.device,
            line.row.hall,
            "成功" if done else "失败",
            line.reason,
            connection(done) if done else "",
            done.number if done else "",
            f"{line.seconds:.1f}",
        )
        writer.writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def connection(enrolled: Enrolled) -> str:
    """Return how the kiosk's connection test went, in one phrase."""
    return f"{'通过' if enrolled.passed else '未通过'}：{enrolled.remark}"


def _cell(text: str) -> str:
    """Keep what a kiosk said from being a formula where the report is opened."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
