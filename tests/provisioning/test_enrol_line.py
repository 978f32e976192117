"""Enrolment with the real serial code, over ptys, on cables that do what cables do."""

import contextlib
import random
import shutil
import socket
import threading
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from cables import Cable
from cryptography.hazmat.primitives.serialization import Encoding
from enrol_world import Kiosk, Office
from world_authority import PASSPHRASE

from device import identity
from protocol import certificates, signing
from protocol.enrolment import conversation, link
from protocol.enrolment.frames import Decoder, Frame, Kind, encode
from protocol.enrolment.texts import BABBLE, DEAD, ECHO
from provisioning import issuing as issuing_module
from provisioning import keystore
from provisioning.authority import Authority
from provisioning.desk import EnrolmentFailed
from provisioning.issuing import Issuing
from provisioning.line import Line, LineError


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    place = tmp_path_factory.mktemp("authority") / "authority"
    keystore.create(place, PASSPHRASE, "示例区", datetime.now(UTC))
    return place


@pytest.fixture
def office(directory, tmp_path):
    """A fresh register each time; the keys are made once."""
    mine = tmp_path / "authority"
    shutil.copytree(directory, mine)
    authority = Authority.open(mine, PASSPHRASE)
    yield Office(authority, mine)
    authority.close()


@pytest.fixture
def cable(tmp_path):
    cable = Cable(tmp_path)
    yield cable
    cable.close()


def whole(office, kiosk):
    """One certificate, one voucher, and it is what lies on the kiosk."""
    enrolled = kiosk.join().enrolled
    assert kiosk.failure is None
    assert office.vouchers() == (1, 1)
    (entry,) = office.certificates()
    assert enrolled.certificate.read_text().startswith(
        office.authority.register.pem(entry.serial_number)
    )
    assert enrolled.terms == office.terms()
    return True


def test_a_kiosk_is_enrolled_over_a_cable(office, cable, tmp_path):
    """Both sides show one number, and say how the connection test went."""
    kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
    result = office.desk(cable.desk).run()
    assert whole(office, kiosk)
    assert kiosk.shown == office.asked == [result.number]
    assert (result.passed, result.remark) == (True, "已连接")
    assert not list((office.directory / "enrolling").iterdir())


def spoiled(rng, *, drop=0.0, double=0.0, flip=0.0):
    def spoil(data):
        out = bytearray()
        for byte in data:
            if rng.random() >= drop:
                changed = byte ^ 0x10 if rng.random() < flip else byte
                out += bytes([changed]) * (2 if rng.random() < double else 1)
        return bytes(out)

    return spoil


@pytest.mark.parametrize("fault", [{"drop": 0.05}, {"double": 0.01}, {"flip": 0.01}])
def test_a_line_that_harms_bytes_is_only_slower(office, cable, tmp_path, fault):
    """One byte in twenty lost, bytes doubled, bits turned."""
    cable.down = spoiled(random.Random(1), **fault)
    cable.up = spoiled(random.Random(2), **fault)
    kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
    office.desk(cable.desk, wait_ms=20_000).run()
    assert whole(office, kiosk)


def test_a_mebibyte_of_noise_is_listened_through(office, cable, tmp_path):
    """To both ends, in the middle of the conversation."""
    noise = random.Random(3).randbytes(1 << 20)

    def confirm(number):
        cable.babble("desk", noise)
        cable.babble("kiosk", noise)
        return True

    kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
    office.desk(cable.desk, confirm=confirm, wait_ms=20_000).run()
    assert whole(office, kiosk)


def at_data_frame(cable, count):
    """Pull the cable in place of the frame of this number (of those that carry data)."""
    seen, decoders = [0], {"down": Decoder(), "up": Decoder()}

    def spoil(way):
        def pass_on(data):
            for frame in decoders[way].feed(data):
                if frame.kind in (Kind.DATA_DOWN, Kind.DATA_UP):
                    seen[0] += 1
                    if seen[0] == count and not cable.cuts:
                        return None
            return data

        return pass_on

    cable.down, cable.up = spoil("down"), spoil("up")


@pytest.mark.parametrize("frame", range(1, 31))
def test_a_cable_pulled_at_any_frame_is_put_back(office, cable, tmp_path, monkeypatch, frame):
    """Both ports vanish and come again: the conversation goes on, with the same voucher."""
    monkeypatch.setattr(conversation, "CLOSING_MS", 1_000)
    at_data_frame(cable, frame)
    kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
    office.desk(cable.desk).run()
    assert whole(office, kiosk)
    assert len(office.asked) <= 2


def test_a_dead_line_ends_in_time_and_says_what_to_check(office, cable):
    """Nobody at the other end."""
    with pytest.raises(EnrolmentFailed) as failed:
        office.desk(cable.desk, wait_ms=300).run()
    assert str(failed.value) == DEAD
    assert "线缆" in DEAD
    assert "端口" in DEAD
    assert "pingyi-kiosk enrol" in DEAD
    assert office.vouchers() == (0, 0)


def test_a_babbling_line_ends_in_time_and_says_so(office, cable):
    """Something is there that talks all the time, and is no kiosk."""
    cable.up = cable.down = lambda _: b""
    cable.babble("desk", b"+++ modem +++\r\n" * 50_000)
    with pytest.raises(EnrolmentFailed) as failed:
        office.desk(cable.desk, wait_ms=300).run()
    assert str(failed.value) == BABBLE


