"""Whether the ledger still begins as it was signed before: what is looked at before each signing.

By the newest checkpoint of the database and by the one that lies beside it (`lastsigned`).
"""

from pathlib import Path

from msgspec import Struct
from sqlite_utils import Database

from hub.rules import tree as rules
from hub.rules.checkpoint import Checkpoint, CheckpointInvalid, Verifier, opened
from hub.rules.tree import Frontier, leaf_hash
from hub.store import lastsigned, ledger, traces, tree

_ADVICE = (
    "不再签新的检查点；评价照常入账。请保留现场，用 pingyi-hub verify 核查。"
    "要换回旧数据，请用 pingyi-hub restore，不要直接覆盖文件"
)


class Doubt(Struct, frozen=True):
    """Why nothing is signed: a word for the log, and a text in Chinese that says what to do."""

    word: str
    text: str


def doubt(db: Database, by: Verifier) -> Doubt | None:
    """Return what speaks against signing on, by the newest checkpoints; None: nothing does."""
    folder = traces.file_of(db).parent
    newest = tree.newest(db)
    return _file(db, by, folder / lastsigned.NAME) or (
        None if newest is None else _newest(db, by, newest)
    )


def _file(db: Database, by: Verifier, path: Path) -> Doubt | None:
    after = f"查明原因、决定用现有的数据继续的，把 {path} 移走再重新启动服务器"
    try:
        note = lastsigned.read(path.parent)
        if note is None:  # a hub of before has left none
            return None
        checkpoint = opened(note, by)
    except OSError as error:
        text = f"{path} 无法读取（{error.strerror}）：{_ADVICE}。{after}"
        return Doubt("file-unreadable", text)
    except CheckpointInvalid as error:
        text = f"{path} 里不是本台账签过的检查点（{error}）：{_ADVICE}。{after}"
        return Doubt("file-unreadable", text)
    if tree.gave(db, checkpoint.size, note):
        return None
    text = (
        f"签过的检查点（{checkpoint.size} 条，见 {path}）不在数据文件里："
        f"检查点被删去或换过，或数据文件被换成了旧的。{_ADVICE}。{after}"
    )
    return Doubt("gone", text)


def _newest(db: Database, by: Verifier, kept: tree.Kept) -> Doubt | None:
    try:
        checkpoint = opened(kept.note, by)
    except CheckpointInvalid as error:
        return Doubt("not-ours", f"最新的检查点不可信：{error}。{_ADVICE}")
    if checkpoint.size != kept.size:  # put in as a larger one, it would stop all that follow
        text = (
            f"最新的检查点登记为 {kept.size} 条，签的是 {checkpoint.size} 条：被改动过。{_ADVICE}"
        )
        return Doubt("not-ours", text)
    size = ledger.size(db)
    if checkpoint.size > size:
        text = f"检查点有 {checkpoint.size} 条，台账只有 {size} 条：末尾被删去。{_ADVICE}"
        return Doubt("tail", text)
    try:
        root = rules.root(checkpoint.size, tree.Nodes(db))
    except (LookupError, ValueError):  # entries or tiles are missing
        root = b""
    return None if root == checkpoint.root else _altered(checkpoint)


def _altered(checkpoint: Checkpoint) -> Doubt:
    text = f"台账与签过的检查点（{checkpoint.size} 条）不符：有记录被改动。{_ADVICE}"
    return Doubt("altered", text)


class Reading:
    """Hashes the entries themselves again, a part at a time, up to the newest checkpoint.

    The tree that is kept saves work and would hide an entry altered below it. `fits` is what
    the last whole reading has shown, None while there was none; `doubt` the same in words.
    """

    def __init__(self, by: Verifier) -> None:
        self._by = by
        self._frontier = Frontier()
        self._towards: Checkpoint | None = None
        self.fits: bool | None = None
        self.doubt: Doubt | None = None

    def go_on(self, db: Database, limit: int) -> bool:
        """Hash at most `limit` entries more; False at the end of a reading."""
        if self._towards is None:
            self._towards = self._target(db)
        if self._towards is None:
            self.fits, self.doubt = True, None
            return False
        before, target = self._frontier.size, self._towards
        for entry in ledger.entries(db, before, min(limit, target.size - before)):
            self._frontier.add(leaf_hash(ledger.line(entry)))
        if before < self._frontier.size < target.size:
            return True
        self.fits = self._frontier.root() == target.root
        self.doubt = None if self.fits else _altered(target)
        self._frontier, self._towards = Frontier(), None
        return False

    def _target(self, db: Database) -> Checkpoint | None:
        """Return the newest checkpoint; one that cannot be believed is told by `doubt`."""
        newest = tree.newest(db)
        try:
            return None if newest is None else opened(newest.note, self._by)
        except CheckpointInvalid:
            return None
