"""Erases what has been kept long enough, and one citizen's data on request.

Each step is a short transaction beside the running hub, with its entry in the ledger: how much
was erased and by which rule, never whose. Then the file itself is searched for what went.
"""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct
from sqlite_utils import Database

from hub.citizens import rotation
from hub.rules.access import HUB
from hub.rules.days import DAY_MS
from hub.rules.retention import Retention, clock_doubt
from hub.store import audit, citizens, database, erasure, ledger, traces
from hub.store.erasure import Hindrance
from hub.store.turns import turn
from hub.store.vault import Vault

log = logging.getLogger(__name__)

PER_STEP = 100
LOOKED_AT = 200_000
"""Ratings that one run looks at for words; the next run goes on behind them."""

SMALL = 200 << 20
"""Bytes of a file that is written anew at any time of the day: some two seconds."""

_STANDS = "保存期满"


_LOOK = "请核对服务器时间；确认无误后执行 pingyi-hub citizens retention --clock-is-right"
_TRACES = (
    "已删除的数据在数据文件的空闲处还有残留，今晚会再清理；反复出现时请检查磁盘空间，"
    "或停止服务后执行 pingyi-hub citizens retention"
)


class NotErasable(Exception):
    """The city has not got all of it, or there is nothing; the text says what to do."""

    def __init__(self, why: Hindrance) -> None:
        super().__init__(_WHY[why])
        self.why = why


_WHY: dict[Hindrance, str] = {
    "unknown": "没有这个办件，请核对流水号和服务次数",
    "erased": "这个办件的办件人信息已经删除",
    "open": "这个办件还有没结束的评价邀请，评价器可能还要送来评价：请等它结束再删除",
    "waiting": "这个办件还有记录在等待报送，上级平台收到之前不能删除："
    "请用 pingyi-hub upstream status 查看，报送完再删除",
    "set_aside": "这个办件有被搁置的记录，上级平台还没有收到：请先更正并重新报送，再删除",
    "unsent": "上级平台还没有收到这个办件的全部记录，不能删除：请先完成报送",
}


class Result(Struct, frozen=True, kw_only=True):
    """What a run did, or would do: cases, entries with words, pieces of refused evidence.

    `more`: the bound was met, the rest follows. `kept_back`: cases as old that the city has not
    whole. `traces`: pieces of what was erased that are still in the file. `alarm`: why nothing
    was done, or what is wrong, in Chinese.
    """

    citizens: int = 0
    words: int = 0
    evidence: int = 0
    more: bool = False
    kept_back: int = 0
    traces: int = 0
    alarm: str = ""


def plan(state: Path, terms: Retention, now: int) -> Result:
    """Return what a run would erase now; nothing is changed."""
    with closing(database.connect(state / "hub.db")) as db:
        most = terms.per_run
        people = erasure.due(db, now - terms.citizens_days * DAY_MS, most)
        spoken = _spoken(db, terms, now)
        old = erasure.evidence_due(db, now - terms.evidence_days * DAY_MS, most)
        found = (
            len(people) if terms.citizens_days else 0,
            sum(len(entries) for _, entries, _ in spoken),
            len(old) if terms.evidence_days else 0,
        )
        return Result(
            citizens=found[0],
            words=found[1],
            evidence=found[2],
            more=max(found) >= most,
            kept_back=_kept_back(db, terms, now),
            alarm=_doubt(db, now) or "",
        )


def run(
    state: Path,
    vault: Vault,
    terms: Retention,
    now: int,
    *,
    sure: bool = False,
    rebuild: bool = True,
) -> Result:
    """Erase what is due. `sure`: a person has looked at the clock. `rebuild`: also a large file.

    Raises `VaultError`, sqlite3.Error; what was committed before that is erased.
    """
    path = state / "hub.db"
    with _opened(path) as db:
        doubt = None if sure else _doubt(db, now)
        if doubt is not None:
            log.error("retention=refused reason=clock")
            return Result(alarm=f"{doubt}，没有清理任何数据。{_LOOK}")
        unknown = erasure.mark(db, erasure.UNSEARCHED) == 1
        erased: list[bytes] = []
        done = _citizens(db, vault, terms, now, erased)
        words = _words(db, vault, terms, now, erased)
        evidence = _evidence(db, terms, now, erased)
        left = _wipe(db, path, erased, rebuild=rebuild, unknown=unknown)
        with db.atomic():
            erasure.set_mark(db, "ran_at", now)
        result = Result(
            citizens=done,
            words=words,
            evidence=evidence,
            more=max(done, words, evidence) >= terms.per_run,
            kept_back=_kept_back(db, terms, now),
            traces=left,
            alarm=_TRACES if left else "",
        )
    log.info("retention=done citizens=%d words=%d evidence=%d", done, words, evidence)
    return result


