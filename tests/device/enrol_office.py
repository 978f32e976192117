"""The IT desk that enrols kiosks, with an authority of its own and no hall behind it."""

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime

from msgspec.structs import replace

from provisioning import keystore
from provisioning.authority import Authority
from tests.provisioning.enrol_world import Office
from tests.provisioning.world_authority import PASSPHRASE


class Operator(Office):
    """An IT desk whose hall's server is not there: the kiosk finds that out at once."""

    def terms(self, device="kiosk-01", hall="hall-1"):
        return replace(super().terms(device, hall), host="127.0.0.1", port=1)


def make_keys(folder):
    """Make an authority's keys, once for many offices: it takes its time."""
    place = folder / "authority"
    keystore.create(place, PASSPHRASE, "示例区", datetime.now(UTC))
    return place


@contextmanager
def opened(keys, folder):
    """An office on a copy of these keys."""
    mine = folder / "authority"
    shutil.copytree(keys, mine)
    authority = Authority.open(mine, PASSPHRASE)
    try:
        yield Operator(authority, mine)
    finally:
        authority.close()
