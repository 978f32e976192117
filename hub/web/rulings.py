"""The routes by which a district's own system puts in evidence, rules on ratings and reads it."""

from typing import Annotated, Any, Self, get_args

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import SkipValidation
from msgspec import Meta

from hub.errors import DocumentUnfit
from hub.rules.access import Caller, Scope
from hub.rules.documents import LIMIT, MEDIA_TYPES, PER_RULING, DocumentKind
from hub.rulings import Rulings
from hub.store.deliveries import State
from hub.store.documents import Document
from hub.store.rulings import Ruling
from hub.web import body
from protocol import strict
from protocol.messages import Comment, Count, Identifier, Part

Http = Request[Any, Any, Any]
TheRulings = NamedDependency[SkipValidation[Rulings]]

# Several lines are allowed, blanks alone are not.
_SAYS_SOMETHING = r"^(?=[\s\S]*\S)" + get_args(Comment)[1].pattern.removeprefix("^")
DocumentDigest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?![\s\S])")]


class InvitationKey(Part, frozen=True, kw_only=True):
    """What names an invitation, and the rating that answered it."""

    id: Identifier


class DocumentKey(Part, frozen=True, kw_only=True):
    """What names a document: the SHA-256 of its bytes, hex."""

    digest: DocumentDigest


class RulingRequest(Part, frozen=True, kw_only=True):
    """Why a rating is not adopted, and the documents (put in before) that show it."""

    reason: Annotated[str, Meta(min_length=1, max_length=300, pattern=_SAYS_SOMETHING)]
    evidence: Annotated[tuple[DocumentDigest, ...], Meta(min_length=1, max_length=PER_RULING)]


class KeptDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was put in; `size` in bytes."""

    digest: str
    format: DocumentKind
    size: int

    @classmethod
    def of(cls, document: Document) -> Self:
        """Tell of a document."""
        return cls(digest=document.digest, format=document.kind, size=document.size)


class RulingStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A ruling, and whether the city knows it. It never says which level was given."""

    position: int
    at: int
    invitation: str
    serial: str
    service_number: int
    by: str
    reason: str
    evidence: tuple[KeptDocument, ...]
    told: State
    untold: str

    @classmethod
    def of(cls, ruling: Ruling) -> Self:
        """Tell of a ruling."""
        return cls(
            position=ruling.position,
            at=ruling.at,
            invitation=ruling.invitation,
            serial=ruling.serial,
            service_number=ruling.service_number,
            by=ruling.by,
            reason=ruling.reason,
            evidence=tuple(map(KeptDocument.of, ruling.evidence)),
            told=ruling.told,
            untold=ruling.reason_untold,
        )


class _Before(Part, frozen=True, kw_only=True):
    before: Count


@post("/documents", scope=Scope.RULE, request_max_body_size=LIMIT + 1)
async def put_in(request: Http, rulings: TheRulings) -> KeptDocument:
    """Take a document, the bytes as they are; to be named in a ruling within a day."""
    try:
        data = await request.body()
    except HTTPException as error:
        if error.status_code == 413:
            raise DocumentUnfit(f"文件超过 {LIMIT >> 20} MB：请压缩或拆分后再上传") from error
        raise
    return KeptDocument.of(await rulings.keep(data, _caller(request)))


@post("/invitations/{id:str}/ruling", scope=Scope.RULE)
async def rule(request: Http, rulings: TheRulings) -> RulingStatus:
    """Rule that a rating is not adopted: 201; it cannot be undone."""
    address, data = body.address(request), await body.read(request)
    reading = body.Reading()
    key, asked = reading.take(address, InvitationKey), reading.take(data, RulingRequest)
    if key is None or asked is None:
        raise reading.end()
    made = await rulings.rule(key.id, asked.reason, asked.evidence, _caller(request))
    return RulingStatus.of(made)


@get("/invitations/{id:str}/ruling", scope=Scope.RULE)
async def get_ruling(request: Http, rulings: TheRulings) -> RulingStatus:
    """Tell the ruling on a rating; never which level was given."""
    key = strict.convert(body.address(request), InvitationKey)
    return RulingStatus.of(await rulings.of(key.id))


@get("/rulings", scope=Scope.RULE)
async def get_rulings(rulings: TheRulings) -> list[RulingStatus]:
    """Tell the newest rulings."""
    return _told(await rulings.made())


@get("/rulings/{before:str}", scope=Scope.RULE)
async def get_older(request: Http, rulings: TheRulings) -> list[RulingStatus]:
    """Tell the newest rulings before a position in the ledger."""
    address = body.address(request)
    number = str(address["before"])
    if number.isascii() and number.isdigit() and len(number) < 17:
        address["before"] = int(number)
    return _told(await rulings.made(strict.convert(address, _Before).before))


@get("/documents/{digest:str}", scope=Scope.RULE)
async def get_document(request: Http, rulings: TheRulings) -> Response[bytes]:
    """Hand out a document that a ruling rests on."""
    key = strict.convert(body.address(request), DocumentKey)
    return file(*await rulings.document(key.digest, _caller(request)))


def file(found: Document, data: bytes) -> Response[bytes]:
    """Return a document to be saved: it is opened outside of our pages."""
    name = f"{found.digest[:16]}.{found.kind}"
    return Response(
        data,
        media_type=MEDIA_TYPES[found.kind],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _told(found: list[Ruling]) -> list[RulingStatus]:
    return [RulingStatus.of(each) for each in found]


def _caller(request: Http) -> Caller:
    caller: Caller = request.state.caller
    return caller


API = [put_in, rule, get_ruling, get_rulings, get_older, get_document]