def erase(
    state: Path, vault: Vault, serial: str, service_number: int, now: int, *, by: str, why: str
) -> Result:
    """Erase a citizen's data of one case with all they wrote. `why`: a rule, nothing personal.

    Raises `NotErasable`, `VaultError`, sqlite3.Error.
    """
    path = state / "hub.db"
    with _opened(path) as db:
        rotation.adopt(db, vault)
        unknown = erasure.mark(db, erasure.UNSEARCHED) == 1
        with _step(db):
            hindrance = erasure.hindrance(db, serial, service_number)
            if hindrance is not None:
                raise NotErasable(hindrance)
            erased = citizens.erase(db, serial, service_number)
            found = Result(citizens=int(bool(erased)))
            spoken = erasure.words_of_case(db, serial, service_number)
            entry, words = erasure.erase_words(
                db, vault, spoken, by=by, why=f"{why}：办件人信息 {found.citizens} 件", now=now
            )
            erased += words
            refused = erasure.evidence_of_case(db, serial, service_number)
            erased += erasure.erase_evidence(db, refused)
            audit.note(
                db,
                now,
                by,
                "erase_citizen",
                f"{serial}/{service_number}",
                detail={"reason": why, "times": len(spoken), "entry": entry},
            )
        small = path.stat().st_size < SMALL
        left = _wipe(db, path, erased, rebuild=small, unknown=unknown)
    return Result(citizens=found.citizens, words=len(spoken), evidence=len(refused), traces=left)


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    with closing(database.connect(path)) as db:
        traces.shred(db)
        yield db


@contextmanager
def _step(db: Database) -> Iterator[None]:
    """One turn at writing; what it erases is to be searched for."""
    with turn(db):
        erasure.set_mark(db, erasure.UNSEARCHED, 1)
        yield


def _doubt(db: Database, now: int) -> str | None:
    return clock_doubt(now, erasure.mark(db, "ran_at"), erasure.newest_entry_at(db))


def _kept_back(db: Database, terms: Retention, now: int) -> int:
    days = terms.citizens_days
    return erasure.kept_back(db, now - days * DAY_MS) if days else 0


def _citizens(db: Database, vault: Vault, terms: Retention, now: int, erased: list[bytes]) -> int:
    if not terms.citizens_days:
        return 0
    rotation.adopt(db, vault)
    before = now - terms.citizens_days * DAY_MS
    people = erasure.due(db, before, terms.per_run)
    done = 0
    for start in range(0, len(people), PER_STEP):
        with _step(db):
            gone = [
                key
                for key in people[start : start + PER_STEP]
                if erasure.still_due(db, before, *key)
            ]
            for key in gone:
                erased += citizens.erase(db, *key)
            if gone:
                said = f"{_STANDS}：办件人信息 {len(gone)} 件"
                entry = ledger.erase(db, vault, (), by=HUB.name, why=said, now=now)
                _note(db, now, "citizens", len(gone), entry)
        done += len(gone)
    return done


def _spoken(
    db: Database, terms: Retention, now: int
) -> list[tuple[str, list[tuple[int, bytes]], int]]:
    """Return, per class of words, its name, the entries that are due, and where to go on."""
    found = []
    for name, days, look in (
        ("comments", terms.comments_days, erasure.words_due),
        ("added", terms.comments_days, erasure.added_words_due),
        ("refused", terms.evidence_days, erasure.refused_words_due),
    ):
        if days:
            after = erasure.mark(db, name) or 0
            entries, on = look(db, now - days * DAY_MS, after, LOOKED_AT, terms.per_run)
            found.append((name, entries, on))
    return found


def _words(db: Database, vault: Vault, terms: Retention, now: int, erased: list[bytes]) -> int:
    total = 0
    for name, entries, on in _spoken(db, terms, now):
        for start in range(0, len(entries), PER_STEP):
            part = entries[start : start + PER_STEP]
            with _step(db):
                said = f"{_STANDS}：留言 {len(part)} 条"
                entry, words = erasure.erase_words(db, vault, part, by=HUB.name, why=said, now=now)
                erased += words
                _note(db, now, name, len(part), entry)
        with db.atomic():
            erasure.set_mark(db, name, on)
        total += len(entries)
    return total


def _evidence(db: Database, terms: Retention, now: int, erased: list[bytes]) -> int:
    if not terms.evidence_days:
        return 0
    old = erasure.evidence_due(db, now - terms.evidence_days * DAY_MS, terms.per_run)
    for start in range(0, len(old), PER_STEP):
        with _step(db):
            part = old[start : start + PER_STEP]
            erased += erasure.erase_evidence(db, part)
            _note(db, now, "evidence", len(part))
    return len(old)


def _note(db: Database, now: int, what: str, times: int, entry: int | None = None) -> None:
    detail = {"times": times} if entry is None else {"times": times, "entry": entry}
    audit.note(db, now, HUB.name, "retention", what, detail=detail)


def _wipe(db: Database, path: Path, erased: list[bytes], *, rebuild: bool, unknown: bool) -> int:
    """Search the file for what was erased; `unknown`: also for what an earlier run left."""
    if not erased and not unknown:
        traces.flush(db)
        return 0
    left = traces.wipe(db, path, erased, rebuild=rebuild, unknown=unknown)
    if not left:
        with db.atomic():
            erasure.set_mark(db, erasure.UNSEARCHED, 0)
        traces.flush(db)
    return left
