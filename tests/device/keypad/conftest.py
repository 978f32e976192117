"""Pads that can be plugged in."""

import pytest
from keypad_world import Plug


@pytest.fixture
def plug(tmp_path):
    """A function that plugs a pad in; all are pulled out at the end."""
    plugs = []

    def make(number=1):
        plugs.append(Plug(tmp_path / f"pad-{number}").plug())
        return plugs[-1]

    yield make
    for each in plugs:
        each.unplug()
