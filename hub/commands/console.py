"""What the commands share: the configuration file, and faults told in Chinese."""

import contextlib
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import click
from sqlite_utils import Database

from hub import configfile
from hub.accounts.changes import Job
from hub.clock import epoch_ms
from hub.config import ConfigError, HubConfig
from hub.errors import DeskError
from hub.rules.access import CONSOLE
from hub.rules.days import CHINA
from hub.store import database as store
from hub.store import keyring, lock, marking, signet, soundness, vault
from hub.store.vault import VaultError
from protocol import wording
from protocol.strict import Faults

CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/pingyi/hub.toml"),
    show_default=True,
    help="配置文件（TOML）。",
)


class Commands(click.Group):
    """A group whose faults of the command line, and Ctrl-C, are told in Chinese."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end with the code of the command: 2 where the line is wrong."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            click.echo("\n已取消。", err=True)
            sys.exit(1)
        except click.ClickException as error:
            click.echo(wording.command_line(error), err=True)
            sys.exit(error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)


NOTHING_YET = "还没有数据：服务器尚未运行过。"


def load(file: Path, *, files: bool = True) -> tuple[HubConfig, Path]:
    """Return the configuration and what its paths are relative to; ends with 2 if it is faulty."""
    try:
        return configfile.load(file, files=files), file.parent
    except ConfigError as error:
        fail(str(error), 2)


def moment(at: int) -> str:
    """Return a time (ms since 1970) as people of the hall read it."""
    return f"{datetime.fromtimestamp(at / 1000, CHINA):%m-%d %H:%M}"


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return names in a row, and of very many the first and how many there are."""
    more = f" 等 {len(names)} 台" if len(names) > most else ""
    return "、".join(names[:most]) + more


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


def begun(state: Path) -> bool:
    """Say whether a hub has run here; ends in Chinese where one did and its data are gone.

    Every command that only reads asks here first: a lost disk is no first start.
    """
    path = state / "hub.db"
    try:
        soundness.check_log(path)
        store.check_not_lost(state)
        return path.exists() and path.stat().st_size > 0
    except store.LedgerLost as error:
        fail(str(error))
    except (sqlite3.Error, OSError) as error:
        fail(trouble(error, path))


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
    if not begun(state):
        fail(NOTHING_YET)
    try:
        with contextlib.closing(store.connect(path)) as db:
            db.conn.execute("BEGIN")  # one picture of a file that goes on growing
            yield db
            db.conn.execute("ROLLBACK")
    except (sqlite3.Error, OSError) as error:
        fail(trouble(error, path))


@contextlib.contextmanager
def people(config: HubConfig, base: Path) -> Iterator[Database]:
    """Open the hub's database with the key that marks accounts and what is done; ends in Chinese.

    Beside a running hub too. A fresh file gets its key, one of an older hub its marks here, unless
    that hub still runs.
    """
    state = base / config.state
    path = state / signet.KEY_FILE
    try:
        with database(state) as db:
            if not (store.up_to_date(db) and path.exists() and keyring.read(path).marks_since):
                with lock.alone(state):
                    store.migrate(db)
                    sealed_with = vault.load_or_create(
                        path, needed=signet.needed(db), cipher=config.citizens.cipher
                    )
                    marking.begin(db, sealed_with, path, epoch_ms())
            signet.of(db)
            yield db
    except lock.InUse:
        fail(
            "服务器正在启动，或升级后还没有重启：账号和操作记录要先由新版本接管。"
            "请执行 systemctl restart pingyi-hub，再试一次"
        )
    except VaultError as error:
        fail(f"账号、密钥和操作记录要用服务器的密钥文件核对。{error}")


@contextlib.contextmanager
def changing(file: Path) -> Iterator[Job]:
    """Make one change of accounts or keys, also beside a running hub; ends in Chinese.

    `Job.changed` is told to nobody: a running hub finds out by itself.
    """
    config, base = load(file, files=False)
    try:
        with people(config, base) as db, store.alone(db):
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
        return f"{place}：{wording.system(error)}。请检查这个目录是否存在、是否可写、磁盘是否已满。"
    if isinstance(error, soundness.Spoiled):
        return str(error)
    if isinstance(error, sqlite3.OperationalError):
        return f"{place}：数据文件无法使用：{wording.system(error)}。请检查目录权限和磁盘空间。"
    return (
        f"{place}：数据文件已损坏（{wording.system(error)}）。请不要删除它：先停止服务，把整个目录复制一份，"
        "再用 pingyi-hub restore 从备份恢复或联系维护人员。"
    )
