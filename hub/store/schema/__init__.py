"""The schema of the hub's database, step by step; a step that has been released never changes."""

from sqlite_utils import Database, Migrations

from hub.store.schema.afterwards import AFTERWARDS
from hub.store.schema.arrivals import ARRIVALS
from hub.store.schema.bindings import BINDINGS
from hub.store.schema.citizens import CITIZENS
from hub.store.schema.documents import DOCUMENTS
from hub.store.schema.exchanges import EXCHANGES
from hub.store.schema.feed import FEED
from hub.store.schema.ledger import LEDGER
from hub.store.schema.marks import MARKS
from hub.store.schema.people import PEOPLE
from hub.store.schema.portraits import PORTRAITS
from hub.store.schema.state import DEVICE_KEYS, REVOCATIONS, STATE
from hub.store.schema.tree import TREE
from hub.store.schema.witness import WITNESS

migrations = Migrations("hub")


@migrations()
def m001_ledger(db: Database) -> None:
    """The ledger, and triggers by which the database itself refuses to alter it."""
    for statement in LEDGER:
        db.execute(statement)


@migrations()
def m002_state(db: Database) -> None:
    """Cases, invitations, the way to the city, and what was refused."""
    for statement in STATE:
        db.execute(statement)


@migrations()
def m003_revocations(db: Database) -> None:
    """Devices that are not to be believed any more."""
    db.execute(REVOCATIONS)


@migrations()
def m004_device_keys(db: Database) -> None:
    """Public keys, also those that have been replaced since."""
    db.execute(DEVICE_KEYS)


@migrations()
def m005_bindings(db: Database) -> None:
    """Kiosks and clerks at their windows; certificates and their renewal."""
    for statement in BINDINGS:
        db.execute(statement)


@migrations()
def m006_people(db: Database) -> None:
    """Users, sessions, interface keys and the audit trail."""
    for statement in PEOPLE:
        db.execute(statement)


@migrations()
def m007_tree(db: Database) -> None:
    """The Merkle tree over the ledger, and its checkpoints."""
    for statement in TREE:
        db.execute(statement)


@migrations()
def m008_citizens(db: Database) -> None:
    """Citizens' data field by field, the search index, and how long they are kept."""
    for statement in CITIZENS:
        db.execute(statement)


@migrations()
def m009_exchanges(db: Database) -> None:
    """The journal of the way to the city; what goes there more than once."""
    for statement in EXCHANGES:
        db.execute(statement)


@migrations()
def m010_afterwards(db: Database) -> None:
    """Rulings and later words, to the city too."""
    for statement in AFTERWARDS:
        db.execute(statement)


@migrations()
def m011_portraits(db: Database) -> None:
    """Photographs of clerks."""
    for statement in PORTRAITS:
        db.execute(statement)


@migrations()
def m012_documents(db: Database) -> None:
    """Evidence documents, and the rulings that rest on them."""
    for statement in DOCUMENTS:
        db.execute(statement)


@migrations()
def m013_arrivals(db: Database) -> None:
    """Keys of kiosks stand in the ledger from their arrival on."""
    db.execute(ARRIVALS)


@migrations()
def m014_feed(db: Database) -> None:
    """Records that smaller halls have fed to this one."""
    for statement in FEED:
        db.execute(statement)


@migrations()
def m015_witness(db: Database) -> None:
    """The ledger asked about invitations and windows; cases marked as the hub's own."""
    for statement in WITNESS:
        db.execute(statement)


@migrations()
def m016_marks(db: Database) -> None:
    """What gives rights is marked as the hub's own, so is the audit trail; older sessions end."""
    for statement in MARKS:
        db.execute(statement)
