"""The watchdog is fed while all parts of a real kiosk show that they live, and not longer."""

import socket
import threading

import pytest
from appliance import World

from device.watchdog import Notifier, Watchdog


class Clock:
    """Seconds that the test moves."""

    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def heard(tmp_path):
    """What was sent, by a real socket: a function that takes it all out."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "notify"))
        ours.setblocking(False)

        def take():
            found = []
            while True:
                try:
                    found.append(ours.recv(4096).decode())
                except BlockingIOError:
                    return found

        yield take


@pytest.fixture
def notifier(tmp_path, heard):
    return Notifier(str(tmp_path / "notify"))


def answers(alive):
    alive()


def is_silent(_alive):
    pass


@pytest.mark.parametrize("lame", ["screen", "frames", "keeper"])
def test_one_part_that_is_silent_starves_all(clock, notifier, heard, lame):
    """However lively the others are; and when it speaks again, it is fed again."""
    parts = dict.fromkeys(("screen", "frames", "keeper"), answers)
    living = Watchdog(
        parts | {lame: lambda alive: mute or alive()}, seconds=5, now=clock, notifier=notifier
    )
    mute = False
    living.round()
    assert heard() == ["WATCHDOG=1"]
    mute = True
    clock.at += 4
    living.round()
    assert heard() == ["WATCHDOG=1"]
    clock.at += 2
    living.round()
    assert heard() == []
    assert living.silent() == (lame,)
    mute = False
    living.round()
    assert heard() == ["WATCHDOG=1"]


def test_a_start_counts_as_a_sign_of_life_but_only_once(clock, notifier, heard):
    """Parts that never answered have their time from the start on."""
    watchdog = Watchdog({"keeper": is_silent}, seconds=5, now=clock, notifier=notifier)
    watchdog.round()
    clock.at += 5.1
    watchdog.round()
    assert heard() == ["WATCHDOG=1"]


def test_a_panel_that_is_pulled_ends_the_feeding_once(clock, notifier, heard, tmp_path):
    """The new start waits for it, fed; when it is back, one more start takes it up."""
    panel = tmp_path / "panel"
    panel.touch()

    def start():
        return Watchdog({"screen": answers}, seconds=5, now=clock, panel=panel, notifier=notifier)

    def passes(watchdog, *, fed):
        for _ in range(3):
            clock.at += 3
            watchdog.round()
        assert bool(heard()[2:]) is fed

    watchdog = start()
    passes(watchdog, fed=True)
    panel.unlink()
    passes(watchdog, fed=False)
    watchdog = start()
    passes(watchdog, fed=True)
    panel.touch()
    passes(watchdog, fed=False)
    passes(start(), fed=True)


def test_a_short_loss_of_the_panel_is_forgiven(clock, notifier, heard, tmp_path):
    """The same device file again, within the time."""
    panel, aside = tmp_path / "panel", tmp_path / "aside"
    panel.touch()
    watchdog = Watchdog({"s": answers}, seconds=5, now=clock, panel=panel, notifier=notifier)
    panel.rename(aside)
    watchdog.round()
    clock.at += 4
    watchdog.round()
    aside.rename(panel)
    watchdog.round()
    clock.at += 4
    watchdog.round()
    assert len(heard()) == 4


def test_nobody_listens_and_nothing_breaks(clock, tmp_path, caplog):
    """Without systemd, and with a socket that is gone."""
    for address in ("", str(tmp_path / "gone"), "@pingyi-test-nobody"):
        watchdog = Watchdog({"s": answers}, seconds=5, now=clock, notifier=Notifier(address))
        watchdog.start()
        watchdog.round()
        watchdog.stop()
    assert caplog.text.count("watchdog=unheard") == 4


def test_abstract_sockets_are_served(clock):
    """systemd may name one with an @."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind("\0pingyi-test-abstract")
        ours.settimeout(5)
        Notifier("@pingyi-test-abstract").tell(WATCHDOG_USEC=5, WATCHDOG=1)
        assert ours.recv(100) == b"WATCHDOG_USEC=5\nWATCHDOG=1"


def test_an_asker_that_fails_does_not_end_the_watch(clock, notifier, heard, caplog):
    """It is logged, and what it asked is silent: the thread goes on."""
    twice = threading.Event()

    def breaks(_alive):
        if "watchdog=failed" in caplog.text:
            twice.set()
        raise ZeroDivisionError

    watchdog = Watchdog({"s": breaks}, seconds=0.05, now=clock, notifier=notifier)
    watchdog.start()
    assert twice.wait(10)
    watchdog.stop()
    assert heard() == ["WATCHDOG_USEC=50000\nWATCHDOG=1"]


@pytest.fixture
def kiosk(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


@pytest.mark.parametrize(
    ("order", "silent"),
    [
        ("hang_screen", "frames,screen"),
        ("hang_keeper", "keeper"),
        ("lose_gl", "frames"),
        ("lose_input", "screen"),
    ],
)
def test_a_real_kiosk_that_hangs_is_not_fed(kiosk, order, silent):
    """Kivy's thread, the keeper, the renderer's context, the source of touches."""
    assert kiosk.fed(40), kiosk.text()
    assert kiosk.told == ["WATCHDOG_USEC=5000000\nWATCHDOG=1"]
    for _ in range(3):
        assert kiosk.fed(4), kiosk.text()
    kiosk.order(order)
    assert kiosk.starves(20)
    # Parts that hang together may be named one round after another: the last line has them all.
    kiosk.until(lambda: kiosk.silent() == set(silent.split(",")), 10)
    assert kiosk.process.poll() is None
