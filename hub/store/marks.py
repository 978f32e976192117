"""The marks at the end of entries that no device signs: by them the hub knows what it entered.

Rulings and later words carry theirs as a field, by their invitation (`store.afterwards`).
"""

import hashlib
import hmac
import re
from typing import Literal

from hub.store.vault import Vault

Marked = Literal["fed", "delivered", "erased", "revoked"]
"""The kinds of entries that are marked here; their bodies are JSON objects with some field."""

_MARK = re.compile(rb',"mark":"[0-9a-f]{32}"\}$')


def marked(vault: Vault, kind: Marked, position: int, at: int, body: bytes) -> bytes:
    """Return the body of an entry at that position and time (ms since 1970), its mark last in it.

    The mark is a keyed hash over kind, place, time and all of the body before it, so that no
    copy of an entry is one. Its key is the vault's index key: who has the database alone cannot
    make it. Raises `VaultError`.
    """
    said = f"{position} {at} {hashlib.sha256(body).hexdigest()}"
    mark = vault.digest(f"entry {kind}", said).hex()
    return body[:-1] + f',"mark":"{mark}"}}'.encode()


def bare(body: bytes) -> bytes | None:
    """Return a body without its mark, None: it has none."""
    found = _MARK.search(body)
    return None if found is None else body[: found.start()] + b"}"


def genuine(vault: Vault, kind: Marked, position: int, at: int, body: bytes) -> bool:
    """Whether this hub has entered these very bytes there and then; raises `VaultError`."""
    said = bare(body)
    return said is not None and hmac.compare_digest(marked(vault, kind, position, at, said), body)
