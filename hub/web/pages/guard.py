"""Who is let in to the pages: a session in a cookie, the rights of its user, a form of its own."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers.base import BaseRouteHandler

from hub.accounts.denials import Denial
from hub.accounts.door import Person
from hub.rules.access import Scope
from hub.web import auth
from hub.web.pages import forms
from hub.web.pages.site import Site
from hub.web.problems import Refused

Connection = ASGIConnection[Any, Any, Any, Any]

UNCHANGED = "unchanged"
"""Where a route says, in its `opt`, that one who must choose a new password may come."""

_SAFE = frozenset({"GET", "HEAD"})


class SignInNeeded(Exception):
    """Nobody is signed in. `then`: where they wanted to go; `why` the session ended."""

    def __init__(self, then: str, why: str) -> None:
        super().__init__(then)
        self.then = then
        self.why = why


class ChangeNeeded(Exception):
    """The password was given by somebody else: first another one is to be chosen.

    `then`: where they wanted to go.
    """

    def __init__(self, then: str) -> None:
        super().__init__(then)
        self.then = then


def cookie_name(name: Literal["session", "form"], *, secure: bool) -> str:
    """Return the name of a cookie; the prefix binds it to this host and to TLS (RFC 6265bis)."""
    return f"__Host-pingyi-{name}" if secure else f"pingyi-{name}"


def cookie(name: Literal["session", "form"], value: str, *, secure: bool) -> Cookie:
    """Return a cookie that no script reads and no other site's page sends; empty = taken back."""
    return Cookie(
        key=cookie_name(name, secure=secure),
        value=value,
        max_age=None if value else 0,
        path="/",
        httponly=True,
        secure=secure,
        samesite="strict",
    )


def token(connection: Connection, name: Literal["session", "form"], *, secure: bool) -> str:
    """Return what a browser shows of a cookie, an empty text if nothing."""
    return connection.cookies.get(cookie_name(name, secure=secure), "")


def guard(site: Site) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """Return the guard of all pages behind the sign-in."""

    async def check(connection: Connection, route: BaseRouteHandler) -> None:
        shown = token(connection, "session", secure=site.secure)
        found = site.door.who(shown, auth.address(connection))
        if not isinstance(found, Person):
            raise SignInNeeded(_wanted(connection), found.why)
        connection.state.person = found
        try:
            await _let_in(site, connection, route, found)
        except BaseException:
            if form := connection.state.get("form"):
                await form.close()
            raise

    return check


async def _let_in(
    site: Site, connection: Connection, route: BaseRouteHandler, found: Person
) -> None:
    scope: Scope | None = route.opt.get(auth.SCOPE)
    may = scope is None or found.caller.may(scope)
    if connection.scope.get("method") not in _SAFE:
        try:
            forms.check_origin(connection, site.hosts)
            # The files of one who may not send them are not even read.
            form = await forms.read(connection, files=route.opt.get(forms.FILES, 0) if may else 0)
            connection.state.form = form
            forms.check_token(form, found.session.csrf)
        except Refused as refused:
            if refused.kind == "forbidden":
                _note(site, connection, found, "csrf")
            raise
    if found.user.must_change and not route.opt.get(UNCHANGED):
        raise ChangeNeeded(_wanted(connection))
    if scope is not None and not may:
        _note(site, connection, found, scope)
        raise Refused("forbidden", "您的账号没有这项权限；工作需要时请联系信息化管理员")


def _note(site: Site, connection: Connection, found: Person, why: str) -> None:
    denial = Denial(
        actor=found.caller.name,
        action="forbidden",
        target=auth.called(connection),
        why=why,
        address=found.caller.address,
    )
    site.denials.note(denial)


def _wanted(connection: Connection) -> str:
    """Return the page that was asked for, to be gone to after signing in."""
    if connection.scope.get("method") != "GET":
        return "/"
    query = connection.url.query
    return connection.url.path + (f"?{query}" if query else "")
