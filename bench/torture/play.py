"""One run: window systems invite, citizens rate, faults strike two at a time, then the account."""

import asyncio
import sqlite3
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.torture import clocks, disks
from bench.torture.faults import Fault
from bench.torture.field import Field
from bench.torture.hall import TortureHall
from bench.torture.kiosk import Wish
from bench.torture.report import Outcome
from bench.torture.schedule import schedule
from bench.torture.verdict import judge
from demo.cases import Row
from demo.window_system import Rejected, WindowSystem

TTL_S, WALK_AWAY_S = 8, 1
TRIES = 3
SETTLE_S = 12.0
LOOK_S = 0.1
AT_ONCE = 2
MOMENT_S = 1.0
LANE_END_S = 90.0


@dataclass(frozen=True)
class Plan:
    """`faults` in all, by `seed`; everything is left in `out`, which must be new or empty.

    `scale`: every duration is so many times as long.
    """

    out: Path
    faults: int
    seed: int
    kiosks: int = 3
    scale: float = 1.0
    drain_s: float = 240.0
    mosquitto: str = "/usr/sbin/mosquitto"


async def play(plan: Plan, tell: Callable[[str], None] = lambda _: None) -> Outcome:
    """Do it all."""
    began = time.monotonic()
    scratch = plan.out / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    can = {"disks": disks.mountable(scratch), "clocks": clocks.library() is not None}
    hall = TortureHall(plan.out / "hall", plan.kiosks, plan.seed, plan.mosquitto)
    faults = [
        replace(each, gap_s=each.gap_s * plan.scale, seconds=each.seconds * plan.scale)
        for each in schedule(plan.seed, plan.faults, hall.devices, **can)
    ]
    (plan.out / "schedule.txt").write_text("\n".join(map(str, faults)) + "\n", encoding="utf-8")
    field_ = Field(hall, scratch)
    run = _Run(plan, field_, tell)
    try:
        await hall.start()
        tell(f"the hall is up after {time.monotonic() - began:.0f} s")
        await run.all(faults)
        drained_in = await run.drain()
        verified = await asyncio.to_thread(hall.hub_command, "verify")
    finally:
        await hall.stop()
    verdict = judge(
        {device: hall.truth(device) for device in hall.devices},
        hall.state / "hub.db",
        hall.city_file,
        {device: hall.home / f"{device}.pem" for device in hall.devices},
        at_risk=field_.at_risk,
        restored=field_.restored,
    )
    problems = [*field_.problems, *verdict.problems]
    grave = [line for line in verified.stdout.splitlines() if line.startswith("✗")]
    if grave or verified.returncode not in (0, 1):
        problems.append(f"verify: {grave[:5]} {verified.stderr[-300:]}")
    return Outcome(
        seed=plan.seed,
        faults=sum(field_.counts.values()),
        kinds=dict(sorted(field_.counts.items())),
        notes=dict(sorted(field_.notes.items())),
        skipped=[f"{name}: not possible here" for name, able in can.items() if not able],
        seconds=round(time.monotonic() - began, 1),
        drain_seconds=round(drained_in, 1),
        verdict=verdict,
        outboxes_spoiled=[
            {**asdict(each), "invitations": len(each.invitations)} for each in field_.at_risk
        ],
        restored=[
            {"how": each.how, "rated": len(each.rated), "invitations": len(each.invitations)}
            for each in field_.restored
        ],
        verify=verified.stdout[-3000:],
        problems=problems,
    )


