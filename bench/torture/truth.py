"""What a citizen did at a kiosk, noted by the citizen: the truth that all else is compared with.

One JSON object a line, on the disk before the tap it tells of and right after the thanks it
tells of. The kiosk's own program neither reads nor writes it.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Notebook:
    """Appends to one file; `note` returns after the disk has the line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if path.stat().st_size:
            os.write(self._handle, b"\n")  # ends a line that a kill has cut off

    def note(self, invitation: str, do: str, **what: object) -> None:
        """Note one thing."""
        line = json.dumps({"invitation": invitation, "do": do, **what}, ensure_ascii=False)
        os.write(self._handle, line.encode() + b"\n")
        os.fsync(self._handle)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what was noted; a line that a kill has cut off told of nothing that was done."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue
