"""What a verification has found, in words for auditors."""

from typing import Literal

from msgspec import Struct

What = Literal[
    "position",
    "kind",
    "body",
    "signature",
    "key",
    "fields",
    "invitation",
    "binding",
    "case",
    "counts",
    "closed_twice",
    "added_twice",
    "ruling",
    "evidence",
    "mark",
    "late",
    "refused",
    "delivery",
    "fed",
    "number_twice",
    "gap",
    "leaf",
    "root",
    "checkpoint",
    "unsigned",
    "tail",
    "known",
    "account",
    "audit",
    "people",
    "retention",
    "guards",
    "export",
]


class Finding(Struct, frozen=True, kw_only=True):
    """One thing: at which entry (None: at none in particular), what, and the words for it.

    `grave`: the ledger was altered or is damaged; else it wants an explanation.
    """

    what: What
    text: str
    position: int | None = None
    grave: bool = True

    def __str__(self) -> str:
        """One line for people."""
        place = f"第 {self.position} 条：" if self.position is not None else ""
        return ("✗ " if self.grave else "△ ") + place + self.text
