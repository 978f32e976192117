"""A kiosk without a window: it shows how to give it one, and nothing that does not hold."""

from pathlib import Path

import pytest
import zxingcpp
from msgspec.structs import replace

from device.driver import Driver
from device.events import Offer
from device.session import Screen
from device.view import Rest, pairing_seconds, rest
from protocol import signing, wire
from protocol.topics import Leaf
from tests.device import ui_facts, ui_play
from tests.device.keeper_world import HUB_AHEAD_MS, kiosk
from tests.device.ui_facts import grey
from tests.device.ui_views import (
    CONFIRM,
    HUB_MS,
    INVITATION,
    LONGEST_PAIRING,
    LONGEST_WINDOW,
    PAIRING,
    PAIRINGS,
    SETTINGS,
    unpaired,
)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    play = ui_play.player("ui_pairing.py", tmp_path_factory.mktemp("pairing"))
    return lambda *asked: {fact["name"]: fact for fact in play(*asked)}


@pytest.fixture(params=ui_play.SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def pictures(request, played):
    return played("pairings", *request.param)


# ---------------------------------------------------------------- what is shown when


def test_a_code_is_shown_only_while_the_hub_honours_it():
    """Over by the hub's time, or judged by no time at all, it is not shown."""
    assert rest(unpaired()) is Rest.CODE
    assert rest(unpaired(hub_ms=PAIRING.until - 1)) is Rest.CODE
    assert rest(unpaired(hub_ms=PAIRING.until)) is Rest.FETCHING
    assert rest(unpaired(hub_ms=PAIRING.until + 3_600_000)) is Rest.FETCHING
    assert rest(unpaired(hub_ms=None)) is Rest.FETCHING
    assert rest(unpaired(CONFIRM)) is Rest.CONFIRM
    assert rest(unpaired(CONFIRM, hub_ms=PAIRING.until)) is Rest.FETCHING


def test_without_a_hub_no_code_is_shown():
    """The hub keeps codes in memory: whoever typed this one could wait for ever."""
    assert rest(unpaired(connected=False)) is Rest.AWAY
    assert rest(unpaired(CONFIRM, connected=False)) is Rest.AWAY
    assert rest(unpaired(None)) is Rest.CONNECTING
    assert rest(replace(unpaired(), settings=None)) is Rest.CONNECTING
    assert rest(replace(unpaired(), settings=SETTINGS)) is Rest.WINDOW
    assert rest(replace(unpaired(), settings=SETTINGS, connected=False)) is Rest.WINDOW


def test_seconds_are_whole_and_never_more_than_a_code_lives():
    """A hub whose clock was put back does not make a kiosk count for a day."""
    assert pairing_seconds(unpaired()) == 97
    assert pairing_seconds(unpaired(hub_ms=HUB_MS + 1)) == 97
    assert pairing_seconds(unpaired(hub_ms=HUB_MS + 1_000)) == 96
    assert pairing_seconds(unpaired(hub_ms=HUB_MS - 86_400_000)) == 120


def test_the_kiosk_judges_a_code_by_the_hubs_time(tmp_path):
    """With the real keeper: unknown at first, then learnt, then over; no clock of its own."""
    with kiosk(tmp_path / "outbox.db", signing.generate_key()) as world:
        drawn = []
        driver = Driver(
            world.keeper,
            now=lambda: world.clock,
            draw=drawn.append,
            text_input=False,
            device="kiosk-01",
        )
        pairing = replace(PAIRING, until=world.clock + HUB_AHEAD_MS + 5_000)
        world.connect(hub=False)
        world.tell(Leaf.SETTINGS, wire.encode(replace(unpaired().settings, pairing=pairing)))
        driver.settings(world.settings[-1])
        assert rest(drawn[-1]) is Rest.AWAY
        world.receipt()
        driver.tick()
        assert rest(drawn[-1]) is Rest.CODE
        assert (drawn[-1].device, pairing_seconds(drawn[-1])) == ("kiosk-01", 5)
        world.clock += 5_000
        driver.tick()
        assert rest(drawn[-1]) is Rest.FETCHING


def test_a_kiosk_that_is_unpaired_lets_the_citizen_finish(tmp_path):
    """The code comes only when the session is over."""
    with kiosk(tmp_path / "outbox.db", signing.generate_key()) as world:
        world.connect()
        drawn = []
        driver = Driver(world.keeper, now=lambda: world.clock, draw=drawn.append, text_input=False)
        driver.settings(SETTINGS)
        driver.handle(Offer(world.clock, INVITATION, 60_000))
        later = replace(PAIRING, until=world.clock + HUB_AHEAD_MS + 100_000)
        driver.settings(replace(unpaired().settings, pairing=later))
        assert drawn[-1].session.screen is Screen.INVITED
        world.clock += 60_000
        world.receipt()
        driver.tick()
        assert drawn[-1].session.screen is Screen.ENDING
        world.clock += 3_000
        driver.tick()
        assert drawn[-1].session.screen is Screen.IDLE
        assert rest(drawn[-1]) is Rest.CODE


# ---------------------------------------------------------------- how it looks


def test_no_text_leaves_its_place_or_lies_on_another(pictures):
    """The longest names included, at every size."""
    assert set(pictures) == set(PAIRINGS)
    for name, fact in pictures.items():
        assert ui_facts.faults(fact) == {}, name


def test_the_code_stands_in_two_groups_with_what_to_do(pictures):
    """Digits, seconds, one sentence for the clerk, the hall, the kiosk's name for IT."""
    texts = pictures["pairing"]["texts"]
    for words in ("配对码", "384 219", "97 秒后更换", SETTINGS.hall_name, "本机名称　kiosk-01"):
        assert words in texts
    assert "请在电脑的“我的窗口”页面选择窗口，输入这六位数字" in texts


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pairing", PAIRING.qr),
        ("pairing_longest", LONGEST_PAIRING.qr),
        ("pairing_plain", "384219"),
    ],
)
def test_the_qr_is_read_from_the_screen(pictures, name, said):
    """By a decoder that has nothing in common with what drew it."""
    (code,) = zxingcpp.read_barcodes(grey(Path(pictures[name]["png"])))
    assert (str(code.format), code.text) == ("QR Code", said)


