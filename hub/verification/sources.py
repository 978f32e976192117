"""Where a verification takes its material from: a hub's own file, or an export."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
from sqlite_utils import Database

from hub.rules.afterwards import Ruled
from hub.rules.checkpoint import Verifier, verifier
from hub.store import keyring, keys, ledger, tree
from hub.store.ledger import Recorded
from hub.store.vault import Vault, VaultError
from hub.verification.arrivals import Keys, loaded
from hub.verification.findings import Finding
from hub.verification.tree import Leaf

ENTRIES, BODIES, HASHES, CHECKPOINTS, KEYS, VERIFIER = (
    "entries.jsonl",
    "bodies.jsonl",
    "entry-hashes.bin",
    "checkpoints.jsonl",
    "device-keys.json",
    "ledger.vkey",
)


_line = msgspec.json.Decoder(ledger.Line)
_body = msgspec.json.Decoder(str | None)
_ruled = msgspec.json.Decoder(Ruled)


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What is verified. `total`: how many entries there should be, for the progress.

    `keys` are those that lie beside the ledger: what older hubs have learnt. `vault`: the hub's
    own, by which it knows what it has entered itself; None where its key cannot be read.
    `kept`: the newest checkpoint as it lies beside the database, None: there is none. `each_ms`:
    how often the hub is to sign, None: not known.
    """

    entries: Iterable[Recorded | Finding]
    total: int
    keys: Keys
    notes: Iterable[str]
    by: Verifier | None
    leaf: Leaf = lambda _: None
    vault: Vault | None = None
    kept: str | None = None
    each_ms: int | None = None


def vault_at(path: Path) -> Vault | None:
    """Return the vault of a key file (`citizens.key`) as it is now; None: it cannot be read."""
    try:
        return Vault(keyring.read(path))
    except VaultError:
        return None


def live(
    db: Database,
    by: Verifier | None,
    vault: Vault | None = None,
    *,
    kept: str | None = None,
    each_ms: int | None = None,
) -> Material:
    """Return what a hub's own file holds; begin a read transaction on it first.

    Read `kept` before that: beside a hub that signs it would else be newer than the transaction.
    """
    return Material(
        entries=ledger.entries(db),
        total=ledger.size(db),
        keys=loaded(keys.of_all(db)),
        notes=(each.note for each in tree.checkpoints(db)),
        by=by,
        leaf=_Tiles(lambda index: tree.tile(db, 0, index)).leaf,
        vault=vault,
        kept=kept,
        each_ms=each_ms,
    )


def exported(folder: Path) -> Material:
    """Return what an export holds; raises OSError or `CheckpointInvalid` for its small files."""
    listed = json.loads((folder / KEYS).read_text(encoding="utf-8"))
    text = (folder / VERIFIER).read_text(encoding="utf-8")
    with (folder / ENTRIES).open("rb") as file:
        total = sum(1 for _ in file)
    pairs = [(device, pem.encode()) for device, pems in listed.items() for pem in pems]
    return Material(
        entries=_lines(folder),
        total=total,
        keys=loaded(pairs),
        notes=_notes(folder / CHECKPOINTS),
        by=verifier(text),
        leaf=_Tiles(_file_tiles(folder / HASHES)).leaf,
    )


def export(db: Database, folder: Path, by: Verifier) -> int:
    """Write the ledger for auditors into a new folder; return how many entries.

    Every line of entries is the very text that the tree hashes (after one byte 0); the same
    line of bodies is the body whose SHA-256 stands in it, as a JSON string, or null: erased.
    """
    folder.mkdir(parents=True)
    count = 0
    with (folder / ENTRIES).open("wb") as file, (folder / BODIES).open("wb") as bodies:
        for entry in ledger.entries(db):
            file.write(ledger.line(entry) + b"\n")
            bodies.write(msgspec.json.encode(entry.body) + b"\n")
            count += 1
    with (folder / HASHES).open("wb") as file:
        for index in range(tree.tiled(db) // tree.WIDTH):
            file.write(tree.tile(db, 0, index) or b"")
    with (folder / CHECKPOINTS).open("wb") as file:
        for each in tree.checkpoints(db):
            file.write(msgspec.json.encode(each) + b"\n")
    listed: dict[str, list[str]] = {}
    for device, pem in keys.of_all(db):
        listed.setdefault(device, []).append(pem.decode("ascii"))
    (folder / KEYS).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    (folder / VERIFIER).write_text(f"{by}\n", encoding="utf-8")
    return count


def evidence(folder: Path) -> Iterator[tuple[int, str]]:
    """Return the rulings of an export (ledger position) with each document (digest) they rest on.

    The documents themselves are no part of an export: they may show who rated.
    """
    for entry in _lines(folder):
        if isinstance(entry, Finding) or entry.kind != "ruled" or entry.body is None:
            continue
        with contextlib.suppress(msgspec.MsgspecError, ValueError):
            for digest in _ruled.decode(entry.body).evidence:
                yield entry.position, digest


class _Tiles:
    """Hashes of entries as they were kept, one tile at a time; `read` returns one, or nothing."""

    def __init__(self, read: Callable[[int], bytes | None]) -> None:
        self._read = read
        self._index = -1
        self._tile = b""

    def leaf(self, position: int) -> bytes | None:
        number, place = divmod(position - 1, tree.WIDTH)
        if number != self._index:
            self._index, self._tile = number, self._read(number) or b""
        return self._tile[place * tree.HASH : (place + 1) * tree.HASH] or None


def _file_tiles(path: Path) -> Callable[[int], bytes]:
    size = tree.WIDTH * tree.HASH

    def read(index: int) -> bytes:
        with path.open("rb") as file:
            file.seek(index * size)
            return file.read(size)

    return read


def _lines(folder: Path) -> Iterator[Recorded | Finding]:
    with (folder / ENTRIES).open("rb") as lines, (folder / BODIES).open("rb") as bodies:
        for number, text in enumerate(lines, start=1):
            try:
                entry = _line.decode(text)
                body = _body.decode(bodies.readline())
            except (msgspec.MsgspecError, ValueError):
                yield Finding(what="export", text=f"导出文件第 {number} 行无法读取")
                continue
            if ledger.line(entry) != text.rstrip(b"\n"):
                yield Finding(
                    what="export", text=f"{ENTRIES} 第 {number} 行的写法被改动", position=number
                )
            if body is not None and ledger.digest(body.encode()) != entry.digest:
                yield Finding(
                    what="body", text="内容与登记的指纹不符：内容被改动", position=entry.position
                )
            yield Recorded(**msgspec.structs.asdict(entry), body=body)


def _notes(path: Path) -> Iterator[str]:
    decoder = msgspec.json.Decoder(tree.Kept)
    with path.open("rb") as file:
        for text in file:
            try:
                yield decoder.decode(text).note
            except (msgspec.MsgspecError, ValueError):
                yield text.decode(errors="replace")  # no checkpoint, and it will be said so
