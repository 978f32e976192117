"""Rulings (复核认定): the office looks at a rating, and may rule that it is not adopted.

From then on it counts as 未评. The rating stands as it was signed; ruling, reason and evidence
stand in the ledger behind it, and the city is told (domain page, D8).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from sqlite_utils import Database

from hub.errors import (
    AlreadyRuled,
    DocumentUnfit,
    NotCounted,
    OwnRating,
    RatingAltered,
    RatingErased,
    UnknownDocument,
    UnknownRating,
)
from hub.evidence import Examiner
from hub.rules.access import Caller
from hub.rules.afterwards import Ruled
from hub.rules.records import rated_at
from hub.store import afterwards, audit, database, documents, rulings
from hub.store.documents import Document
from hub.store.rulings import Rating, Ruling
from hub.store.vault import Vault
from hub.store.writer import Writer
from protocol.errors import ProtocolError
from protocol.messages import Rated

T = TypeVar("T")

LISTED = 100
"""How many rulings are told at once."""

UNUSED = 100
"""How many documents may lie there at once that no ruling rests on: the disk is not theirs."""

_ERASED = "评价内容已按规定删除，看不到就不能认定"


class Looked(Struct, frozen=True, kw_only=True):
    """A rating as the office sees it; `ruling`: what was ruled on it, if anything.

    `at`: when it was given, ms since 1970; `added`: what the citizen wrote later, or nothing.
    """

    rating: Rating
    rated: Rated
    at: int
    added: str
    ruling: Ruling | None


class Rulings:
    """Every look and every ruling is a job of the writer: none goes without the audit trail.

    `verify(device, jws)` returns the rating that a device signed, or raises `ProtocolError`;
    `queued()` is called after a commit that has something new for the city.
    """

    def __init__(
        self,
        path: Path,
        writer: Writer,
        vault: Vault,
        *,
        verify: Callable[[str, bytes], Rated],
        now: Callable[[], int],
        queued: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._writer = writer
        self._vault = vault
        self._verify = verify
        self._now = now
        self._queued = queued
        self._examiner = Examiner()

    async def find(self, serial: str, service_number: int) -> str:
        """Return the invitation whose rating is that of a service; raises `UnknownRating`."""
        found = await self._read(lambda db: rulings.of_service(db, serial, service_number))
        if found is None:
            raise UnknownRating(
                f"办件 {serial}/{service_number} 没有评价：请核对业务流水号和第几次服务"
            )
        return found

    async def look(self, invitation: str, by: Caller) -> Looked:
        """Return a rating; the look is in the audit trail before anybody sees it.

        Raises `UnknownRating`, `RatingErased`, `RatingAltered`.
        """

        def job(db: Database) -> Looked:
            rating = _rating(db, invitation)
            rated = self._opened(rating)
            asked = rating.asked
            audit.note(
                db,
                self._now(),
                by,
                "look_rating",
                f"{asked.serial}/{asked.service_number}",
                detail={"entry": rating.position},
            )
            added = afterwards.added(db, invitation)
            return Looked(
                rating=rating,
                rated=rated,
                at=rated_at(rated.stamp, rating.recorded_at),
                added=added[0].text if added else "",
                ruling=rulings.ruling_of(db, invitation),
            )

        return await self._writer.run(job)

    async def keep(self, data: bytes, by: Caller) -> Document:
        """Keep a document to be named in a ruling within a day; raises `DocumentUnfit`."""
        kind = await self._examiner.kind(data)

        def job(db: Database) -> Document:
            kept = documents.keep(db, self._vault, data, kind, by=by.name, now=self._now())
            if documents.unused(db) > UNUSED:
                raise DocumentUnfit(
                    f"已有 {UNUSED} 份上传后没有使用的文件：请先用于认定，或等一天后自动清除"
                )
            detail = {"bytes": kept.size}
            audit.note(db, self._now(), by, "keep_document", kept.digest[:16], detail=detail)
            return kept

        return await self._writer.run(job)

    async def known(self, digests: Sequence[str]) -> tuple[Document, ...]:
        """Return what is known of documents; raises `UnknownDocument`."""
        return await self._read(lambda db: _known(db, digests))

    async def rule(
        self, invitation: str, reason: str, evidence: Sequence[str], by: Caller
    ) -> Ruling:
        """Rule that a rating is not adopted; it cannot be undone.

        Raises `UnknownRating`, `RatingErased`, `RatingAltered`, `AlreadyRuled`, `NotCounted`,
        `OwnRating`, `UnknownDocument`, `VaultError`.
        """

        def job(db: Database, _: set[str]) -> Ruling:
            rating = _rating(db, invitation)
            asked = rating.asked
            service = f"{asked.serial}/{asked.service_number}"
            if rulings.ruling_of(db, invitation) is not None:
                raise AlreadyRuled(f"办件 {service} 的评价已经认定不采纳，不能重复认定")
            if not rating.counts:
                raise NotCounted(
                    f"办件 {service} 先有一次评价，这一次是重复的，本来就不计入，不用认定"
                )
            self._opened(rating)
            if by.staff is not None and (by.staff.name, by.staff.number) == (
                asked.staff.name,
                asked.staff.number,
            ):
                raise OwnRating("这是群众对您本人的评价，请由办公室其他人员认定")
            named = tuple(dict.fromkeys(each.digest for each in _known(db, evidence)))
            ruled = Ruled(of=rating.position, by=by.name, reason=reason, evidence=named)
            made = rulings.enter(db, self._vault, rating, ruled, self._now())
            audit.note(
                db,
                self._now(),
                by,
                "rule",
                service,
                detail={"entry": made.position, "reason": reason, "evidence": len(named)},
            )
            return made

        return await self._writer.change(job, lambda _: self._queued())

    async def made(self, before: int | None = None, limit: int = LISTED) -> list[Ruling]:
        """Return up to `limit` rulings below a ledger position, the newest first."""
        return await self._read(lambda db: rulings.made(db, before, limit))

    async def of(self, invitation: str) -> Ruling:
        """Return the ruling on a rating; raises `UnknownRating` where there is none."""
        found = await self._read(lambda db: rulings.ruling_of(db, invitation))
        if found is None:
            raise UnknownRating("这个评价没有复核认定，或没有这个编号的评价")
        return found

    async def document(self, digest: str, by: Caller) -> tuple[Document, bytes]:
        """Return a document that a ruling rests on; the look is in the audit trail.

        Raises `UnknownDocument`, `VaultError`.
        """
        found = await self._read(lambda db: documents.opened(db, self._vault, digest))
        if found is None:
            raise UnknownDocument("没有这个证据文件，请从认定的页面进入")

        def job(db: Database) -> None:
            audit.note(db, self._now(), by, "look_document", digest[:16])

        await self._writer.run(job)
        return found

    def _opened(self, rating: Rating) -> Rated:
        try:
            return self._verify(rating.device, rating.body)
        except ProtocolError as error:
            raise RatingAltered(
                "台账中这条评价与评价器的签名不符，疑被改动：不能认定，请用 pingyi-hub verify 核查"
            ) from error

    async def _read(self, read: Callable[[Database], T]) -> T:
        def work() -> T:
            with closing(database.connect(self._path)) as db:
                return read(db)

        return await asyncio.to_thread(work)


def _rating(db: Database, invitation: str) -> Rating:
    found = rulings.rating(db, invitation)
    if found is None:
        raise UnknownRating("没有这个评价：邀请编号不对，或还没有评价")
    if not found.body:
        raise RatingErased(_ERASED)
    return found


def _known(db: Database, digests: Sequence[str]) -> tuple[Document, ...]:
    found = []
    for digest in digests:
        document = documents.known(db, digest)
        if document is None:
            raise UnknownDocument(
                f"证据文件 {digest[:16]}… 没有上传，或上传后一天内没有使用、已清除：请重新上传"
            )
        found.append(document)
    return tuple(found)
