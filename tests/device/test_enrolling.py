"""The enrolment beside a screen: what it tells, over a real port, whatever the cable does."""

import logging
import threading
from contextlib import contextmanager

import pytest
from cables import Cable, wait_for
from enrol_office import make_keys, opened
from msgspec.structs import replace

from device import enrolling as module
from device import identity
from device.config import EnrolmentConfig, HubConfig, KioskConfig
from device.enrolling import NEVER, Enrolling, Pauses, missing
from device.view import Step
from protocol.enrolment.kiosk import REVEALED_LIMIT
from provisioning.desk import EnrolmentFailed

CONFIG = KioskConfig(hall="hall-1", device="kiosk-01", state="state", hub=HubConfig(tls=True))
QUICK = Pauses(done=0, failed=0, suspect=0)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return make_keys(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def office(keys, tmp_path):
    with opened(keys, tmp_path) as office:
        yield office


@pytest.fixture
def cable(tmp_path):
    cable = Cable(tmp_path)
    yield cable
    cable.close()


class Shown:
    """Everything that a screen would have drawn."""

    def __init__(self, enrolling):
        self.views = []
        self.over = threading.Event()
        self.enrolling = enrolling
        enrolling.start(self.views.append, self.over.set)

    def steps(self):
        return [view.step for view in self.views]

    def until(self, condition):
        wait_for(lambda: any(condition(view) for view in list(self.views)))
        return next(view for view in self.views if condition(view))


@contextmanager
def kiosk(tmp_path, port, config=CONFIG, **more):
    usual = {"wait_ms": None, "pauses": QUICK, **more}
    enrolling = Enrolling(config, tmp_path / "state", port, **usual)
    shown = Shown(enrolling)
    yield shown
    enrolling.stop()
    wait_for(shown.over.is_set)


def test_each_step_is_told_once_and_in_order(office, cable, tmp_path):
    """Waiting, the number that the desk shows too, the certificate, the test, the end."""
    with kiosk(tmp_path, cable.kiosk) as shown:
        enrolled = office.desk(cable.desk).run()
        wait_for(shown.over.is_set)
    steps = shown.steps()
    assert steps == [step for step in Step if step is not Step.FAILED]
    (compared,) = [view for view in shown.views if view.number]
    assert compared.step is Step.COMPARING
    assert [compared.number] == office.asked == [enrolled.number]
    assert shown.enrolling.enrolled
    assert "127.0.0.1:1" in shown.views[-1].text
    assert not shown.views[-1].passed
    assert missing(tmp_path / "state", "kiosk-01", "hall-1") == ""


def test_a_number_that_is_denied_ends_in_words_and_waiting_begins_anew(office, cable, tmp_path):
    """A kiosk that waits by itself lets the operator try again, with a new number."""
    with kiosk(tmp_path, cable.kiosk) as shown:
        with pytest.raises(EnrolmentFailed):
            office.desk(cable.desk, confirm=lambda _: False).run()
        failed = shown.until(lambda view: view.step is Step.FAILED)
        assert "两边显示的数字不一致" in failed.text
        office.desk(cable.desk).run()
        wait_for(shown.over.is_set)
    assert shown.enrolling.enrolled
    assert shown.steps().count(Step.COMPARING) == 2
    assert office.vouchers() == (1, 1)


def test_one_that_was_asked_once_ends_with_its_failure(office, cable, tmp_path):
    """`enrol --screen` does not begin anew by itself."""
    with kiosk(tmp_path, cable.kiosk, wait_ms=20_000) as shown:
        with pytest.raises(EnrolmentFailed):
            office.desk(cable.desk, confirm=lambda _: False).run()
        wait_for(shown.over.is_set)
    assert not shown.enrolling.enrolled
    assert shown.views[-1].step is Step.FAILED


def test_nobody_comes(cable, tmp_path):
    """Asked once, it ends when its time is over, and says what to check."""
    with kiosk(tmp_path, cable.kiosk, wait_ms=300) as shown:
        wait_for(shown.over.is_set)
    assert shown.steps() == [Step.WAITING, Step.FAILED]
    assert "没有等到入网台" in shown.views[-1].text


def test_the_number_goes_away_with_the_cable(office, cable, tmp_path):
    """Pulled while the operator compares: nothing is left that could be compared later."""

    def confirm(_):
        if len(office.asked) == 1:
            cable.replug()
            wait_for(lambda: shown.views[-1].step is Step.WAITING)
        return True

    with kiosk(tmp_path, cable.kiosk) as shown:
        office.desk(cable.desk, confirm=confirm).run()
        wait_for(shown.over.is_set)
    after = shown.views[shown.steps().index(Step.COMPARING) + 1]
    assert (after.step, after.number) == (Step.WAITING, "")
    assert shown.enrolling.enrolled
    first, *_ = [view.number for view in shown.views if view.number]
    assert first == office.asked[0]


def test_a_port_that_comes_later_is_waited_for_and_told_once(office, tmp_path, caplog, monkeypatch):
    """The cable is plugged after the kiosk was started; the log has one line, not a thousand."""
    caplog.set_level(logging.INFO)
    port = tmp_path / "cable-kiosk"
    with kiosk(tmp_path, str(port)) as shown:
        told = shown.until(lambda view: view.text)
        assert told.step is Step.WAITING
        assert "没有这个端口" in told.text
        tries = []
        opened = module.Line.open
        with monkeypatch.context() as patch:
            patch.setattr(module.Line, "open", lambda url: (tries.append(url), opened(url))[1])
            wait_for(lambda: len(tries) > 2)
        cable = Cable(tmp_path)
        try:
            office.desk(cable.desk).run()
            wait_for(shown.over.is_set)
        finally:
            cable.close()
    assert shown.enrolling.enrolled
    lines = [each.getMessage().split(" ")[0] for each in caplog.records]
    assert lines.count("desk-port=away") == 1
    assert lines.count("desk-port=open") == 1


def test_a_desk_that_means_another_kiosk_is_read_on_the_screen(office, cable, tmp_path):
    """The person at the kiosk sees that the cable is the wrong one; waiting goes on."""
    with kiosk(tmp_path, cable.kiosk) as shown:
        with pytest.raises(EnrolmentFailed):
            office.desk(cable.desk, device="kiosk-02").run()
        told = shown.until(lambda view: view.text)
        assert told.step is Step.WAITING
        assert "kiosk-02" in told.text
        office.desk(cable.desk).run()
        wait_for(shown.over.is_set)
    assert shown.enrolling.enrolled


def test_a_kiosk_that_another_program_enrols_notices(office, cable, tmp_path):
    """A person ran `pingyi-kiosk enrol` on a terminal while this one waited at another port."""
    with kiosk(tmp_path, str(tmp_path / "no-port")) as shown:
        shown.until(lambda view: view.text)
        with kiosk(tmp_path, cable.kiosk, wait_ms=20_000) as other:
            office.desk(cable.desk).run()
            wait_for(other.over.is_set)
        wait_for(shown.over.is_set)
    assert shown.enrolling.enrolled
    assert Step.COMPARING not in shown.steps()


def test_beginning_anew_gives_nobody_more_numbers(office, cable, tmp_path):
    """After the limit of numbers, all attempts together, it stops for the long pause."""
    with kiosk(tmp_path, cable.kiosk, pauses=Pauses(0, 0, 3_600)) as shown:
        for _ in range(REVEALED_LIMIT):
            with pytest.raises(EnrolmentFailed):
                office.desk(cable.desk, confirm=lambda _: False).run()
            seen = len(office.asked)
            wait_for(lambda seen=seen: shown.steps().count(Step.FAILED) == seen)
        assert len(set(office.asked)) > 1
        with pytest.raises(EnrolmentFailed):
            office.desk(cable.desk, wait_ms=500).run()
        assert len(office.asked) == REVEALED_LIMIT
        assert shown.steps().count(Step.COMPARING) == REVEALED_LIMIT


def test_a_full_disk_is_told_and_nothing_is_half(office, cable, tmp_path, monkeypatch):
    """The certificate cannot be kept: the screen says so, and the next attempt succeeds."""
    stored = identity.store

    def full(*_):
        monkeypatch.setattr(identity, "store", stored)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(identity, "store", full)
    with kiosk(tmp_path, cable.kiosk) as shown:
        with pytest.raises(EnrolmentFailed):
            office.desk(cable.desk).run()
        failed = shown.until(lambda view: view.step is Step.FAILED)
        assert "没能把身份写入磁盘" in failed.text
        assert missing(tmp_path / "state", "kiosk-01", "hall-1") == NEVER
        office.desk(cable.desk).run()
        wait_for(shown.over.is_set)
    assert shown.enrolling.enrolled


def test_a_key_that_cannot_be_used_is_told(tmp_path, cable):
    """Damaged, or readable by others: the screen says what to do, not only a log."""
    (tmp_path / "state").mkdir()
    key = tmp_path / "state" / "device-key.pem"
    key.write_text("damaged", encoding="ascii")
    key.chmod(0o600)
    with kiosk(tmp_path, cable.kiosk, wait_ms=1_000) as shown:
        wait_for(shown.over.is_set)
    assert "已损坏" in shown.views[-1].text


def test_a_state_directory_that_is_a_file_is_told(tmp_path, cable):
    """As the commands say it."""
    (tmp_path / "state").write_text("a file", encoding="ascii")
    with kiosk(tmp_path, cable.kiosk, wait_ms=1_000) as shown:
        wait_for(shown.over.is_set)
    assert "请检查磁盘空间" in shown.views[-1].text


def test_an_identity_of_another_name_is_none(office, cable, tmp_path):
    """The configuration was copied from another kiosk: this one is to be enrolled anew."""
    with kiosk(tmp_path, cable.kiosk, wait_ms=20_000) as shown:
        office.desk(cable.desk).run()
        wait_for(shown.over.is_set)
    assert "kiosk-01" in missing(tmp_path / "state", "kiosk-02", "hall-1")
    assert missing(tmp_path / "state", "kiosk-01", "hall-2") != ""
    chain = tmp_path / "state" / "identity" / "device.pem"
    chain.write_bytes(chain.read_bytes()[:100])
    assert "重新入网" in missing(tmp_path / "state", "kiosk-01", "hall-1")


def test_why_it_must_be_enrolled_again_is_read_on_the_screen(cable, tmp_path):
    """Where there is more to say than that it never was."""
    with kiosk(tmp_path, cable.kiosk, cause="证书已损坏，请重新入网") as shown:
        told = shown.until(lambda view: view.text)
    assert (told.step, told.text) == (Step.WAITING, "证书已损坏，请重新入网")


@pytest.mark.parametrize(
    ("hub", "enrolment", "needed"),
    [
        (None, None, False),
        (None, EnrolmentConfig(), True),
        (HubConfig(), EnrolmentConfig(), False),
        (HubConfig(tls=True), None, True),
    ],
)
def test_only_a_kiosk_that_serves_by_tls_waits_to_be_enrolled(hub, enrolment, needed):
    """A trial without encryption starts as ever."""
    assert replace(CONFIG, hub=hub, enrolment=enrolment).needs_identity is needed
