"""Who gets a certificate over the cable: vouchers count once, numbers are compared, disks fill."""

from datetime import UTC, datetime, timedelta

import pytest
from cables import Cable
from cryptography.hazmat.primitives.serialization import Encoding
from enrol_world import Kiosk, Office, whole

from device import identity
from protocol import certificates, signing
from provisioning import issuing as issuing_module
from provisioning.desk import EnrolmentFailed
from provisioning.issuing import Issuing


def test_a_desk_switched_off_after_signing_finds_its_voucher_again(office, cable, tmp_path):
    """The second desk delivers the certificate that the first one had made."""

    class PowerCut(Exception):
        pass

    def off(stage):
        if stage == "stored":
            raise PowerCut

    kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
    desk = office.desk(cable.desk)
    desk._progress = off
    with pytest.raises(PowerCut):
        desk.run()
    assert office.vouchers() == (1, 1)
    office.desk(cable.desk).run()
    assert whole(office, kiosk)


def test_a_voucher_kept_from_before_serves_no_other_kiosk(office, cable, tmp_path):
    """It was burnt for another key: a new one is made, and the old certificate is taken over."""
    kept = office.directory / "enrolling" / "kiosk-01"
    first = Kiosk(cable.kiosk, tmp_path / "kiosk-a")
    desk = office.desk(cable.desk)
    desk._issuing.finished = lambda: None
    desk.run()
    first.join()
    assert kept.exists()
    second = Kiosk(cable.kiosk, tmp_path / "kiosk-b")
    office.desk(cable.desk).run()
    second.join()
    assert office.vouchers() == (2, 2)
    assert [entry.revoked_at is None for entry in office.certificates()] == [False, True]
    assert not kept.exists()


def test_a_voucher_kept_from_before_serves_only_its_hall_and_its_day(office, monkeypatch):
    """A kiosk that moves to another hall, or comes back next week, needs a new one."""
    csr = certificates.request(signing.generate_key(), "kiosk-01").public_bytes(Encoding.PEM)
    request = csr.decode()

    def issuing(hall="hall-1"):
        return Issuing(office.authority, office.directory, "kiosk-01", hall)

    first = issuing().voucher(request)
    assert issuing().voucher(request) == first
    assert issuing("hall-2").voucher(request) != first
    second = issuing().voucher(request)
    chain = issuing().issue(request, second, "")
    assert issuing().voucher(request) == second
    assert issuing().issue(request, second, "") == chain
    monkeypatch.setattr(issuing_module, "_now", lambda: datetime.now(UTC) + timedelta(days=2))
    assert issuing().voucher(request) != second


def test_a_voucher_is_good_once(office, cable, tmp_path):
    """A desk that hands out a used voucher gets no certificate for another kiosk."""
    first = Kiosk(cable.kiosk, tmp_path / "kiosk-a")
    desk = office.desk(cable.desk)
    used = []
    voucher = desk._issuing.voucher
    desk._issuing.voucher = lambda request: used.append(voucher(request)) or used[0]
    desk.run()
    first.join()
    second = Kiosk(cable.kiosk, tmp_path / "kiosk-b")
    again = office.desk(cable.desk)
    again._issuing.voucher = lambda _: used[0]
    with pytest.raises(EnrolmentFailed, match="另一把密钥用过"):
        again.run()
    assert "另一把密钥用过" in second.join().failure
    assert second.enrolled is None
    assert len(office.certificates()) == 1


def test_an_operator_who_sees_another_number_stops_both(office, cable, tmp_path):
    """Nothing is issued, nothing is kept."""
    kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
    with pytest.raises(EnrolmentFailed, match="不一致"):
        office.desk(cable.desk, confirm=lambda _: False).run()
    assert "不一致" in kiosk.join().failure
    assert office.vouchers() == (0, 0)
    assert kiosk.enrolled is None


def test_somebody_in_between_cannot_put_in_his_key(office, tmp_path):
    """He has a desk for the kiosk and a kiosk for the desk: two numbers, and the operator sees."""
    to_kiosk, to_desk = Cable(tmp_path, "k"), Cable(tmp_path, "d")
    kiosk = Kiosk(to_kiosk.kiosk, tmp_path / "kiosk", wait_ms=500)
    his_kiosk = Kiosk(to_desk.kiosk, tmp_path / "his", wait_ms=500)
    seen = []

    def his_confirm(number):
        seen.append(number)
        return False

    his = Office(office.authority, office.directory)
    try:
        with pytest.raises(EnrolmentFailed):
            his.desk(to_kiosk.desk, confirm=his_confirm).run()
        with pytest.raises(EnrolmentFailed, match="不一致"):
            # The operator holds the kiosk's number against the desk's.
            office.desk(to_desk.desk, confirm=lambda number: number in kiosk.shown).run()
    finally:
        kiosk.join()
        his_kiosk.join()
        to_kiosk.close()
        to_desk.close()
    assert kiosk.shown == seen
    assert office.asked != kiosk.shown
    assert office.vouchers() == (0, 0)


def test_a_failing_connection_test_is_said_and_undoes_nothing(office, cable, tmp_path):
    """The IT desk may have no way to the hall's hub."""
    kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
    kiosk.tried = type(kiosk.tried)(passed=False, text="连接不上 hub.example:8883")
    result = office.desk(cable.desk).run()
    assert (result.passed, result.remark) == (False, "连接不上 hub.example:8883")
    assert whole(office, kiosk)
    assert not kiosk.conversation.kiosk.passed


def test_a_full_disk_on_the_kiosk_is_said_on_both_sides(office, cable, tmp_path, monkeypatch):
    """What was there before stays; the next try delivers the same certificate."""

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(identity, "store", full)
        kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
        with pytest.raises(EnrolmentFailed, match="No space left"):
            office.desk(cable.desk).run()
        assert "No space left" in kiosk.join().failure
    kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
    office.desk(cable.desk).run()
    assert whole(office, kiosk)
