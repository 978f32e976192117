"""What may be put forward as evidence for a ruling: known by its first bytes, not by its name.

Whether it is whole, too, is looked at in `hub.evidence`.
"""

from typing import Literal

DocumentKind = Literal["pdf", "jpeg", "png"]

LIMIT = 10 * 1024 * 1024
"""How many bytes one document may have."""

PER_RULING = 10
"""How many documents one ruling may rest on."""

_FIRST: dict[DocumentKind, bytes] = {
    "pdf": b"%PDF-",
    "jpeg": b"\xff\xd8\xff",
    "png": b"\x89PNG\r\n\x1a\n",
}

MEDIA_TYPES: dict[DocumentKind, str] = {
    "pdf": "application/pdf",
    "jpeg": "image/jpeg",
    "png": "image/png",
}


def kind_of(data: bytes) -> DocumentKind | None:
    """Return what a document is, or None: nothing that may be put forward."""
    return next((kind for kind, first in _FIRST.items() if data.startswith(first)), None)
