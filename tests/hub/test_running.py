"""Starting and stopping: in order, completely, whatever fails in between."""

import asyncio
import logging

import pytest
from brokers import eventually

from hub.running import Running


class Part:
    """Notes its start and its stop; may fail at either."""

    def __init__(self, name, did, *, fails=""):
        self.name, self.did, self.fails = name, did, fails

    def start(self):
        self._do("start")

    def stop(self):
        self._do("stop")

    def _do(self, what):
        self.did.append(f"{what} {self.name}")
        if self.fails == what:
            raise OSError(f"{self.name} cannot {what}")


def test_what_was_started_first_is_stopped_last():
    """Parts and jobs alike; each job is over before anything it may need is stopped."""
    did = []

    async def work():
        try:
            did.append("job")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            did.append("job over")

    async def story():
        async with Running() as running:
            await running.start(Part("a", did))
            await running.start(Part("b", did))
            running.job("work", work())
            await asyncio.sleep(0)

    asyncio.run(story())
    assert did == ["start a", "start b", "job", "job over", "stop b", "stop a"]


def test_a_part_that_cannot_start_ends_those_before_it_and_none_after():
    """What it raised is what is told."""
    did = []

    async def story():
        async with Running() as running:
            for name, fails in (("a", ""), ("b", "start"), ("c", "")):
                await running.start(Part(name, did, fails=fails))

    with pytest.raises(OSError, match="b cannot start"):
        asyncio.run(story())
    assert did == ["start a", "start b", "stop a"]


def test_a_part_that_cannot_stop_keeps_none_from_stopping():
    """It is told once all others have stopped."""
    did = []

    async def story():
        async with Running() as running:
            for name, fails in (("a", ""), ("b", "stop"), ("c", "")):
                await running.start(Part(name, did, fails=fails))

    with pytest.raises(OSError, match="b cannot stop"):
        asyncio.run(story())
    assert did[3:] == ["stop c", "stop b", "stop a"]


def test_a_job_that_fails_is_told_at_once_and_ends_nothing_else(caplog):
    """By its name, with what went wrong; the rest runs on."""
    did = []

    async def fails():
        raise ValueError("示例故障")

    async def story():
        async with Running() as running:
            await running.start(Part("a", did))
            running.job("tidying", fails())
            await asyncio.to_thread(eventually, lambda: caplog.records, "the log")
            did.append("still there")

    with caplog.at_level(logging.ERROR, "hub.running"):
        asyncio.run(story())
    assert did == ["start a", "still there", "stop a"]
    (record,) = caplog.records
    assert record.getMessage() == "job=tidying failed"
    assert "示例故障" in str(record.exc_info[1])


def test_a_job_that_is_over_by_itself_is_no_failure(caplog):
    """Nor is one that is cancelled before its first step, as where the next part cannot start."""
    did = []

    async def work():
        did.append("job")

    async def story():
        async with Running() as running:
            running.job("over", work())
            await asyncio.sleep(0)
            running.job("never", work())

    asyncio.run(story())
    assert did == ["job"]
    assert caplog.records == []
