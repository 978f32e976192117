"""Writes the messages as JSON Schema (2020-12), for those who speak to us in other languages.

`python -m protocol.schemas docs/schemas` writes one file for each leaf of `topics` that has a
message; `outcome` is the signed content of leaf `rating`.
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from protocol.messages import AnyOutcome, Portrait, Receipt, Settings, Shown, Slot, State

DIALECT = "https://json-schema.org/draft/2020-12/schema"

KINDS: dict[str, Any] = {
    "invitation": Slot,
    "outcome": AnyOutcome,
    "portrait": Portrait,
    "receipt": Receipt,
    "settings": Settings,
    "shown": Shown,
    "state": State,
}
"""What each file describes, by its name without `.json`."""


def texts() -> dict[str, str]:
    """Return the content of every file by its name; the same code gives the same text."""
    return {
        f"{name}.json": json.dumps(
            _schema(name, kind), ensure_ascii=False, indent=2, sort_keys=True
        )
        + "\n"
        for name, kind in KINDS.items()
    }


def _schema(name: str, kind: Any) -> dict[str, Any]:
    schema = {"$schema": DIALECT, "title": name, **_cleaned(msgspec.json.schema(kind))}
    for part in schema["$defs"].values():
        if "v" in part["properties"]:  # it has a default in the code, none on the wire
            part["required"] = ["v", *part.get("required", [])]
            del part["properties"]["v"]["default"]
    return schema


def _cleaned(node: Any) -> Any:
    """Take the indentation out of descriptions, as Python itself does from 3.13 on."""
    if isinstance(node, dict):
        return {
            key: inspect.cleandoc(value)
            if key == "description" and isinstance(value, str)
            else _cleaned(value)
            for key, value in node.items()
        }
    return [_cleaned(each) for each in node] if isinstance(node, list) else node


def write(directory: Path) -> None:
    """Write all files; those that are there are replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m protocol.schemas DIRECTORY")
    write(Path(sys.argv[1]))
