"""What citizens have said, and the kiosk's key, are its user's alone, however it is started."""

import os

import pytest

from device import identity
from device.outbox import Outbox
from device.ui import fonts


@pytest.fixture(autouse=True)
def lax():
    """The umask of somebody who starts it by hand."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder):
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.is_file()}


def test_the_outbox_and_its_log_are_readable_by_their_user_alone(tmp_path):
    box = Outbox.open(tmp_path / "outbox.db")
    try:
        found = modes(tmp_path)
    finally:
        box.close()
    assert found.keys() >= {"outbox.db", "outbox.db-wal"}
    assert set(found.values()) == {0o600}


def test_whoever_makes_the_state_folder_first_makes_it_private(tmp_path):
    """The key, or the typefaces that the first picture takes."""
    identity.load_or_create(tmp_path / "one" / "device-key.pem")
    fonts.simplified_chinese(tmp_path / "two" / "fonts")
    for name in ("one", "two"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700
    assert modes(tmp_path / "one") == {"device-key.pem": 0o600}
