"""What a hall's IT staff do about records that the city has not."""

import subprocess
import sys

import pytest
from upstream_world import a_case

from hub.store import cases, database, deliveries, vault


@pytest.fixture
def hall(tmp_path):
    """A hub's folder in which the city has refused one case."""
    (tmp_path / "hub.toml").write_text(
        'hall = "demo"\nhall_name = "示例大厅"\nstate = "hub"\n', encoding="utf-8"
    )
    (tmp_path / "hub").mkdir()
    db = database.connect(tmp_path / "hub" / "hub.db")
    database.migrate(db)
    box = vault.load_or_create(tmp_path / "hub" / "citizens.key")
    for serial in ("S1", "S2"):
        cases.put(db, box, a_case(serial), 1)
    deliveries.set_aside(db, deliveries.due(db, 5, 1)[0].id, "taskCode 不存在", 2)
    yield tmp_path, db
    db.close()


def command(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "hub", "upstream", *arguments, "--config", folder / "hub.toml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_status_names_each_record_with_the_city_s_words(hall):
    """What was set aside and what waits is listed, with the reason."""
    said = command(hall[0], "status").stdout
    assert "等待 1，搁置 1" in said
    assert "办件 S1/1" in said
    assert "taskCode 不存在" in said
    assert "办件 S2/1" in said


def test_retry_sends_again_what_was_set_aside(hall):
    """All of it, or one service; nothing else is touched."""
    folder, db = hall
    assert (
        "没有被搁置" in command(folder, "retry", "--serial", "S2", "--service-number", "1").stdout
    )
    assert "1 条记录" in command(folder, "retry").stdout
    assert deliveries.counts(db).set_aside == 0
    assert {each.serial for each in deliveries.due(db, 10**15, 10)} == {"S1", "S2"}


def test_half_a_key_is_refused(hall):
    """A serial without its service number would be ambiguous."""
    ran = command(hall[0], "retry", "--serial", "S1")
    assert ran.returncode == 2
    assert "一起给出" in ran.stderr
