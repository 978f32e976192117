"""What the tests of enrolment share: a desk with a fresh register, and a cable."""

import shutil
from datetime import UTC, datetime

import pytest
from cables import Cable
from enrol_world import Office
from world_authority import PASSPHRASE

from provisioning import keystore
from provisioning.authority import Authority


@pytest.fixture(scope="session")
def made_authority(tmp_path_factory):
    """The directory of an authority that has issued nothing: its keys are made once."""
    place = tmp_path_factory.mktemp("authority") / "authority"
    keystore.create(place, PASSPHRASE, "示例区", datetime.now(UTC))
    return place


@pytest.fixture
def office(made_authority, tmp_path):
    """An IT desk with a register of its own."""
    mine = tmp_path / "authority"
    shutil.copytree(made_authority, mine)
    with Authority.open(mine, PASSPHRASE) as authority:
        yield Office(authority, mine)


@pytest.fixture
def cable(tmp_path):
    """A cable whose two ends are ports."""
    cable = Cable(tmp_path)
    yield cable
    cable.close()
