"""Interface keys: add (shown once), list, revoke (接口密钥)."""

from typing import Annotated, Any

from litestar import Response, get, post
from msgspec import Meta, Struct

from hub.accounts import changes
from hub.accounts.errors import AccountError
from hub.accounts.wording import SCOPES
from hub.rules.access import KEY_SCOPES, Scope
from hub.store import api_keys
from hub.web.pages import render, troubles
from hub.web.pages.site import Http, TheSite, form, person
from protocol import strict
from protocol.messages import Name


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a new key; `days` None = it has no end."""

    label: Name
    days: Annotated[int, Meta(ge=1, le=3650)] | None


@get("/keys", scope=Scope.ACCOUNTS)
async def keys(request: Http, site: TheSite) -> Response[Any]:
    """Show all keys, and ask for a new one."""
    done = request.query_params.get("done") == "revoked"
    return await _list(request, site, done="密钥已停用，立即失效。" if done else "")


@post("/keys", scope=Scope.ACCOUNTS, back="/keys", status_code=200)
async def add(request: Http, site: TheSite) -> Response[Any]:
    """Make a key; it is shown on this page only."""
    asked = form(request)
    days = asked.text("days")
    scopes = frozenset(scope for scope in KEY_SCOPES if scope in asked.every("scope"))
    try:
        new = strict.convert(
            {
                "label": asked.text("label"),
                "days": int(days) if days.isascii() and days.isdigit() else days or None,
            },
            NewKey,
        )
        name, secret = await site.register.change(
            person(request).caller,
            lambda job: changes.add_key(job, new.label, scopes, new.days),
        )
    except (AccountError, strict.Faults) as error:
        _, said, status, _ = troubles.explain(request, error)
        return await _list(request, site, status=status, said=said)
    return render.page(request, "key_given.html", name=name, secret=secret, label=new.label)


@post("/keys/revoke", scope=Scope.ACCOUNTS, back="/keys", status_code=200)
async def revoke(request: Http, site: TheSite) -> Response[Any]:
    """Have a key open nothing from now on."""
    name = form(request).text("id")
    await site.register.change(person(request).caller, lambda job: changes.revoke_key(job, name))
    return render.to("/keys?done=revoked")


async def _list(
    request: Http, site: TheSite, *, status: int = 200, said: str = "", done: str = ""
) -> Response[Any]:
    found = await site.register.look(api_keys.listed)
    now = site.now()
    found.sort(key=lambda each: (not each.works(now), -each.created_at))
    return render.page(
        request,
        "keys.html",
        status=status,
        keys=[(each, each.works(now)) for each in found],
        scopes=SCOPES,
        said=said,
        done=done,
    )


PAGES = [keys, add, revoke]
