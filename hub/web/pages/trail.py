"""The audit trail for who audits (操作记录): the newest first, by pages."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get

from hub.accounts import wording
from hub.rules.access import Scope
from hub.store import audit
from hub.web.pages import render
from hub.web.pages.site import Http, TheSite

PAGE = 50


@get("/audit", scope=Scope.AUDIT)
async def trail(request: Http, site: TheSite) -> Response[Any]:
    """Show entries below a position, of all or of one actor, all or only what was denied."""
    asked = request.query_params
    text, denied = asked.get("actor", "").strip(), asked.get("denied") == "1"
    actor, before = actor_of(text), _number(asked.get("before", ""))

    found = await site.register.look(
        lambda db: audit.entries(
            db, before=before, actor=actor or None, denied=denied, limit=PAGE + 1
        )
    )
    kept = {"actor": text} if text else {}
    kept |= {"denied": "1"} if denied else {}
    older = ""
    if len(found) > PAGE:
        older = "/audit?" + urlencode(kept | {"before": found[PAGE - 1].position})
    return render.page(
        request,
        "audit.html",
        acts=[(act, wording.details(act)) for act in found[:PAGE]],
        actor=text,
        denied=denied,
        older=older,
        newest="/audit" + ("?" + urlencode(kept) if kept else "") if before else "",
    )


def actor_of(text: str) -> str:
    """Return the actor that a typed name means: `user:NAME` unless it says otherwise."""
    if not text or ":" in text or text in ("hub", "console", "unknown"):
        return text
    words = {wording.who(word): word for word in ("hub", "console", "unknown")}
    return words.get(text) or f"user:{text.lower()}"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


PAGES = [trail]
