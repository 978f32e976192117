"""The public face of the ledger: checkpoints and proofs, for anyone, without a key.

Hashes and counts only; nothing here tells of a case, a clerk or a rating.
"""

import base64
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from sqlite_utils import Database

from hub.rules import tree as rules
from hub.rules.checkpoint import Verifier
from hub.store import database, tree
from hub.web.problems import Refused
from protocol import strict
from protocol.messages import Count, Part

Http = Request[Any, Any, Any]


class InclusionProof(msgspec.Struct, frozen=True, kw_only=True):
    """That entry `position` (from 1) is in the ledger of `checkpoint`; hashes are base64."""

    position: int
    entry_hash: str
    proof: tuple[str, ...]
    checkpoint: str


class ConsistencyProof(msgspec.Struct, frozen=True, kw_only=True):
    """That the ledger of `size` entries begins with that of `before`; hashes are base64."""

    before: int
    size: int
    proof: tuple[str, ...]


class PublicLedger:
    """Reads the ledger in a connection of its own for each question; for any thread."""

    def __init__(self, path: Path, by: Verifier) -> None:
        self._path = path
        self._tiles = tree.Remembered()
        self.by = by

    @contextmanager
    def _open(self) -> Iterator[Database]:
        with closing(database.connect(self._path)) as db:
            db.conn.execute("BEGIN")
            yield db
            db.conn.execute("ROLLBACK")

    def checkpoint(self) -> str:
        """Return the newest signed checkpoint."""
        with self._open() as db:
            return _newest(db).note

    def inclusion(self, position: int) -> InclusionProof:
        """Return the proof that an entry is in; raises `Refused` while no checkpoint has it."""
        with self._open() as db:
            return _inclusion(db, position, self._tiles.nodes(db))

    def consistency(self, before: int) -> ConsistencyProof:
        """Return the proof that the newest checkpoint continues that of `before` entries."""
        with self._open() as db:
            newest = _newest(db)
            if not 0 < before <= newest.size:
                raise Refused(
                    "unknown_entry", f"最新的检查点有 {newest.size} 条：请给出 1 至 {newest.size}"
                )
            path = rules.consistency(before, newest.size, self._tiles.nodes(db))
            return ConsistencyProof(before=before, size=newest.size, proof=_texts(path))


def _newest(db: Database) -> tree.Kept:
    newest = tree.newest(db)
    if newest is None:
        raise Refused("unknown_entry", "台账还没有检查点：有了第一条记录后，一分钟内生成")
    return newest


def _inclusion(db: Database, position: int, nodes: rules.Nodes) -> InclusionProof:
    newest = _newest(db)
    if not 0 < position <= newest.size:
        raise Refused(
            "unknown_entry", f"最新的检查点有 {newest.size} 条：请给出 1 至 {newest.size}"
        )
    return InclusionProof(
        position=position,
        entry_hash=_text(nodes(0, position - 1)),
        proof=_texts(rules.inclusion(position - 1, newest.size, nodes)),
        checkpoint=newest.note,
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _texts(path: list[bytes]) -> tuple[str, ...]:
    return tuple(map(_text, path))


TheLedger = NamedDependency[SkipValidation[PublicLedger]]


class _Position(Part, frozen=True, kw_only=True):
    position: Count


class _Before(Part, frozen=True, kw_only=True):
    before: Count


@get("/ledger/checkpoint", media_type=MediaType.TEXT, sync_to_thread=True)
def checkpoint(public: TheLedger) -> str:
    """Tell the newest checkpoint (C2SP tlog-checkpoint)."""
    return public.checkpoint()


@get("/ledger/key", media_type=MediaType.TEXT, sync_to_thread=False)
def key(public: TheLedger) -> str:
    """Tell by which key checkpoints are believed (signed-note verifier key)."""
    return f"{public.by}\n"


@get("/ledger/inclusion/{position:str}", sync_to_thread=True)
def inclusion(request: Http, public: TheLedger) -> InclusionProof:
    """Prove that an entry is in the ledger."""
    return public.inclusion(_number(request, "position", _Position).position)


@get("/ledger/consistency/{before:str}", sync_to_thread=True)
def consistency(request: Http, public: TheLedger) -> Response[ConsistencyProof]:
    """Prove that the ledger of today begins with that of an earlier checkpoint."""
    return Response(public.consistency(_number(request, "before", _Before).before))


def _number(request: Http, name: str, kind: Any) -> Any:
    text = str(request.path_params[name])
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text
    return strict.convert({name: value}, kind)


PUBLIC = [checkpoint, key, inclusion, consistency]
