"""What a hub restored from a backup still has to hear again from its kiosks.

The tables are made by the restoration itself: a hub that never lost its disk has none.
"""

import hmac

import msgspec
from sqlite_utils import Database, Migrations

from hub.store import invitations, ledger
from hub.store.vault import Vault
from protocol.messages import Invitation

IN_FLIGHT = 64
"""So many outcomes of a kiosk may overtake one another (`device.sender`)."""

ANYONE = ""
"""In the place of a device: whoever is not named, because the backup does not know them yet."""

NO_CASE = (
    "这条评价是恢复数据时由评价器补报的，备份中没有这个办件：请由窗口系统重新登记办件，"
    "登记后自动报送"
)
"""Why a delivery waits for a person, as `pingyi-hub upstream status` tells it."""

migrations = Migrations("recovery")


@migrations()
def m001_recovery(db: Database) -> None:
    """Which devices are asked again, and from which number on."""
    db.execute(
        """
        CREATE TABLE recovery (
            device TEXT PRIMARY KEY,
            after_seq INTEGER NOT NULL,  -- the ledger has its numbers up to this
            since INTEGER NOT NULL,      -- when the hub was restored: the recovery's name
            ended_at INTEGER             -- all was said again; NULL = not yet
        ) STRICT, WITHOUT ROWID
        """
    )


class Recovery(msgspec.Struct, frozen=True):
    """One device's part of it; `since`: milliseconds since 1970."""

    after: int
    since: int


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the ledger says of a recovery, in an entry of kind `settings`.

    "begun": the ledger goes on behind `entries` of a backup made at `made_at`, and what was
    entered after that is lost here; "reentered": the entry behind this one is an invitation
    that the device brought back; "ended": this device has said all it had.
    """

    recovery: str
    since: int
    made_at: int = 0
    entries: int = 0
    checkpoint: str = ""


def begin(db: Database, *, since: int, made_at: int, checkpoint: str) -> None:
    """Ask every device of this ledger again, as the restored hub's first deed."""
    migrations.apply(db)
    with db.atomic():
        db.conn.execute("DELETE FROM recovery")
        rows = [(device, _after(db, device), since, None) for device in _devices(db)]
        db.conn.executemany(
            "INSERT INTO recovery VALUES (?, ?, ?, ?)", [*rows, (ANYONE, 0, since, None)]
        )
        said = Note(
            recovery="begun",
            since=since,
            made_at=made_at,
            entries=ledger.size(db),
            checkpoint=checkpoint,
        )
        _note(db, said, "", "", since)


def of(db: Database, device: str) -> Recovery | None:
    """Return what a device is still asked for, or None."""
    if not db["recovery"].exists():
        return None
    row = db.conn.execute(
        """
        SELECT after_seq, since, ended_at FROM recovery WHERE device IN (?, ?)
        ORDER BY device DESC LIMIT 1
        """,
        (device, ANYONE),
    ).fetchone()
    return None if row is None or row[2] is not None else Recovery(int(row[0]), int(row[1]))


def end(db: Database, device: str, since: int, now: int) -> bool:
    """Note that a device has said all; True if that is news. Another recovery's word is none."""
    asked = of(db, device)
    if asked is None or asked.since != since:
        return False
    db.conn.execute(
        """
        INSERT INTO recovery VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (device) DO UPDATE SET ended_at = ?4
        """,
        (device, asked.after, since, now),
    )
    _note(db, Note(recovery="ended", since=since), device, "", now)
    return True


def waited_for(db: Database) -> list[str] | None:
    """Return the devices that have not answered yet; None while there is no recovery."""
    if not db["recovery"].exists():
        return None
    if db.conn.execute("SELECT 1 FROM recovery").fetchone() is None:
        return None
    rows = db.conn.execute(
        "SELECT device FROM recovery WHERE ended_at IS NULL AND device <> ? ORDER BY device",
        (ANYONE,),
    )
    return [str(row[0]) for row in rows]


