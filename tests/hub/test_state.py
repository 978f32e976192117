"""A hub's state is opened under its lock; no second ledger begins beside what a first one left."""

import pytest
from click.testing import CliRunner

from hub.__main__ import main
from hub.config import HubConfig
from hub.state import opened
from hub.store import ledger, lock
from hub.store.database import LedgerLost, connect

CONFIG = HubConfig(hall="demo", hall_name="示例大厅", state="state")


@pytest.fixture
def base(tmp_path):
    (tmp_path / "hub.toml").write_text(
        'hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n', encoding="utf-8"
    )
    return tmp_path


def names(base):
    found = {each.name for each in (base / "state").iterdir()}
    return sorted(found - {"hub.db-shm", "hub.db-wal"})  # come with every look into the file


def test_a_second_first_start_makes_nothing(base):
    """Who does not get the lock makes neither file nor key."""
    (base / "state").mkdir()
    with lock.alone(base / "state"):
        with pytest.raises(lock.InUse, match="请先停止"), opened(CONFIG, base):
            pass
        assert names(base) == ["hub.lock"]


def test_a_second_start_changes_nothing_under_a_running_hub(base):
    """An older schema is not brought up to date, no key replaced, while a hub is at work."""
    with opened(CONFIG, base):
        pass
    db = connect(base / "state" / "hub.db")
    db.execute("DELETE FROM _sqlite_migrations WHERE name LIKE 'm009%'")
    db.execute("DROP TABLE exchanges")
    db.conn.commit()
    db.close()
    (base / "state" / "ledger.key").unlink()
    before = {each.name: each.read_bytes() for each in (base / "state").iterdir()}
    with lock.alone(base / "state"), pytest.raises(lock.InUse), opened(CONFIG, base):
        pass
    assert {each.name: each.read_bytes() for each in (base / "state").iterdir()} == before


@pytest.mark.parametrize("harm", ["gone", "empty", "only opened"])
@pytest.mark.parametrize(
    "words",
    [
        ("audit",),
        ("user", "list"),
        ("key", "add", "示例系统", "--scope", "invite"),
        ("revoke", "k1"),
    ],
)
def test_no_command_begins_a_ledger_where_one_was_lost(base, harm, words):
    """Else the hub, which refuses to, would find an empty ledger there and sign it anew."""
    with opened(CONFIG, base):
        pass
    path = base / "state" / "hub.db"
    path.unlink()
    if harm == "empty":
        path.touch()
    elif harm == "only opened":  # what SQLite makes of a file that vanished under a command
        connect(path).close()
    before = names(base)
    done = CliRunner().invoke(main, [*words, "--config", str(base / "hub.toml")])
    assert done.exit_code == 1, done.output
    assert "数据可能已丢失" in done.output
    assert names(base) == before
    with pytest.raises(LedgerLost, match="pingyi-hub restore"), opened(CONFIG, base):
        pass


def test_commands_come_before_the_first_start(base):
    """The first user and key are made where no hub ever ran; it then starts with them."""
    done = CliRunner().invoke(
        main, ["key", "add", "示例系统", "--scope", "invite", "--config", str(base / "hub.toml")]
    )
    assert done.exit_code == 0, done.output
    for _ in range(2):  # also where the first start was cut off before the first entry
        with opened(CONFIG, base) as state:
            assert ledger.size(state.db) == 0


def test_a_hub_whose_disk_is_not_there_does_not_begin_anew(base):
    """It would tell its kiosks that it never asked for what they hold."""
    with opened(CONFIG, base):
        pass
    (base / "state").rename(base / "elsewhere")
    (base / "state").mkdir()
    with pytest.raises(LedgerLost, match="磁盘可能没有挂上"), opened(CONFIG, base):
        pass
    assert names(base) == ["hub.lock"]
    (base / ".state.begun").unlink()
    with opened(CONFIG, base):
        pass
