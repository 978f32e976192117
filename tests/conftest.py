"""What tests of several rooms share: free ports, real brokers, how hypothesis searches."""

import os

import brokers
import pytest
from hypothesis import settings

# A build server tries the same examples every time; at home each run looks somewhere new.
settings.register_profile(
    "pingyi", deadline=None, database=None, derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("pingyi")


@pytest.fixture
def free_port():
    """A TCP port of the loopback that nobody listens on."""
    return brokers.free_port()


@pytest.fixture
def mosquitto(tmp_path):
    """A running mosquitto with `host`, `port`, `start` and `kill`."""
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    broker = brokers.Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def embedded():
    """The running embedded broker, with `host`, `port`, `start` and `kill`."""
    broker = brokers.Embedded()
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request):
    """Each broker that the product is used with, in turn."""
    return request.getfixturevalue(request.param)
