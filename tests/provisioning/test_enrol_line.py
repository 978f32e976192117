"""Enrolment with the real serial code, over ptys, on cables that do what cables do."""

import contextlib
import random
import socket
import threading
import zlib

import pytest
from cables import Cable
from enrol_world import Kiosk, whole

from protocol.enrolment import conversation, link
from protocol.enrolment.frames import Decoder, Frame, Kind, encode
from protocol.enrolment.texts import BABBLE, DEAD, ECHO
from provisioning.desk import EnrolmentFailed
from provisioning.line import Line, LineError


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
