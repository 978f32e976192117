"""What the commands share: the configuration file, and faults told in Chinese."""

import contextlib
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click
from sqlite_utils import Database

from hub import config as configuration
from hub.store import database as store

CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/pingyi/hub.toml"),
    show_default=True,
    help="配置文件（TOML）。",
)


def load(file: Path, *, files: bool = True) -> tuple[configuration.HubConfig, Path]:
    """Return the configuration and what its paths are relative to; ends with 2 if it is faulty."""
    try:
        return configuration.load(file, files=files), file.parent
    except configuration.ConfigError as error:
        fail(str(error), 2)


def fail(text: str, code: int = 1) -> NoReturn:
    """Say why, and end."""
    click.echo(text, err=True)
    sys.exit(code)


@contextlib.contextmanager
def database(state: Path) -> Iterator[Database]:
    """Open the hub's database, made if need be; also beside a running hub. Ends in Chinese."""
    path = state / "hub.db"
    try:
        state.mkdir(parents=True, exist_ok=True)
        db = store.connect(path)
        try:
            if not db["audit"].exists():
                store.migrate(db)
            yield db
        finally:
            db.close()
    except (sqlite3.Error, OSError) as error:
        fail(trouble(error, path))


def trouble(error: sqlite3.Error | OSError, place: Path) -> str:
    """Say what is wrong with a file or folder of data, and what to do about it."""
    if isinstance(error, OSError):
        return f"{place}：{error.strerror}。请检查这个目录是否存在、是否可写、磁盘是否已满。"
    if isinstance(error, sqlite3.OperationalError):
        return f"{place}：数据文件无法使用（{error}）。请检查目录权限和磁盘空间。"
    return (
        f"{place}：数据文件已损坏（{error}）。请不要删除它：先停止服务，把整个目录复制一份，"
        "再从备份恢复或联系维护人员。"
    )
