"""Who may call: one key per window system, looked up at every call, with what it may do."""

import ipaddress
from collections.abc import Callable
from pathlib import Path

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from msgspec.structs import replace

from hub.accounts.denials import Denial
from hub.rules.access import Caller, Scope
from hub.store import api_keys, database
from hub.store.signet import Forged
from hub.web.problems import Refused

Guard = Callable[[ASGIConnection, BaseRouteHandler], None]  # type: ignore[type-arg]

_REALM = 'Bearer realm="pingyi"'

SCOPE = "scope"
"""Where a route says, in its `opt`, what its caller must be allowed to do."""


def address(connection: ASGIConnection) -> str:  # type: ignore[type-arg]
    """Return where a request comes from.

    An IPv6 address stands for its /64: a single subscriber has all of it.
    """
    host = connection.client.host if connection.client else ""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


class Keys:
    """The interface keys, read where they are kept: one that is revoked is out at once.

    To be opened and used in one thread, the event loop's. `denied` is told of who is not let
    in, `forged` of keys that were put in past the hub: they open nothing.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], int],
        denied: Callable[[Denial], None] = lambda _: None,
        forged: Callable[[Forged], None] = lambda _: None,
    ) -> None:
        self._db = database.connect(path)
        self._now = now
        self.denied = denied
        self._forged = forged

    def caller(self, key: str) -> Caller | None:
        """Return who comes with a key, or None if it opens nothing."""
        try:
            return api_keys.caller(self._db, key, self._now())
        except Forged as error:
            self._forged(error)
            return None

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def guard(keys: Keys) -> Guard:
    """Return the guard that lets in who shows a key (RFC 6750) with the scope of the route.

    A cookie opens nothing here: a page of somebody else can make a browser send that, too.
    """

    def check(connection: ASGIConnection, route: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        place = address(connection)
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            keys.denied(_denial("unknown", "api", "", "no_key", place))
            raise _refuse("请在请求头中给出 Authorization: Bearer <接口密钥>")
        caller = keys.caller(key.strip())
        if caller is None:
            keys.denied(_denial("unknown", "api", "", "wrong_key", place))
            raise _refuse(
                "接口密钥不正确，或已停用、过期：请向信息化管理员核对", error="invalid_token"
            )
        scope: Scope | None = route.opt.get(SCOPE)
        if scope is not None and not caller.may(scope):
            keys.denied(_denial(caller.name, "forbidden", called(connection), scope, place))
            raise Refused(
                "forbidden",
                f"这个密钥没有“{scope}”权限：请信息化管理员另发有此权限的密钥",
                {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'},
            )
        connection.state.caller = replace(caller, address=place)

    return check


def called(connection: ASGIConnection) -> str:  # type: ignore[type-arg]
    """Return method and route, without what stands in the address (serials, names)."""
    return f"{connection.scope.get('method', '')} {connection.scope.get('path_template', '')}"


def _denial(actor: str, action: str, target: str, why: str, place: str) -> Denial:
    return Denial(actor=actor, action=action, target=target, why=why, address=place)


def _refuse(detail: str, error: str = "") -> Refused:
    challenge = _REALM + (f', error="{error}"' if error else "")
    return Refused("unauthorized", detail, {"WWW-Authenticate": challenge})