def test_a_line_that_echoes_is_known(office, cable):
    """A plug that returns what it is told."""
    cable.down = lambda data: cable.babble("desk", data) or b""
    with pytest.raises(EnrolmentFailed) as failed:
        office.desk(cable.desk, wait_ms=300).run()
    assert str(failed.value) == ECHO


def test_a_loop_url_is_an_echo_too(office):
    """pyserial's own loop."""
    with pytest.raises(EnrolmentFailed, match="本机自己发出"):
        office.desk("loop://", wait_ms=300).run()


def test_a_kiosk_of_another_version_is_named(office, cable):
    """Frames that carry another version."""
    foreign = bytearray(encode(Frame(Kind.ACCEPT, 1)))
    foreign[2] = 7
    foreign[-4:] = zlib.crc32(foreign[2:-4]).to_bytes(4)
    desk = office.desk(cable.desk, wait_ms=300)
    desk._progress = lambda _: cable.babble("desk", bytes(foreign))  # the port is open by now
    with pytest.raises(EnrolmentFailed, match="版本是 7，本机是 1"):
        desk.run()


def test_a_cable_that_stays_out_is_reported(office, cable, tmp_path, monkeypatch):
    """Pulled in the middle and not put back: the desk says so, and how to go on."""
    monkeypatch.setattr(link, "LOST_MS", 500)

    def confirm(number):
        cable.up = cable.down = lambda _: b""
        return True

    Kiosk(cable.kiosk, tmp_path / "kiosk", wait_ms=300)
    desk = office.desk(cable.desk, confirm=confirm, wait_ms=300)
    with pytest.raises(EnrolmentFailed, match="连接中断，没有恢复"):
        desk.run()
    assert office.vouchers() == (1, 0)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/dev/no-such-port", "没有这个端口"),
        ("nonsense://x", "端口写法不对"),
        ("socket://127.0.0.1:1", "无法打开"),
    ],
)
def test_a_port_that_cannot_be_opened_is_named(office, url, words):
    """At once, and with what to look at."""
    with pytest.raises(LineError, match=words):
        office.desk(url).run()


def test_a_port_in_use_is_not_shared(cable):
    """Two programs on one port would each get half of what is said."""
    line = Line.open(cable.desk)
    with pytest.raises(LineError, match="正被别的程序使用"):
        Line.open(cable.desk)
    line.close()


def test_over_a_socket(office, cable, tmp_path):
    """A serial server on the network: `socket://`."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    kiosk_line = Line.open(cable.kiosk)
    done = threading.Event()

    def bridge():
        client, _ = server.accept()
        client.settimeout(0.01)
        with client, contextlib.suppress(ConnectionError):  # the desk is done and hangs up
            while not done.is_set():
                with contextlib.suppress(TimeoutError):
                    kiosk_line.write(client.recv(4096))
                client.sendall(kiosk_line.read())

    thread = threading.Thread(target=bridge)
    thread.start()
    kiosk = Kiosk(cable.desk, tmp_path / "kiosk")
    try:
        office.desk(f"socket://127.0.0.1:{port}").run()
        assert whole(office, kiosk)
    finally:
        done.set()
        thread.join(5)
        kiosk_line.close()
        server.close()


def test_another_kiosk_that_answers_in_between_is_not_mixed_in(office, tmp_path):
    """Two kiosks on one line hear every word of the desk and both answer: one is enrolled."""
    first, second = Cable(tmp_path, "one"), Cable(tmp_path, "two")
    # What the desk says on the first cable, the second kiosk hears too, and its answers come in.
    second.up = second.down = lambda data: data
    first.down = lambda data: second.babble("kiosk", data) or data
    second_desk_end = second._ends["desk"]

    def answers_of_the_other(data):
        first.babble("desk", data)
        return b""

    second.up = answers_of_the_other
    one = Kiosk(first.kiosk, tmp_path / "kiosk-a", wait_ms=1_000)
    two = Kiosk(second.kiosk, tmp_path / "kiosk-b", wait_ms=1_000)
    try:
        office.desk(first.desk).run()
        one.join()
        two.join()
        assert second_desk_end.master is not None
        holders = [each for each in (one, two) if each.enrolled]
        assert len(holders) == 1
        assert office.vouchers() == (1, 1)
        assert len(office.certificates()) == 1
        assert office.asked[-1] in holders[0].shown
    finally:
        first.close()
        second.close()


def test_the_cable_moved_to_another_kiosk_meanwhile_asks_again(office, cable, tmp_path):
    """A confirmation is for one key: another kiosk of the same name is compared anew."""
    other = Cable(tmp_path, "other")
    first = Kiosk(other.kiosk, tmp_path / "kiosk-a", wait_ms=200)
    port = tmp_path / "port"
    port.symlink_to(other.desk)
    second = []

    def swap(stage):
        if stage == "request" and not second:
            port.unlink()
            port.symlink_to(cable.desk)
            other.close()
            first.join()
            second.append(Kiosk(cable.kiosk, tmp_path / "kiosk-b"))

    desk = office.desk(str(port))
    desk._progress = swap
    desk.run()
    second[0].join()
    assert len(office.asked) == 2
    assert second[0].shown == office.asked[1:]
    assert first.enrolled is None
    assert office.vouchers() == (1, 1)


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
