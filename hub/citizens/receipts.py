"""The citizen's own page (回执): what the bearer of its address may know, and may add.

The address is the only key to it, and it opens little: that the rating is in, never which. It
is made of the invitation's id and a keyed hash by the vault's index key, so that nothing need
be kept, and it stays valid when keys are changed and after a restore with `citizens.key`.
"""

import asyncio
import binascii
import hmac
import logging
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace
from sqlite_utils import Database

from hub.rules.checkpoint import CheckpointInvalid, Verifier, opened
from hub.rules.days import DAY_MS
from hub.rules.tree import ProofInvalid, check_inclusion, inclusion, leaf_hash
from hub.store import additions, afterwards, database, invitations, ledger, rulings, tree
from hub.store.ledger import Recorded
from hub.store.vault import DIGEST, Vault, VaultError
from hub.store.writer import Writer
from hub.upstream.contents import INCOMPLETE
from protocol.messages import Invitation

log = logging.getLogger(__name__)

PLACE = "/r/"
"""Where the pages are, below the public address."""
WORDS_MS = 30 * DAY_MS
"""So long after its invitation a rating may be added to."""

_ID = 16
_NOBODY = "0" * 32

State = Literal["waiting", "rated", "none"]
Answer = Literal["added", "already", "closed", "unknown"]


def token(vault: Vault, invitation: str) -> str:
    """Return the last part of the address of an invitation's page; raises `VaultError`."""
    mac = vault.digest("receipt", invitation)
    return urlsafe_b64encode(bytes.fromhex(invitation) + mac).decode().rstrip("=")


def linker(vault: Vault, url: str) -> Callable[[str], str]:
    """Return what makes the address of an invitation's page; it is empty where there is none.

    `url`: the public address. Without the key a kiosk shows no QR, and does all else.
    """

    def link(invitation: str) -> str:
        if not url:
            return ""
        try:
            return f"{url}{PLACE}{token(vault, invitation)}"
        except VaultError:
            return ""

    return link


class Proof(Struct, frozen=True, kw_only=True):
    """That `line` is entry `position` of a ledger of `size` entries with this root, checked.

    `line` is the entry as it is hashed, JSON; hashes are base64; `at`: ms since 1970, when the
    checkpoint was signed.
    """

    position: int
    line: str
    leaf: str
    path: tuple[str, ...]
    size: int
    root: str
    at: int


class Receipt(Struct, frozen=True, kw_only=True):
    """What a page tells. Times: ms since 1970.

    `state`: no answer yet, rated, or ended without; `withdrawn`: because it was taken back.
    `refused`: what came could not count.
    `proof` None: no checkpoint has the rating yet; or, if `doubtful`, the ledger does not prove
    it. `open`: words may be added; `alone`: they stay in the hall's ledger, for there is no
    rating of this service with which they could go to the city.
    """

    invitation: Invitation
    state: State
    withdrawn: bool = False
    refused: bool = False
    position: int = 0
    received_at: int = 0
    proof: Proof | None = None
    doubtful: bool = False
    added: int = 0
    added_at: int = 0
    open: bool = False
    alone: bool = False


