"""Files that are there whole or not at all, whatever the power does."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE = 0o600
PUBLIC = 0o644


def is_free(directory: Path) -> bool:
    """Whether a directory can be made at this place without hiding or replacing anything."""
    return not directory.is_symlink() and (
        not directory.exists() or (directory.is_dir() and not any(directory.iterdir()))
    )


@contextmanager
def whole_directory(directory: Path) -> Iterator[Path]:
    """Fill the directory that is yielded: it appears as `directory` when all is on the disk.

    It is readable by its owner only. Raises OSError, and leaves nothing, when something is at
    the place already, even if it came there in the meantime.
    """
    target = directory.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield temporary
        for each in (*temporary.iterdir(), temporary):
            _sync(each)
        temporary.rename(target)  # an empty directory is replaced, a filled one never
        _sync(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write(path: Path, data: bytes, mode: int) -> None:
    """Write a new file; raises FileExistsError rather than replace one."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes) -> None:
    """Write a public file, in place of an older one if there is one; raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write(temporary, data, PUBLIC)
        temporary.rename(path)
        _sync(path.absolute().parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
