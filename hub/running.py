"""How the hub's parts start one after the other, and how they stop in the opposite order."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

log = logging.getLogger(__name__)


class Part(Protocol):
    """What has threads of its own; either call may wait for them."""

    def start(self) -> None:
        """Start; what raises has left nothing running."""

    def stop(self) -> None:
        """Stop, and return once nothing of it runs."""


class Running(contextlib.AsyncExitStack):
    """All that runs. Left, it stops what has started, the last first.

    So it does where a later part cannot start, and where one before it does not stop: what that
    one raises is raised once all are stopped.
    """

    async def start(self, part: Part) -> None:
        """Start a part, and stop it at the end; the event loop waits for neither."""
        await asyncio.to_thread(part.start)
        self.push_async_callback(asyncio.to_thread, part.stop)

    def job(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do work beside all else until the end: then it is cancelled, and waited for.

        Work that fails before is logged at once, by `name`, and ends nothing else.
        """
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_told)
        self.push_async_callback(_ended, task)


def _told(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("job=%s failed", task.get_name(), exc_info=error)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