class _Run:
    """The people and the faults of one run."""

    def __init__(self, plan: Plan, field_: Field, tell: Callable[[str], None]) -> None:
        self._plan = plan
        self._field = field_
        self._hall = field_.hall
        self._tell = tell
        self._over = False
        self._struck = 0

    async def all(self, faults: Sequence[Fault]) -> None:
        """Play while the faults last; then everybody finishes with their citizen."""
        desk = WindowSystem(self._hall.api_port, self._hall.api_key)
        lanes = [asyncio.create_task(self._lane(desk, each)) for each in range(self._plan.kiosks)]
        try:
            async with asyncio.TaskGroup() as group:
                for slot in range(AT_ONCE):
                    group.create_task(self._slot(faults[slot::AT_ONCE]))
            self._over = True
            _, late = await asyncio.wait(lanes, timeout=LANE_END_S)
            if late:
                self._field.problems.append(f"{len(late)} windows still wait for the hub")
        finally:
            for lane in lanes:
                lane.cancel()
            ends = await asyncio.gather(*lanes, return_exceptions=True)
            await desk.close()
            self._field.problems += [
                f"window: {end!r}"
                for end in ends
                if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError)
            ]

    async def _slot(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(fault.gap_s)
            if fault.moment and await self._shows(fault.moment):
                await asyncio.sleep(fault.late_s)
            with (self._plan.out / "struck.log").open("a", encoding="utf-8") as log:
                log.write(f"{time.strftime('%H:%M:%S')} {fault}\n")
            try:
                async with asyncio.timeout(150):
                    await fault.strike(self._field)
            except Exception:  # noqa: BLE001 - the run goes on, and has failed
                words = traceback.format_exc(limit=-3)
                self._field.problems.append(f"{fault}: {words}")
            self._struck += 1
            if self._struck % 25 == 0:
                gone = time.monotonic() - self._field.began
                self._tell(f"{self._struck} faults after {gone:.0f} s")

    async def _shows(self, screen: str) -> bool:
        """Wait, not for long, until some kiosk shows a screen."""
        end = time.monotonic() + MOMENT_S
        while time.monotonic() < end:
            seen = [part.seen for part in self._hall.kiosk_parts]
            if any(each.get("screen") == screen for each in seen):
                return True
            await asyncio.sleep(0.01)
        return False

    # ------------------------------------------------------------ people

    async def _lane(self, desk: WindowSystem, number: int) -> None:
        count = 0
        while not self._over:
            count += 1
            for service in range(1, 3 if count % 4 == 0 else 2):
                row = Row(
                    line=count,
                    serial=f"T{self._plan.seed}-{number}-{count:05d}",
                    service_number=service,
                    matter=f"示例事项{count % 7}（第 {count} 件）",
                    staff=self._hall.clerks[number],
                    window=self._hall.windows[number],
                    level=None,
                    reasons=(),
                    comment="",
                )
                await self._serve(desk, number, row)

    async def _serve(self, desk: WindowSystem, number: int, row: Row) -> None:
        await desk.register(row)
        walks_away = Wish.of(self._plan.seed, row.serial, "").level is None
        tries = 0
        while tries < TRIES:
            try:
                status = await desk.invite(row, WALK_AWAY_S if walks_away else TTL_S)
            except Rejected as error:
                if error.code == "already_rated":
                    return
                await self._mend(desk, number, row, error.code)
                if self._over:
                    return
                continue
            tries += 1
            state = await self._settled(desk, status["id"])
            if state == "rated" or (walks_away and state == "expired") or self._over:
                return

    async def _settled(self, desk: WindowSystem, invitation: str) -> str:
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end:
            try:
                state = str((await desk.status(invitation))["state"])
            except Rejected:
                return "gone"  # a backup that does not know it was put back
            if state != "open":
                return state
            await asyncio.sleep(LOOK_S)
        return "open"

    async def _mend(self, desk: WindowSystem, number: int, row: Row, code: str) -> None:
        self._field.notes[f"window system was told {code}"] += 1
        try:
            if code == "nobody_signed_on":
                await desk.sign_on(row.window, row.staff)
            elif code == "unknown_case":
                await desk.register(row)
            elif code == "not_paired":
                await self._hall.pair(desk, number)
        except Rejected as error:
            self._field.notes[f"window system was told {error.code}"] += 1
        await asyncio.sleep(LOOK_S)

    # ------------------------------------------------------------ the end

    async def drain(self) -> float:
        """Wait until every outbox is empty and the city has it all; return how long it took."""
        began = time.monotonic()
        left = {"not looked": 1}
        while left and time.monotonic() - began < self._plan.drain_s:
            if aside := await asyncio.to_thread(self._set_aside):
                await self._again(aside)
            until = time.monotonic() + 5
            while left and time.monotonic() < until:
                left = self._left()
                await asyncio.sleep(LOOK_S if left else 0)
        if left:
            self._field.problems.append(f"not all arrived in {self._plan.drain_s:.0f} s: {left}")
        return time.monotonic() - began

    async def _again(self, aside: list[tuple[str, int]]) -> None:
        """Do what hall IT does with records that a muddled city refused: send them again."""
        for serial, number in aside:
            what = ("--serial", serial, "--service-number", str(number))
            done = await asyncio.to_thread(self._hall.hub_command, "upstream", "retry", *what)
            self._field.notes["sent again after the city refused it"] += 1
            if done.returncode:
                self._field.problems.append(f"upstream retry: {done.stderr[-300:]}")
        await self._hall.hub.part.stop()  # a start looks at once, else it is up to a minute
        await self._hall.hub.part.start()

    def _set_aside(self) -> list[tuple[str, int]]:
        """Return the services of which something is set aside, but for want of a reason."""
        hub = self._hall.state / "hub.db"
        with closing(sqlite3.connect(f"file:{hub}?mode=ro", uri=True)) as db:
            rows = db.execute(
                "SELECT DISTINCT serial, service_number FROM deliveries"
                " WHERE state = 'set_aside' AND reason NOT LIKE '差评缺少%'"
            )
            return [(str(serial), int(number)) for serial, number in rows]

    def _left(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for device in self._hall.devices:
            found[device] = _one(self._hall.outbox(device), "SELECT count(*) FROM outcomes")
        hub = self._hall.state / "hub.db"
        known = {name for each in self._field.restored for name in each.invitations}
        waiting = "SELECT count(*) FROM deliveries WHERE state = 'waiting'"
        found["waiting for the city"] = _one(hub, waiting)
        found["set aside"] = len(self._set_aside())
        with closing(sqlite3.connect(f"file:{hub}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT id FROM invitations WHERE outcome IS NULL").fetchall()
        found["open"] = len([row for row in rows if row[0] not in known])
        return {name: count for name, count in found.items() if count}


def _one(file: Path, query: str, *values: object) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        return int(db.execute(query, values).fetchone()[0])
