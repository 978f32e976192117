"""A hub's file as its first start leaves it: made once in a process, and copied for each test."""

import functools
import tempfile
from contextlib import closing
from pathlib import Path

from hub.store.database import connect, migrate

KEY = b"k" * 32
"""Of the vault of all worlds."""


@functools.cache
def _first():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        with closing(connect(path)) as db:
            migrate(db)
        return path.read_bytes()


def opened(path):
    """Connect to a hub's file; where there is none yet, it is that of a hub that was set up.

    Its key file lies beside it. A migration waits some twenty times for the disk: most of what
    a small test would cost.
    """
    if not path.exists():
        path.write_bytes(_first())
        key = path.with_name("citizens.key")
        if not key.exists():
            key.write_bytes(KEY)
            key.chmod(0o600)
    db = connect(path)
    migrate(db)
    return db
