"""What the commands share: the configuration file, and faults told in Chinese."""

import contextlib
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click
from sqlite_utils import Database

from hub import configfile
from hub.accounts.changes import Job
from hub.clock import epoch_ms
from hub.config import ConfigError, HubConfig
from hub.errors import DeskError
from hub.rules.access import CONSOLE
from hub.store import database as store
from hub.store import soundness
from protocol.strict import Faults

CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/pingyi/hub.toml"),
    show_default=True,
    help="配置文件（TOML）。",
)


def load(file: Path, *, files: bool = True) -> tuple[HubConfig, Path]:
    """Return the configuration and what its paths are relative to; ends with 2 if it is faulty."""
    try:
        return configfile.load(file, files=files), file.parent
    except ConfigError as error:
        fail(str(error), 2)


def fail(text: str, code: int = 1) -> NoReturn:
    """Say why, and end."""
    click.echo(text, err=True)
    sys.exit(code)


def agreed(question: str) -> None:
    """Go on if the answer is yes; anything else, or Ctrl-C, ends the command in Chinese."""
    try:
        if click.confirm(question):
            return
    except click.Abort:
        click.echo(err=True)
    fail("已取消，什么都没有改动。")


@contextlib.contextmanager
def database(state: Path) -> Iterator[Database]:
    """Open the hub's database, also beside a running hub; ends in Chinese.

    It is made where there never was one.
    """
    path = state / "hub.db"
    try:
        soundness.check_log(path)
        store.check_not_lost(state)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.closing(store.connect(path)) as db:
            if not db["audit"].exists():
                store.migrate(db)
            yield db
    except store.LedgerLost as error:
        fail(str(error))
    except (sqlite3.Error, OSError) as error:
        fail(trouble(error, path))


@contextlib.contextmanager
def reading(state: Path) -> Iterator[Database]:
    """Open the hub's database at one moment of it, if there is one; ends in Chinese."""
    path = state / "hub.db"
    try:
        if not path.exists():
            store.check_not_lost(state)
            fail("还没有数据：服务器尚未运行过。")
        soundness.check_log(path)
        with contextlib.closing(store.connect(path)) as db:
            db.conn.execute("BEGIN")  # one picture of a file that goes on growing
            yield db
            db.conn.execute("ROLLBACK")
    except store.LedgerLost as error:
        fail(str(error))
    except (sqlite3.Error, OSError) as error:
        fail(trouble(error, path))


@contextlib.contextmanager
def changing(file: Path) -> Iterator[Job]:
    """Make one change of accounts or keys, also beside a running hub; ends in Chinese.

    `Job.changed` is told to nobody: a running hub finds out by itself.
    """
    config, base = load(file, files=False)
    try:
        with database(base / config.state) as db, store.alone(db):
            yield Job(db=db, now=epoch_ms(), by=CONSOLE, changed=set())
    except DeskError as error:
        fail(str(error))
    except Faults as error:
        fail("\n".join(f"{fault.place}：{fault.message}" for fault in error.faults))


def trouble(error: sqlite3.Error | OSError, place: Path) -> str:
    """Say what is wrong with a file or folder of data, and what to do about it."""
    if isinstance(error, BrokenPipeError):  # whoever reads has seen enough
        return ""
    if isinstance(error, OSError):
        return f"{place}：{error.strerror}。请检查这个目录是否存在、是否可写、磁盘是否已满。"
    if isinstance(error, soundness.Spoiled):
        return str(error)
    if isinstance(error, sqlite3.OperationalError):
        return f"{place}：数据文件无法使用（{error}）。请检查目录权限和磁盘空间。"
    return (
        f"{place}：数据文件已损坏（{error}）。请不要删除它：先停止服务，把整个目录复制一份，"
        "再用 pingyi-hub restore 从备份恢复或联系维护人员。"
    )
