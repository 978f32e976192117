"""The rule engine as a fixture: each call plugs devices into a machine of their own."""

from itertools import count

import engine
import pytest


@pytest.fixture
def plug(tmp_path):
    """`plug(rules file, part, …)`; skips with the reason where the engine cannot run."""
    engine.require()
    numbers = count()
    return lambda rules, *parts, **more: engine.plug(
        tmp_path / f"plug{next(numbers)}", rules, *parts, **more
    )
