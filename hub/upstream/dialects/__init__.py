"""How cities are spoken to: one module per wire format, all answering in the same four words.

A dialect is the one place that knows addresses, forms and codes. It must never take anything
for success but the city's own plain word, and never set a record aside for what is the
fault of the way there.

| dialect | body | after the manner of |
|---|---|---|
| `plain` | JSON | the stand-in city of the demo, and halls that build their own receiver |
| `flat` | form, inside the government network | Zhejiang |
| `form` | form, signed and sealed with SM2 | Beijing |
| `envelope` | JSON in an envelope, SM2 | Shandong |
| `token` | JSON sealed with SM4, under a token | Fujian |
| `hub` | JSON, with the kiosk's signature | a larger hall with a hub of ours |

The table's source is domain page, 3; what it leaves open stands in the quirks file.
"""

from hub.upstream.dialects.base import (
    Accepted,
    AlreadyExists,
    Answer,
    Dialect,
    Exchange,
    Keep,
    Refused,
    Unavailable,
)
from hub.upstream.dialects.factory import DialectError, dialect_of
from hub.upstream.dialects.hub import Hub
from hub.upstream.dialects.plain import Plain, judge
from hub.upstream.dialects.transport import LIMIT

__all__ = [
    "LIMIT",
    "Accepted",
    "AlreadyExists",
    "Answer",
    "Dialect",
    "DialectError",
    "Exchange",
    "Hub",
    "Keep",
    "Plain",
    "Refused",
    "Unavailable",
    "dialect_of",
    "judge",
]