def test_a_picture_without_a_code_shows_none(pictures):
    """Neither digits nor a QR are left on the notices, nor where the window is confirmed."""
    for name in ("pairing_over", "pairing_away", "pairing_none", "confirm", "confirm_longest"):
        assert not zxingcpp.read_barcodes(grey(Path(pictures[name]["png"]))), name
        assert not [text for text in pictures[name]["texts"] if "384" in text], name
    assert "正在取得配对码…" in pictures["pairing_over"]["texts"]
    assert "连接不上大厅，暂时不能配对" in pictures["pairing_away"]["texts"]


def test_the_window_is_shown_whole_to_be_confirmed(pictures):
    """Forty signs with rare ones among them, and what to do."""
    assert "3号窗口" in pictures["confirm"]["texts"]
    assert "请在电脑上确认：这台评价器将用于此窗口" in pictures["confirm"]["texts"]
    longest = pictures["confirm_longest"]["texts"]
    assert LONGEST_WINDOW.name in longest
    assert LONGEST_WINDOW.label in longest


def test_nothing_is_left_of_the_picture_before(played):
    """From code to code to window, and on to a citizen."""
    told = played("paired")
    one, two = "384 219", "705 618"
    assert one in told["code"]["texts"]
    assert two in told["another"]["texts"]
    assert one not in told["another"]["texts"]
    (code,) = zxingcpp.read_barcodes(grey(Path(told["another"]["png"])))
    assert code.text.endswith("705618")
    for name in ("away", "confirm", "paired", "asked"):
        assert not {one, two} & set(told[name]["texts"]), name
        assert not zxingcpp.read_barcodes(grey(Path(told[name]["png"]))), name
    assert told["paired"]["texts"] == told["idle"]["texts"]
    assert told["paired-pieces"]["pieces"] == told["idle-pieces"]["pieces"]
    assert told["back-pieces"]["pieces"] == told["another-pieces"]["pieces"]
    assert INVITATION.matter in told["asked"]["texts"]


def test_a_code_that_runs_down_draws_once_a_second(played):
    """Sixty views in three seconds of the hub's time are not sixty frames."""
    assert 2 <= played("paired")["ticking"]["frames"] <= 4
