"""The command `pingyi-kiosk`."""

import errno
import logging
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import click

from device import config as configuration
from device import identity
from protocol.enrolment.kiosk import Stage

CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/pingyi/kiosk.toml"),
    show_default=True,
    help="配置文件（TOML）。",
)


_SYSTEM = {
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.EROFS: "只读文件系统",
    errno.ENOSPC: "磁盘已满",
    errno.EDQUOT: "超出磁盘配额",
    errno.ENOTDIR: "路径中有文件，不是目录",
    errno.EEXIST: "这是文件，不是目录",
    errno.ENOENT: "不存在，也不能新建",
    errno.EIO: "磁盘读写出错",
}
_SQLITE = {
    "SQLITE_FULL": "磁盘已满",
    "SQLITE_READONLY": "数据文件只能读，不能写",
    "SQLITE_CANTOPEN": "打不开数据文件",
    "SQLITE_IOERR": "磁盘读写出错",
    "SQLITE_BUSY": "数据文件正被另一个程序占用",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """评价器：显示办件，请群众评价，断网时先保存在本机。"""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def _load(file: Path) -> tuple[configuration.KioskConfig, Path]:
    try:
        return configuration.load(file), file.parent
    except configuration.ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


def _fail(words: str) -> NoReturn:
    click.echo(words, err=True)
    sys.exit(1)


def _unusable(state: Path, error: Exception) -> str:
    """Say what the system refused, and what to look at."""
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")  # absent where no file is concerned
        cause = next((words for start, words in _SQLITE.items() if name.startswith(start)), "")
    else:
        cause = _SYSTEM.get(getattr(error, "errno", None) or 0, "")
    cause = cause or str(error)
    place = getattr(error, "filename", None)
    where = f"（{place}）" if place and place not in cause else ""
    return (
        f"本机状态目录 {state} 不能使用：{cause}{where}。"
        "请检查磁盘空间、是否只读，以及运行评价器的用户对该目录有没有写权限"
    )


@main.command()
@CONFIG
@click.option("--headless", is_flag=True, help="没有显示器时在内存中绘制。")
def run(file: Path, headless: bool) -> None:
    """开机后运行评价器。"""
    config, base = _load(file)
    from device import kiosk  # noqa: PLC0415 - the other commands need no screen
    from device.assembly import InUse  # noqa: PLC0415
    from device.ui.fonts import FontMissing  # noqa: PLC0415

    try:
        kiosk.run(config, base, headless=headless)
    except (identity.IdentityError, FontMissing, InUse) as error:
        _fail(str(error))
    except (OSError, sqlite3.Error) as error:
        _fail(_unusable(base / config.state, error))


@main.command()
@CONFIG
@click.option("--port", help="与入网台相连的端口，如 /dev/ttyGS0；不写则只生成密钥并打印公钥。")
@click.option(
    "--wait",
    type=click.IntRange(1, 86_400),
    default=600,
    show_default=True,
    help="最多等待入网台多少秒。",
)
def enrol(file: Path, port: str | None, wait: int) -> None:
    """生成本机密钥（如果还没有），并通过线缆入网；不写 --port 时只打印公钥。

    密钥始终留在本机。没有入网台时，把打印出的公钥交给管理员登记到大厅服务器。
    """
    config, base = _load(file)
    state = base / config.state
    try:
        if port is None:
            key = identity.load_or_create(state / "device-key.pem")
            click.echo(identity.public_pem(key).decode(), nl=False)
            return
        _enrol(port, state, config, wait)
    except identity.IdentityError as error:
        _fail(str(error))
    except OSError as error:
        _fail(_unusable(state, error))


def _enrol(port: str, state: Path, config: configuration.KioskConfig, wait: int) -> None:
    from device import enrolment, line  # noqa: PLC0415 - the other commands need no serial port

    def show(number: str) -> None:
        click.echo(f"核对数字：{number[:3]} {number[3:]}")
        click.echo("请与入网台上的数字核对；不一致时立即拔掉线缆，不要使用本机。")

    def progress(stage: Stage) -> None:
        if stage in enrolment.PROGRESS:
            click.echo(enrolment.PROGRESS[stage])

    click.echo(f"正在等待入网台（端口 {port}）……")
    try:
        tried = enrolment.enrol(
            port,
            state,
            config.device,
            config.hall,
            show=show,
            progress=progress,
            wait_ms=wait * 1000,
        )
    except (line.LineError, enrolment.EnrolmentFailed) as error:
        click.echo(f"入网没有完成：{error}", err=True)
        sys.exit(1)
    click.echo("入网完成：证书、CA 和大厅服务器地址已保存在本机。")
    click.echo(f"连接测试{'通过' if tried.passed else '未通过'}：{tried.text}")


@main.command()
@CONFIG
def outbox(file: Path) -> None:
    """查看还有多少评价结果没有得到大厅回执。

    只读取，不改动任何文件；评价器运行时也可以查看。
    """
    config, base = _load(file)
    path = base / config.state / "outbox.db"
    try:
        if not path.exists():
            click.echo("待发送：0（本机还没有保存过评价结果）")
            return
        click.echo(f"待发送：{_depth(path)}")
    except (sqlite3.OperationalError, OSError) as error:
        _fail(f"无法读取 {path}：{error}。请检查文件权限和磁盘")
    except sqlite3.DatabaseError as error:
        _fail(
            f"文件已损坏：{path}（{error}）。里面可能还有没送达的评价，请不要删除，"
            "先复制一份交给管理员；评价器下次启动时会把它另存，再建新文件"
        )


def _depth(path: Path) -> int:
    """Count what waits, changing nothing; raises `sqlite3.DatabaseError` if it is damaged."""
    # A running kiosk has a write-ahead log beside the file. Without one nobody is writing,
    # and SQLite is told so, or it would make one even for a reader.
    running = path.with_name(path.name + "-wal").exists()
    mode = "mode=ro" if running else "mode=ro&immutable=1"
    address = f"{path.absolute().as_uri()}?{mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=5)) as db:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        known = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outcomes'").fetchone()
        if known is None:
            raise sqlite3.DatabaseError("没有评价结果的表")
        return int(db.execute("SELECT count(*) FROM outcomes").fetchone()[0])


if __name__ == "__main__":
    main()
