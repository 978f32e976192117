"""From the hub's configuration to the dialect that its city speaks."""

import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from hub.upstream.access import Access, Need, read
from hub.upstream.dialects.base import Dialect
from hub.upstream.dialects.envelope import Envelope
from hub.upstream.dialects.flat import Flat
from hub.upstream.dialects.form import Form
from hub.upstream.dialects.hub import Hub
from hub.upstream.dialects.plain import Plain
from hub.upstream.dialects.signed import Signer
from hub.upstream.dialects.token import Token
from hub.upstream.dialects.transport import Transport
from hub.upstream.quirks import DialectName, Quirks, QuirksError, load, there
from protocol.strict import Faults


class DialectError(Exception):
    """The dialect cannot be used as configured; every fault with its place, in Chinese."""


def dialect_of(
    name: DialectName,
    url: str,
    *,
    base: Path,
    access: Access,
    now: Callable[[], int],
    quirks: str = "",
    timeout_s: float = 15.0,
    tls: ssl.SSLContext | None = None,
) -> Dialect:
    """Return the dialect `name` of the city at `url`; raises `DialectError`.

    `quirks` and the files of `access` are paths relative to `base`, the folder of hub.toml;
    without `quirks` the pattern that ships counts. `now` gives ms since 1970.
    """
    try:
        described = load(name, base / quirks if quirks else None)
        keys = read(access, base, needs(described))
    except QuirksError as error:
        raise DialectError(str(error)) from error
    except Faults as error:
        lines = [f"hub.toml：{fault.place}：{fault.message}" for fault in error.faults]
        raise DialectError("\n".join(lines)) from error
    if name == "plain":
        return Plain(url, timeout_s=timeout_s, tls=tls, quirks=described)
    transport = Transport(timeout_s=timeout_s, tls=tls)
    if name == "hub":
        where = urlsplit(url)
        if where.scheme != "https" and where.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise DialectError(
                "hub.toml：upstream.url：向上级大厅报送办件人信息和接口密钥，须用 https://"
            )
        return Hub(url, described, transport, key=keys.feed_key)
    if name == "flat":
        return Flat(url, described, transport)
    if name == "token":
        return Token(url, described, transport, keys=keys, now=now)
    signer = Signer(there(described.sm2), keys, now)
    kind = Form if name == "form" else Envelope
    return kind(url, described, transport, signer=signer)


def needs(quirks: Quirks) -> frozenset[Need]:
    """Return what of `Access` a dialect with these quirks uses."""
    wanted: set[Need] = {"feed_key"} if quirks.dialect == "hub" else set()
    if quirks.sm2 is not None:
        wanted |= {"app_mark", "app_word"}
        if quirks.sm2.sign == "sign":
            wanted.add("hall_key")
        if (
            quirks.sm2.sign == "encrypt"
            or quirks.envelope is None
            or quirks.envelope.seal != "none"
        ):
            wanted.add("city_key")
    if quirks.token is not None:
        wanted |= {"app_mark", "body_key"}
        if quirks.token.sign_field:
            wanted.add("app_word")
    return frozenset(wanted)
