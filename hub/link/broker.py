"""The embedded broker (amqtt), for trials and demos: on loopback, in a thread of its own.

It is dumb transport like any other. What it cannot do, and says when it starts, is done by
mosquitto in production.
"""

import asyncio
import logging
import threading

from amqtt.broker import Broker
from amqtt.errors import AMQTTError

log = logging.getLogger(__name__)

CANNOT = (
    "note=内置消息服务只供试用：不加密，不验证评价器身份，不区分各台权限，"
    "不能断开已吊销的评价器，不限制连接数；正式使用请改用 mosquitto"
)
"""Said at every start, in one line."""


class BrokerError(Exception):
    """The broker could not start; the text says why and what to do."""


class EmbeddedBroker:
    """Starts and stops one amqtt broker on host:port."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._error: Exception | None = None

    def start(self) -> None:
        """Start, and return when it listens; raises `BrokerError`."""
        # amqtt tells of every packet and of every client that goes away
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.WARNING)
        self._thread.start()
        if not self._ready.wait(15) or self._error is not None:
            raise BrokerError(
                f"内置消息服务无法在 {self._host}:{self._port} 启动：{self._error}。"
                "请检查端口是否被占用，或改用外部 mosquitto（[broker] embedded = false）"
            )
        log.warning("broker=embedded address=%s:%d %s", self._host, self._port, CANNOT)

    def stop(self) -> None:
        """Stop listening and end the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:  # noqa: BLE001 - handed to start()
            self._error = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{self._host}:{self._port}"}},
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            }
        )
        await broker.start()
        self._ready.set()
        await self._stop.wait()
        try:
            await broker.shutdown()
        except AMQTTError as error:
            log.warning("broker=embedded stop=%s", error)
