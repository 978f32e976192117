"""What may follow a rating in the ledger: a ruling on it, and the citizen's own later words.

Neither changes the rating: that stands as it was signed (promise 5). No device signs them; the
`mark` of each is how the hub knows it again as entered by itself (`hub.store.afterwards.mark`).
"""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.messages import Comment, Digest, Seal


class Ruled(Struct, frozen=True, kw_only=True):
    """A ruling (复核认定) on the rating at ledger position `of`: it is not adopted, 按未评计.

    `by` is who decided (see `Caller.name`), `reason` why, `evidence` the SHA-256 (hex) of each
    document that was put forward.
    """

    of: int
    by: str
    reason: Annotated[str, Meta(min_length=1, max_length=300)]
    evidence: Annotated[tuple[Digest, ...], Meta(max_length=20)] = ()
    mark: Seal = ""


class Added(Struct, frozen=True, kw_only=True):
    """What a citizen wrote on their own page (追评): once for an invitation, never a level."""

    text: Annotated[Comment, Meta(min_length=1)]
    mark: Seal = ""
