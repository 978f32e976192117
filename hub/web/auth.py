"""Who may call: one key per window system, known here only by its SHA-256."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from hub.config import ApiConfig, ConfigError
from hub.web.problems import Refused

_DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)

Guard = Callable[[ASGIConnection, BaseRouteHandler], None]  # type: ignore[type-arg]


def new_key() -> tuple[str, str]:
    """Return a new key of 256 random bits, and the hex SHA-256 that goes into a key file."""
    key = secrets.token_urlsafe(32)
    return key, _digest(key).hex()


def read_keys(config: ApiConfig, base: Path) -> tuple[bytes, ...]:
    """Return the digests in all key files; one a line, `#` begins a comment.

    Paths are relative to `base`. Raises `ConfigError` that names every bad line.
    """
    keys: list[bytes] = []
    faults: list[str] = []
    for file in config.key_files:
        path = base / file
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path}：无法读取：{error}")
            continue
        for number, line in enumerate(lines, 1):
            text = line.partition("#")[0].strip()
            if _DIGEST.fullmatch(text):
                keys.append(bytes.fromhex(text))
            elif text:
                faults.append(
                    f"{path}：第 {number} 行：应为密钥的 SHA-256（64 位十六进制），"
                    "请用 pingyi-hub key 生成"
                )
    if faults:
        raise ConfigError("\n".join(faults))
    return tuple(keys)


def guard(keys: tuple[bytes, ...]) -> Guard:
    """Return the guard that lets in who shows one of `keys` (RFC 6750), and nobody without."""

    def check(connection: ASGIConnection, _route: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        shown = scheme.lower() == "bearer" and bool(key.strip())
        if not keys:
            raise _refuse(
                "本服务尚未配置接口密钥，一律拒绝调用：请管理员用 pingyi-hub key 生成密钥，"
                "把摘要写入文件，并在配置 [api] key_files 中列出该文件"
            )
        if not shown:
            raise _refuse("请在请求头中给出 Authorization: Bearer <接口密钥>")
        given = _digest(key.strip())
        # Every digest is compared, so that time tells nothing about which one was close.
        if not sum([hmac.compare_digest(given, known) for known in keys]):
            raise _refuse("接口密钥不正确，或已被停用：请向大厅管理员核对", error="invalid_token")

    return check


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _refuse(detail: str, error: str = "") -> Refused:
    challenge = 'Bearer realm="pingyi"' + (f', error="{error}"' if error else "")
    return Refused("unauthorized", detail, {"WWW-Authenticate": challenge})
