"""The published JSON Schemas say what the code says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from protocol import schemas

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas"


def test_the_published_files_are_fresh():
    """`python -m protocol.schemas docs/schemas` would change nothing."""
    found = {file.name: file.read_text(encoding="utf-8") for file in PUBLISHED.iterdir()}
    assert found == schemas.texts()


def test_the_command_writes_them(tmp_path):
    """The module is a program that fills a directory."""
    command = [sys.executable, "-m", "protocol.schemas", str(tmp_path / "new" / "schemas")]
    subprocess.run(command, check=True, cwd=PUBLISHED.parents[1], timeout=60)
    written = {file.name for file in (tmp_path / "new" / "schemas").iterdir()}
    assert written == set(schemas.texts())


@pytest.mark.parametrize("name", sorted(schemas.KINDS))
def test_every_message_has_to_say_its_version(name):
    """A schema asks for `v` and for no unknown fields, as the wire does."""
    parts = json.loads(schemas.texts()[f"{name}.json"])["$defs"]
    assert any("v" in part["properties"] for part in parts.values())
    for part in parts.values():
        assert part["additionalProperties"] is False
        assert ("v" in part["properties"]) == ("v" in part.get("required", []))
