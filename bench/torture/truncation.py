"""Files that lose their end: a kiosk's outbox, and the hub's database with what backups can do."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.torture.faults import Fault
from bench.torture.field import AtRisk, Field, Restored
from bench.torture.hall import Unit


@dataclass(frozen=True)
class Truncated(Fault):
    """`left` is the share of the database file that stays.

    `killed`: the program had no time to tidy up, so that the write-ahead log lies beside it.
    """

    left: float = 0.5
    killed: bool = False

    @property
    def how(self) -> str:
        """The harm, in words."""
        return f"{self.left:.1%} left after {'kill -9' if self.killed else 'a clean stop'}"

    async def end(self, unit: Unit) -> None:
        """End the program whose file it is."""
        await (unit.part.kill() if self.killed else unit.part.stop())

    def spoil(self, file: Path) -> None:
        """Do it to a database that nobody has open."""
        os.truncate(file, int(file.stat().st_size * self.left))


@dataclass(frozen=True)
class TruncatedOutbox(Truncated):
    """A kiosk's file: it is put aside with an alarm; only what was in it can be missing."""

    @property
    def kind(self) -> str:
        """Its name."""
        return "truncated-outbox"

    async def harm(self, field: Field) -> None:
        device = self.targets[0]
        unit, file = field.unit(device), field.hall.outbox(device)
        await self.end(unit)
        with closing(_copy(file, field.scratch / f"{device}-outbox")) as db:
            waiting = db.execute("SELECT invitation FROM outcomes").fetchall()
        self.spoil(file)
        await asyncio.sleep(self.seconds)
        since = field.log_size(unit)
        aside = len(list(file.parent.glob("outbox.db.damaged-*")))
        await unit.part.start()
        put_aside = len(list(file.parent.glob("outbox.db.damaged-*"))) > aside
        alarmed = put_aside and "outbox=damaged" in field.said(unit, since)
        for old in file.parent.glob("outbox.db.damaged-*"):
            shutil.move(old, field.scratch / f"{device}-{len(field.at_risk)}-{old.name}")
        field.at_risk.append(
            AtRisk(device, self.how, frozenset(row[0] for row in waiting), alarmed)
        )


@dataclass(frozen=True)
class TruncatedHub(Truncated):
    """The hub's file: the hub refuses to start, with words; a backup made before is put back."""

    @property
    def kind(self) -> str:
        """Its name."""
        return "truncated-hub"

    async def harm(self, field: Field) -> None:
        hall, unit, file = field.hall, field.unit("hub"), field.hall.state / "hub.db"
        backup = field.scratch / f"backup-{field.counts[self.kind]}"
        made = await asyncio.to_thread(hall.hub_command, "backup", "--out", str(backup))
        if made.returncode:
            field.problems.append(f"backup of a running hub failed: {made.stderr[-400:]}")
            return
        await asyncio.sleep(self.seconds)  # what comes now is in no backup
        await self.end(unit)
        lost = await asyncio.to_thread(self._lost, field, file, backup)
        self.spoil(file)
        words = await field.refuses_to_start(unit, self.kind)
        if words is None:
            if not self._is_whole(field, file, lost):
                await unit.part.kill()
                await self._restore(field, unit, backup, lost)
            return
        await self._restore(field, unit, backup, lost)

    def _is_whole(self, field: Field, file: Path, lost: Restored) -> bool:
        """Whether the file that the hub runs on has it all, by its write-ahead log."""
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            there = db.execute("SELECT coalesce(max(position), 0) FROM ledger").fetchone()[0]
            verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if there >= lost.entries and verdict == "ok":
            field.notes["truncated-hub: whole by its write-ahead log"] += 1
            return True
        field.problems.append(
            f"the hub started on a truncated file ({self.how}): {there} entries of "
            f"{lost.entries}, check: {verdict}"
        )
        return False

    async def _restore(self, field: Field, unit: Unit, backup: Path, lost: Restored) -> None:
        hall = field.hall
        done = await asyncio.to_thread(hall.hub_command, "restore", "--from", str(backup), "--yes")
        if done.returncode:
            field.problems.append(f"restore failed: {done.stdout[-300:]} {done.stderr[-400:]}")
            raise RuntimeError(done.stdout + done.stderr)
        field.restored.append(lost)
        for old in hall.state.parent.glob("hub.before-*"):
            shutil.move(old, field.scratch / old.name)
        await field.ensure(unit)

    def _lost(self, field: Field, file: Path, backup: Path) -> Restored:
        """Compare, on copies, what the ledger holds with what the backup does."""
        with closing(sqlite3.connect(backup / "hub.db")) as old:
            known = old.execute("SELECT coalesce(max(position), 0) FROM ledger").fetchone()[0]
        with closing(_copy(file, field.scratch / "hub-before")) as db:
            rows = db.execute(
                """
                SELECT l.kind, l.invitation, i.serial, i.service_number
                FROM ledger l LEFT JOIN invitations i ON i.id = l.invitation
                WHERE l.position > ?
                """,
                (known,),
            ).fetchall()
            entries = db.execute("SELECT coalesce(max(position), 0) FROM ledger").fetchone()[0]
        return Restored(
            how=self.how,
            entries=entries,
            rated=frozenset(row[1] for row in rows if row[0] == "rated"),
            invitations=frozenset(row[1] for row in rows if row[1]),
            services=frozenset((row[2], row[3]) for row in rows if row[2]),
        )


def _copy(file: Path, folder: Path) -> sqlite3.Connection:
    """Open a copy of a database that nobody has open, with what its write-ahead log holds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in file.parent.glob(file.name + "*"):
        if part.name in (file.name, file.name + "-wal"):
            shutil.copy2(part, folder)
    return sqlite3.connect(folder / file.name)
