"""One kiosk on one state directory, and how it finds its hub."""

import logging
from pathlib import Path

import pytest
from msgspec.structs import replace
from renewal_world import Enrolled

from device import identity
from device.assembly import InUse, Kiosk, way_to_the_hub
from device.config import HubConfig, KioskConfig
from device.identity import IdentityError
from device.keypad.model import ModelError
from device.keypad.settings import KeypadConfig


@pytest.fixture
def config(tmp_path):
    identity.load_or_create(tmp_path / "kiosk" / "device-key.pem")
    return KioskConfig(hall="h1", device="k1", state="kiosk")


@pytest.fixture
def enrolled(tmp_path):
    return Enrolled(tmp_path / "kiosk", 1)


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


def test_an_enrolled_kiosk_goes_where_enrolment_told_it_to(enrolled):
    """Host and port of its terms, by its certificate."""
    found = identity.enrolled(enrolled.state)
    assert way_to_the_hub(None, found) == HubConfig(host="hub.example", port=8883, tls=True)


def test_what_the_configuration_says_wins(enrolled):
    """Even where it says plain, for a trial beside the hub."""
    said = HubConfig(port=1884)
    assert way_to_the_hub(said, identity.enrolled(enrolled.state)) == said


def test_a_kiosk_that_is_not_enrolled_looks_on_its_own_machine(config, tmp_path):
    """Plain, on loopback: nothing leaves the machine."""
    way = way_to_the_hub(config.hub, identity.enrolled(tmp_path / "kiosk"))
    assert (way.host, way.port, way.tls) == ("127.0.0.1", 1883, False)


def test_the_kiosk_is_wired_to_what_enrolment_gave(tmp_path, config, enrolled):
    """The address, a TLS context of its certificate, and the certificate for the hub."""
    kiosk = Kiosk(config, tmp_path)
    try:
        assert kiosk._link._address == ("hub.example", 8883)
        assert kiosk._link._tls is not None
        assert enrolled.first.startswith(kiosk.keeper._renewing.certificate)
    finally:
        kiosk.stop()


def test_what_fails_after_the_outbox_was_opened_closes_it(tmp_path, config):
    """A kiosk that cannot be put together holds no file, and the next try finds all free."""
    bad = replace(config, keypad=KeypadConfig(model="gone.toml", port="/dev/pingyi/pad-*"))
    with pytest.raises(ModelError):
        Kiosk(bad, tmp_path)
    held = {str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}
    assert not [each for each in held if each.startswith(str(tmp_path))]
    Kiosk(config, tmp_path).stop()


@pytest.mark.parametrize("wrong", [{"device": "k2"}, {"hall": "h2"}])
def test_an_identity_of_another_name_is_not_used(tmp_path, config, enrolled, wrong):
    """The message names both; and the state directory is free again."""
    said = {"hall": "h1", "device": "k1", **wrong}
    for _ in range(2):
        with pytest.raises(IdentityError, match=r"大厅 h1 的 k1，.*请改正配置的 hall、device"):
            Kiosk(KioskConfig(state="kiosk", **said), tmp_path)
    Kiosk(config, tmp_path).stop()


def test_first_settings_that_nothing_uses_are_named(tmp_path, config, enrolled, caplog):
    """What enrolment brought is never taken for done; the values stay out of the log."""
    terms = identity.enrolled(enrolled.state).terms
    given = type(terms)(
        **{field: getattr(terms, field) for field in ("device", "hall", "host", "port", "ca")},
        settings={"volume": 60, "language": "示例"},
    )
    identity.store(enrolled.state, enrolled.first, given)
    with caplog.at_level(logging.WARNING):
        Kiosk(config, tmp_path).stop()
    assert "settings=not-used names=language,volume" in caplog.text
    assert "示例" not in caplog.text