def since(db: Database) -> int:
    """Return when the hub was restored (ms since 1970), 0 while there is no recovery."""
    if not db["recovery"].exists():
        return 0
    [when] = db.conn.execute("SELECT max(since) FROM recovery").fetchone()
    return int(when or 0)


def finish(db: Database, now: int) -> list[str] | None:
    """End it for all; return who has not answered, None if there was no recovery."""
    missing = waited_for(db)
    if missing is not None:
        when = since(db)
        with db.atomic():
            db.conn.execute("DELETE FROM recovery")
            _note(db, Note(recovery="ended", since=when), "", "", now)
    return missing


def reenter(db: Database, device: str, invitation: Invitation, now: int) -> None:
    """Enter an invitation that the hub once issued and has lost; the ledger says so first."""
    asked = of(db, device)
    since = 0 if asked is None else asked.since
    _note(db, Note(recovery="reentered", since=since), device, invitation.id, now)
    invitations.issue(db, device, invitation)


def await_case(db: Database, serial: str, service_number: int, now: int) -> None:
    """Keep a place before a rating for the service record of a case that is lost.

    The city wants the case first. When the window system registers it again, both go.
    """
    db.conn.execute(
        """
        INSERT INTO deliveries (serial, service_number, kind, state, next_at, reason, queued_at,
            settled_at)
        VALUES (?1, ?2, 'service', 'set_aside', ?3, ?4, ?3, ?3) ON CONFLICT DO NOTHING
        """,
        (serial, service_number, now, NO_CASE),
    )


def seal(vault: Vault, device: str, invitation: Invitation) -> str:
    """Return the mark by which the hub knows an invitation, and for which device, as its own.

    Its key is the vault's index key: it stays when keys are changed, and it comes back with
    `citizens.key`. Raises `VaultError`.
    """
    bare = msgspec.structs.replace(invitation, seal="")
    body = msgspec.json.encode(bare).decode()
    return vault.digest("invitation", f"{device}\0{body}").hex()


def genuine(vault: Vault, device: str, invitation: Invitation) -> bool:
    """Whether an invitation bears the hub's mark for this device; raises `VaultError`."""
    mark = seal(vault, device, invitation)
    return hmac.compare_digest(mark.encode(), invitation.seal.encode())


def sealed(vault: Vault, device: str, invitation: Invitation) -> Invitation:
    """Return an invitation with its mark."""
    return msgspec.structs.replace(invitation, seal=seal(vault, device, invitation))


def _note(db: Database, said: Note, device: str, invitation: str, now: int) -> None:
    entry = ledger.Entry(
        kind="settings",
        recorded_at=now,
        device=device,
        invitation=invitation,
        body=msgspec.json.encode(said),
    )
    ledger.append(db, entry)


def _devices(db: Database) -> list[str]:
    rows = db.conn.execute(
        """
        SELECT device FROM device_keys
        UNION SELECT device FROM ledger WHERE seq IS NOT NULL
        """
    )
    return [str(row[0]) for row in rows]


def _after(db: Database, device: str) -> int:
    """Return up to which number nothing of a device can be lost.

    What came just before the backup may have been overtaken by higher numbers; and a device
    whose file was damaged has begun anew at 1, so the highest number says nothing.
    """
    last, unbroken = db.conn.execute(
        """
        SELECT
            (SELECT seq FROM ledger WHERE device = ?1 AND seq IS NOT NULL
                ORDER BY position DESC LIMIT 1),
            (SELECT coalesce(min(before), max(seq)) FROM (
                SELECT seq, CASE WHEN seq - before > 1 THEN before END AS before FROM (
                    SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM ledger
                    WHERE device = ?1 AND seq IS NOT NULL)))
        """,
        (device,),
    ).fetchone()
    return 0 if last is None else max(0, min(int(last) - IN_FLIGHT, int(unbroken)))