class Receipts:
    """Looks for any thread, adds on the event loop. `path` is the hub's database.

    `queued()` is called when there is something new for the city.
    """

    def __init__(
        self,
        path: Path,
        writer: Writer,
        vault: Vault,
        by: Verifier,
        *,
        now: Callable[[], int],
        queued: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._writer = writer
        self._vault = vault
        self._by = by
        self._now = now
        self._queued = queued
        self._tiles = tree.Remembered()

    def look(self, text: str) -> Receipt | None:
        """Return what a token opens, or None; a made-up one costs what an unknown one does.

        Raises `VaultError`, sqlite3.Error.
        """
        name = self._name(text)
        with self._open() as db:
            kept = invitations.get(db, name)
            return None if kept is None else self._receipt(db, kept)

    async def add(self, text: str, words: str) -> Answer:
        """Enter what a citizen wrote (see `Added`), once for an invitation.

        Raises `VaultError`, `Busy`, `Stopped`, sqlite3.Error: then nothing is kept.
        """
        name = self._name(text)

        def job(db: Database) -> Answer:
            kept = invitations.get(db, name)
            if kept is None:
                return "unknown"
            if afterwards.position_added(db, name) is not None:
                return "already"
            if not self._may_add(db, kept):
                return "closed"
            additions.enter(db, self._vault, kept, words, self._now(), incomplete=INCOMPLETE)
            return "added"

        answer = await asyncio.wrap_future(self._writer.submit(job))
        if answer == "added":
            self._queued()
        return answer

    def _name(self, text: str) -> str:
        """Return which invitation a token is for: none at all, unless this hub has made it."""
        try:
            data = urlsafe_b64decode(text.encode("ascii") + b"=")
        except (ValueError, binascii.Error):
            data = b""
        if len(data) != _ID + DIGEST:
            data = bytes(_ID + DIGEST)
        name = data[:_ID].hex()
        made = token(self._vault, name)
        # The whole text: so one page has one address, whatever base64 may let through.
        return name if hmac.compare_digest(made.encode(), text.encode()) else _NOBODY

    @contextmanager
    def _open(self) -> Iterator[Database]:
        with closing(database.connect(self._path)) as db:
            db.conn.execute("BEGIN")
            yield db
            db.conn.execute("ROLLBACK")

    def _may_add(self, db: Database, kept: invitations.Kept) -> bool:
        return (
            kept.outcome in (None, "rated")
            and self._now() - kept.issued_at <= WORDS_MS
            and not additions.too_late(db, kept)
        )

    def _receipt(self, db: Database, kept: invitations.Kept) -> Receipt:
        written = afterwards.position_added(db, kept.id)
        found = Receipt(
            invitation=kept.invitation,
            state="waiting" if kept.outcome is None else "none",
            added=written or 0,
            added_at=additions.entered(db, written) if written else 0,
            open=written is None and self._may_add(db, kept),
        )
        if kept.outcome is None:
            return found
        entry = ledger.of_outcome(db, kept.outcome_id or "")
        if kept.outcome != "rated":
            refused = entry is not None and (entry.body or "").startswith("{")
            taken_back = kept.outcome == "withdrawn"
            return replace(found, refused=refused, withdrawn=taken_back, alone=True)
        # Of a second rating of the same service the city hears nothing, nor of its words.
        first = rulings.of_service(db, kept.serial, kept.service_number)
        found = replace(found, alone=first not in (None, kept.id))
        if entry is None or entry.invitation != kept.id:
            log.critical("receipt=unproven invitation=%s", kept.id)
            return replace(found, state="rated", doubtful=True)
        proof, doubtful = self._proof(db, entry)
        return replace(
            found,
            state="rated",
            position=entry.position,
            received_at=entry.at,
            proof=proof,
            doubtful=doubtful,
        )

    def _proof(self, db: Database, entry: Recorded) -> tuple[Proof | None, bool]:
        """Return the proof that an entry is in, checked as a stranger would check it."""
        newest = tree.newest(db)
        if newest is None or entry.position > newest.size:
            return None, False
        line = ledger.line(entry)
        leaf, index = leaf_hash(line), entry.position - 1
        try:
            checkpoint = opened(newest.note, self._by)
            path = inclusion(index, checkpoint.size, self._tiles.nodes(db))
            check_inclusion(leaf, index, checkpoint.size, path, checkpoint.root)
        except (CheckpointInvalid, ProofInvalid, LookupError, ValueError):
            log.critical("receipt=unproven position=%d", entry.position)
            return None, True
        proof = Proof(
            position=entry.position,
            line=line.decode(),
            leaf=_text(leaf),
            path=tuple(map(_text, path)),
            size=checkpoint.size,
            root=_text(checkpoint.root),
            at=newest.at,
        )
        return proof, False


def _text(data: bytes) -> str:
    return b64encode(data).decode()
