"""Without a display the log says what a person would read off the screen to pair the kiosk."""

import logging

import pytest
from msgspec.structs import replace

from device.headless import PairingLog
from tests.device.ui_views import CONFIRM, HUB_MS, PAIRING, SETTINGS, VIEWS, unpaired

NEXT = replace(PAIRING, code="705618", until=PAIRING.until + 60_000)


@pytest.fixture
def told(caplog):
    """What the log has after views were drawn."""
    caplog.set_level(logging.WARNING, "device.headless")
    watching = PairingLog()

    def told(*views):
        for each in views:
            watching.see(each)
        return [record.getMessage().split("：")[0] for record in caplog.records]

    return told


def test_each_code_is_told_once_however_often_it_is_drawn(told):
    """The countdown is drawn each second; the next code is another line."""
    drawn = [unpaired(hub_ms=HUB_MS + second * 1000) for second in range(20)]
    assert told(*drawn, unpaired(NEXT), unpaired(NEXT)) == [
        f"pairing=code 配对码 {PAIRING.code}",
        "pairing=code 配对码 705618",
    ]


def test_a_code_that_the_screen_does_not_show_is_not_told(told):
    """Over by the hub's time, without a hub, before it is known, or once paired."""
    assert (
        told(
            unpaired(hub_ms=PAIRING.until),
            unpaired(hub_ms=None),
            unpaired(connected=False),
            unpaired(None),
            replace(unpaired(), settings=None),
            replace(unpaired(), settings=SETTINGS),
            VIEWS["idle"],
        )
        == []
    )


def test_a_code_that_comes_back_after_the_hub_was_away_is_told_again(told):
    """Who reads the log then looks at its end."""
    assert len(told(unpaired(), unpaired(connected=False), unpaired())) == 2


def test_the_window_to_be_confirmed_is_told(told):
    [line] = told(unpaired(CONFIRM))
    assert line == f"pairing=confirm 正显示“{CONFIRM.window.name}”"
