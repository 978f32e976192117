"""The command `pingyi-hub serve`."""

import asyncio
import logging
import signal
import sqlite3
from pathlib import Path

import click

from hub.commands import console
from hub.commands.console import CONFIG
from hub.config import ConfigError
from hub.link.broker import BrokerError
from hub.notary import LedgerKeyError
from hub.store import database
from hub.store.lock import InUse
from hub.store.soundness import Spoiled
from hub.store.vault import VaultError

_UNSTARTABLE = (
    ConfigError,
    BrokerError,
    VaultError,
    LedgerKeyError,
    InUse,
    database.GuardsMissing,
    database.LedgerLost,
    Spoiled,
)


@click.command()
@CONFIG
def serve(file: Path) -> None:
    """运行大厅服务器，直到收到停止信号。"""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config, base = console.load(file)
    from hub import service  # noqa: PLC0415 - the other commands need no web server

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await service.serve(config, base, stop)

    try:
        asyncio.run(run())
    except _UNSTARTABLE as error:
        console.fail(str(error))
    except (sqlite3.Error, OSError) as error:
        console.fail(console.trouble(error, base / config.state))
