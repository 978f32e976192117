"""The newest checkpoint once more, in a small file beside the ledger's key.

Who can write the database can drop entries and the checkpoints that know of them; the file still
knows. It is written after the commit that holds its checkpoint: it may be older than the
table, by the moment in which a hub was killed, and is never newer than what was committed.
"""

import os
from pathlib import Path

from hub.rules.checkpoint import LIMIT

NAME = "ledger.checkpoint"


def read(folder: Path) -> str | None:
    """Return the note, or None where there is no file; raises OSError.

    What is no text is returned as what it is: no checkpoint.
    """
    try:
        with (folder / NAME).open("rb") as file:
            return file.read(LIMIT + 1).decode(errors="replace")
    except FileNotFoundError:
        return None


def write(folder: Path, note: str) -> None:
    """Put a note in the file's place, whole or not at all, on disk when it returns.

    Raises OSError: then the file is what it was.
    """
    fresh = folder / f"{NAME}.new"
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)  # also where one was left over with another mode
            file.write(note.encode())
            file.flush()
            os.fsync(handle)
        fresh.rename(folder / NAME)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
