"""One kiosk on one state directory."""

import pytest

from device import identity
from device.assembly import InUse, Kiosk
from device.config import KioskConfig


@pytest.fixture
def config(tmp_path):
    identity.load_or_create(tmp_path / "kiosk" / "device-key.pem")
    return KioskConfig(hall="demo", device="kiosk-01", state="kiosk")


def test_a_second_kiosk_on_the_same_state_is_refused(tmp_path, config):
    """Two would sign different ratings under the same numbers."""
    first = Kiosk(config, tmp_path)
    with pytest.raises(InUse, match="另一个评价器程序"):
        Kiosk(config, tmp_path)
    first.stop()


def test_a_kiosk_that_never_started_can_be_stopped(tmp_path, config):
    """When the screen cannot be built, its reason is told, not a thread's."""
    kiosk = Kiosk(config, tmp_path)
    kiosk.stop()
