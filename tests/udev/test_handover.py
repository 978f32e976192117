"""Who owns the kiosk's screen: kiosk and enrolment hand over to each other under a real systemd."""

import pytest
import service_manager


@pytest.fixture
def kiosk(tmp_path):
    """A booted machine with the kiosk running."""
    service_manager.require()
    machine = service_manager.Kiosk(tmp_path / "machine")
    try:
        machine.start("kiosk")
        machine.until(lambda: machine.called() == ["run"])
        yield machine
    finally:
        machine.close()


def comes_to(machine, unit, *called):
    """Nothing but this unit runs in the end, after the program was called exactly like this."""
    machine.until(lambda: machine.called() == list(called) and machine.running() == [unit])


def test_a_plugged_cable_takes_the_screen_and_gives_it_back_however_it_ends(kiosk):
    """Also on a kiosk that has an identity: a person plugged the cable."""
    (kiosk.state / "identity").mkdir()
    called = ["run"]
    for number in (0, 1, 2):
        kiosk.start("enrol")
        called.append("enrol")
        comes_to(kiosk, "enrol", *called)
        kiosk.end(number)
        called.append("run")
        comes_to(kiosk, "kiosk", *called)


def test_enrolment_that_is_killed_starts_over(kiosk):
    kiosk.start("enrol")
    comes_to(kiosk, "enrol", "run", "enrol")
    kiosk.systemctl("kill", "--signal=KILL", "pingyi-enrol.service")
    comes_to(kiosk, "enrol", "run", "enrol", "enrol")
    kiosk.end(1)
    comes_to(kiosk, "kiosk", "run", "enrol", "enrol", "run")


@pytest.mark.parametrize("last", [0, 1], ids=["ends well", "dies after it"])
def test_the_gadget_port_waits_until_there_is_an_identity(kiosk, last):
    """Failing leaves nothing to go back to; with an identity there is."""
    kiosk.start("enrol-gadget")
    comes_to(kiosk, "enrol-first", "run", "enrol")
    kiosk.end(1)
    comes_to(kiosk, "enrol-first", "run", "enrol", "enrol")
    (kiosk.state / "identity").mkdir()
    kiosk.end(last)
    comes_to(kiosk, "kiosk", "run", "enrol", "enrol", "run")


def test_the_gadget_port_leaves_a_kiosk_with_an_identity_alone(kiosk):
    """The port is there at every boot: the same process of the kiosk goes on."""
    (kiosk.state / "identity").mkdir()
    before = kiosk.shows("kiosk", "MainPID")
    kiosk.systemctl("start", "pingyi-enrol-gadget.service")
    assert kiosk.shows("enrol-gadget", "ConditionResult") == "no"
    assert kiosk.shows("enrol-first", "ActiveEnterTimestamp") == ""
    assert kiosk.shows("kiosk", "MainPID") == before
    assert kiosk.called() == ["run"]


def test_cable_and_gadget_port_do_not_drive_each_other_out(kiosk):
    """The later one goes on alone; the kiosk does not come in between."""
    kiosk.start("enrol-gadget")
    comes_to(kiosk, "enrol-first", "run", "enrol")
    kiosk.start("enrol")
    comes_to(kiosk, "enrol", "run", "enrol", "enrol")
    kiosk.start("enrol-gadget")
    comes_to(kiosk, "enrol-first", "run", "enrol", "enrol", "enrol")
    (kiosk.state / "identity").mkdir()
    kiosk.end(0)
    comes_to(kiosk, "kiosk", "run", "enrol", "enrol", "enrol", "run")


def test_the_kiosk_started_by_hand_ends_enrolment(kiosk):
    kiosk.start("enrol")
    comes_to(kiosk, "enrol", "run", "enrol")
    kiosk.start("kiosk")
    comes_to(kiosk, "kiosk", "run", "enrol", "run")


def test_a_kiosk_that_dies_comes_back(kiosk):
    kiosk.systemctl("kill", "--signal=KILL", "pingyi-kiosk.service")
    comes_to(kiosk, "kiosk", "run", "run")


def test_enrolment_is_called_for_the_desk_with_the_screen(kiosk):
    kiosk.start("enrol")
    comes_to(kiosk, "enrol", "run", "enrol")
    said = (kiosk.state / "called").read_text(encoding="utf-8").splitlines()[1]
    assert said == "enrol --screen --port /dev/pingyi/desk --config /etc/pingyi/kiosk.toml"
