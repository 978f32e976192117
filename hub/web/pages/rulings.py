"""The office looks at a rating and rules on it (复核认定): find, look, check, confirm, list."""

from collections.abc import Sequence
from typing import Any

from litestar import Response, get, post

from hub.errors import DocumentUnfit, UnknownDocument, UnknownRating
from hub.rules.access import Scope
from hub.rules.documents import LIMIT, PER_RULING
from hub.rulings import LISTED, Looked
from hub.store.documents import Document
from hub.web.pages import forms, records, render, troubles
from hub.web.pages.forms import Form
from hub.web.pages.site import Http, TheSite, form, person
from hub.web.rulings import DocumentKey, InvitationKey, RulingRequest, file
from hub.web.values import CaseKey
from protocol import strict
from protocol.catalogue import LEVELS, load
from protocol.errors import CatalogueError
from protocol.strict import Faults

_ONE = "/rulings/rating/{id:str}"
_MOST = PER_RULING * LIMIT + (1 << 20)
_SAY_WHY = "请填写不予采纳的理由，最多 300 个字"
_SHOW_IT = f"请上传 1 至 {PER_RULING} 份证据文件"


@get("/rulings", scope=Scope.RULE)
async def overview(request: Http, site: TheSite) -> Response[Any]:
    """Ask for which rating; show the rulings that were made, the newest first."""
    return await _overview(request, site)


@post("/rulings/find", scope=Scope.RULE, back="/rulings", status_code=200)
async def find(request: Http, site: TheSite) -> Response[Any]:
    """Lead to the rating of a service; its serial does not stand in an address."""
    asked = form(request)
    number = asked.text("service_number")[:2] or "1"
    given: dict[str, object] = {
        "serial": asked.text("serial"),
        "service_number": int(number) if number.isascii() and number.isdigit() else number,
    }
    try:
        key = strict.convert(given, CaseKey)
        found = await site.rulings.find(key.serial, key.service_number)
    except (UnknownRating, Faults) as error:
        _, said, status, _ = troubles.explain(request, error)
        return await _overview(
            request, site, status=status, said=said, serial=asked.text("serial"), number=number
        )
    return render.to(f"/rulings/rating/{found}")


@get(_ONE, scope=Scope.RULE, back="/rulings")
async def rating(request: Http, site: TheSite) -> Response[Any]:
    """Show a rating, with what was ruled on it or a form to rule."""
    return await _rating(request, site, done=request.query_params.get("done") == "ruled")


@post(
    _ONE + "/check",
    scope=Scope.RULE,
    back="/rulings/rating/{id}",
    status_code=200,
    request_max_body_size=2 * _MOST,
    opt={forms.FILES: _MOST},
)
async def check(request: Http, site: TheSite) -> Response[Any]:
    """Keep the files; ask once more, for it cannot be undone."""
    asked, caller = form(request), person(request).caller
    reason, named = _reason(asked), list(dict.fromkeys(asked.every("kept")))
    kept: tuple[Document, ...] = ()
    try:
        kept = await site.rulings.known(named)
        for each in asked.files("file"):
            document = await site.rulings.keep(await each.read(LIMIT + 1), caller)
            kept += (document,) if document not in kept else ()
        said = "" if 0 < len(kept) <= PER_RULING else _SHOW_IT
        said = said if 0 < len(reason) <= 300 else _SAY_WHY
        if not said:
            strict.convert(
                {"reason": reason, "evidence": [each.digest for each in kept]}, RulingRequest
            )
    except (DocumentUnfit, UnknownDocument, Faults) as error:
        _, said, _, _ = troubles.explain(request, error)
    if said or asked.text("answer") == "change":
        return await _rating(
            request, site, status=422 if said else 200, said=said, reason=reason, kept=kept
        )
    looked = await site.rulings.look(_id(request), caller)
    return render.page(request, "ruling_confirm.html", **_words(looked), reason=reason, kept=kept)


@post(_ONE + "/rule", scope=Scope.RULE, back="/rulings/rating/{id}", status_code=200)
async def rule(request: Http, site: TheSite) -> Response[Any]:
    """Rule that the rating is not adopted."""
    asked = form(request)
    given = strict.convert(
        {"reason": _reason(asked), "evidence": asked.every("kept")}, RulingRequest
    )
    identifier = _id(request)
    await site.rulings.rule(identifier, given.reason, given.evidence, person(request).caller)
    return render.to(f"/rulings/rating/{identifier}?done=ruled")


@get("/rulings/document/{digest:str}", scope=Scope.RULE, back="/rulings")
async def document(request: Http, site: TheSite) -> Response[Any]:
    """Hand out a document to be saved."""
    digest = strict.convert({"digest": request.path_params["digest"]}, DocumentKey).digest
    return file(*await site.rulings.document(digest, person(request).caller))


async def _overview(
    request: Http,
    site: TheSite,
    *,
    status: int = 200,
    said: str = "",
    serial: str = "",
    number: str = "1",
) -> Response[Any]:
    before = records.position(request.query_params.get("before", ""))
    found = await site.rulings.made(before, LISTED + 1)
    return render.page(
        request,
        "rulings.html",
        status=status,
        said=said,
        serial=serial,
        number=number,
        rulings=found[:LISTED],
        older=found[LISTED - 1].position if len(found) > LISTED else None,
        newest=before is not None,
    )


async def _rating(
    request: Http,
    site: TheSite,
    *,
    status: int = 200,
    said: str = "",
    reason: str = "",
    kept: Sequence[Document] = (),
    done: bool = False,
) -> Response[Any]:
    looked = await site.rulings.look(_id(request), person(request).caller)
    return render.page(
        request,
        "ruling_rating.html",
        status=status,
        **_words(looked),
        said=said,
        reason=reason,
        kept=kept,
        most=PER_RULING,
        limit=LIMIT >> 20,
        done="已认定：这次评价不予采纳，按未评计。" if done and looked.ruling else "",
    )


def _words(looked: Looked) -> dict[str, Any]:
    rated = looked.rated
    try:
        texts = {each.code: each.text for each in load(rated.catalogue).reasons(rated.level)}
    except CatalogueError:
        texts = {}
    return {
        "looked": looked,
        "asked": looked.rating.asked,
        "level": LEVELS[rated.level],
        "bad": rated.level in rated.bad,
        "reasons": [texts.get(code, f"编号 {code}") for code in rated.reasons],
    }


def _reason(asked: Form) -> str:
    """Return the reason with line feeds as the ledger has them: browsers send CR LF."""
    return asked.text("reason").replace("\r\n", "\n")


def _id(request: Http) -> str:
    given = {"id": str(request.path_params["id"])}
    return strict.convert(given, InvitationKey).id


PAGES = [overview, find, rating, check, rule, document]
