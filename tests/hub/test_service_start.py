"""A hub that cannot start: whatever has started by then ends, and nothing is left behind."""

import asyncio
import contextlib
import gc
import logging
import socket
import sqlite3
import threading
from pathlib import Path

import pytest
from brokers import LOOPBACK, eventually, free_port
from world_service import HubProcess

from hub import configfile, service
from hub.config import ConfigError
from hub.kiosks.guard import Guard
from hub.link.broker import BrokerError


@pytest.fixture
def hub(tmp_path):
    """All that a hub is made of, a city included; it is run within the test."""
    hub = HubProcess(tmp_path, embedded=True, broker_port=free_port())
    with hub.config.open("a", encoding="utf-8") as file:
        file.write(f'[upstream]\nurl = "http://{LOOPBACK}:{free_port()}"\n')
    return hub


def serve(hub, until=lambda: False):
    """Run the hub in this process until it fails, or until the condition holds."""

    async def story():
        stop = asyncio.Event()
        config = configfile.load(hub.config)
        serving = asyncio.create_task(service.serve(config, hub.folder, stop))
        await asyncio.to_thread(eventually, lambda: serving.done() or until(), "the start", 30)
        stop.set()
        await serving

    asyncio.run(story())


def left():
    """The threads and the sockets of this process."""
    gc.collect()  # what was forgotten and not closed is a warning, and so an error
    links = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    sockets = {str(each.readlink()) for each in links}
    return set(threading.enumerate()), {each for each in sockets if each.startswith("socket:")}


@contextlib.contextmanager
def a_taken_port(port):
    with socket.create_server((LOOPBACK, port)):
        yield


@contextlib.contextmanager
def a_disk_that_fails(part):
    def start(_):
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part, "start", start)
        yield


FAILURES = {
    "the interface's port": (lambda hub: a_taken_port(hub.port), ConfigError),
    "the broker's port": (lambda hub: a_taken_port(hub.broker_port), BrokerError),
    "the disk": (lambda _: a_disk_that_fails(Guard), sqlite3.OperationalError),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_start_that_fails_leaves_nothing_behind(failure, hub, caplog):
    """No thread, no port; and once its cause is away the same hub comes up."""
    broken, error = FAILURES[failure]
    before = left()
    with broken(hub), pytest.raises(error):
        serve(hub)
    assert left() == before
    with caplog.at_level(logging.INFO, "hub"):
        serve(hub, until=lambda: "hub=up" in caplog.text and "broker=connected" in caplog.text)
    assert [each for each in caplog.messages if each.startswith("job=")] == []
    assert caplog.messages[-1] == "hub=down"
    assert left() == before
