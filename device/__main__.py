"""The command `pingyi-kiosk`."""

import contextlib
import faulthandler
import io
import logging
import os
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from device import config as configuration
from device import crash
from device.console import Commands
from device.keypad.keypad_commands import keypad
from device.splash import NoWindow
from device.troubles import unusable
from device.watchdog import Notifier

if TYPE_CHECKING:
    from device.view import EnrolmentView
    from protocol.enrolment.kiosk import Stage, Tried

log = logging.getLogger(__name__)

START_US = 60_000_000
"""How long a start may take before systemd calls it hung: WatchdogSec of the unit."""

GIVEN_UP = (
    "评价器 5 分钟内意外出错 3 次，已停在“暂停服务”，不再自动重试。"
    "已保存的评价仍在本机，恢复后会继续发送。请查看上面的错误记录，排除原因后重新启动评价器；"
    "原因不明时，请把日志交给维护人员"
)

CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/pingyi/kiosk.toml"),
    show_default=True,
    help="配置文件（TOML）。",
)
HEADLESS = click.option("--headless", is_flag=True, help="没有显示器时在内存中绘制。")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
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


@main.command()
@CONFIG
@HEADLESS
def run(file: Path, headless: bool) -> None:
    """开机后运行评价器。

    按配置须加密连接、但还没有入网的评价器，先在屏幕上显示入网，完成后自动重新启动。
    程序意外出错时，屏幕显示“请稍候，正在恢复”并自动重新启动；没有 systemd 看护时，
    5 分钟内出错 3 次就停在“暂停服务”，等待处理。
    """
    config, base = _load(file)
    with contextlib.suppress(io.UnsupportedOperation, AttributeError):  # no real stderr
        faulthandler.enable()  # systemd's watchdog sends SIGABRT: the log then tells what hung
    from device import kiosk  # noqa: PLC0415 - the other commands need no screen

    try:
        if crash.exhausted():
            log.critical("crash=given-up %s", GIVEN_UP)
            kiosk.rest(config, base, headless=headless)
        elif cause := kiosk.unenrolled(config, base):
            if kiosk.await_enrolment(config, base, cause, headless=headless):
                Notifier().tell(WATCHDOG_USEC=START_US)
                # A window of Kivy cannot be followed by another one in the same process.
                os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this very command
        else:
            kiosk.run(config, base, headless=headless)
    except NoWindow:
        _fail("无法打开显示窗口。请检查显示器和图形驱动；没有显示器时请加 --headless")
    except crash.Crashed:
        crash.restart()
    except (OSError, sqlite3.Error) as error:
        _fail(unusable(base / config.state, error))
    except Exception as error:
        if _is_told(error):
            _fail(str(error))
        log.critical("crash=start", exc_info=True)
        crash.restart()


def _is_told(error: Exception) -> bool:
    """Whether the text of the error already tells hall IT what to do."""
    from device.assembly import InUse  # noqa: PLC0415 - only after the first picture
    from device.identity import IdentityError  # noqa: PLC0415
    from device.ui.fonts import FontMissing  # noqa: PLC0415

    return isinstance(error, IdentityError | FontMissing | InUse)


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
@click.option("--screen", is_flag=True, help="在评价器自己的屏幕上显示入网过程（须写 --port）。")
@HEADLESS
@click.option("--new-key", is_flag=True, help="换新密钥：旧密钥被吊销或被复制过时使用。")
@click.option(
    "--discard-outbox",
    is_flag=True,
    help="与 --new-key 同用：还没送达的评价结果不再发送，文件改名保留在本机。",
)
def enrol(
    *,
    file: Path,
    port: str | None,
    wait: int,
    screen: bool,
    headless: bool,
    new_key: bool,
    discard_outbox: bool,
) -> None:
    """生成本机密钥（如果还没有），并通过线缆入网；不写 --port 时只打印公钥。

    密钥始终留在本机。没有入网台时，把打印出的公钥交给管理员登记到大厅服务器。
    """
    from device import identity  # noqa: PLC0415 - `run` draws before it needs this

    config, base = _load(file)
    state = base / config.state
    if screen and port is None:
        _fail("--screen 须与 --port 同用：请写明与入网台相连的端口")
    if discard_outbox and not new_key:
        _fail("--discard-outbox 只能与 --new-key 同用")
    try:
        if new_key:
            _renew(state, discard=discard_outbox)
        if port is None:
            key = identity.load_or_create(state / "device-key.pem")
            click.echo(identity.public_pem(key).decode(), nl=False)
        elif screen:
            _enrol_on_screen(port, base, config, wait, headless=headless)
        else:
            _enrol(port, state, config, wait)
    except identity.IdentityError as error:
        _fail(str(error))
    except (OSError, sqlite3.Error) as error:
        _fail(unusable(state, error))


def _renew(state: Path, *, discard: bool) -> None:
    from device import new_key as new_keys  # noqa: PLC0415 - as above
    from device.assembly import InUse, only_one  # noqa: PLC0415

    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with only_one(state):
            copy = new_keys.spare_outcomes(state, discard=discard)
            if copy is not None:
                click.echo(f"没有送达的评价结果不再发送，原文件保留为 {copy}", err=True)
            old = new_keys.renew(state)
    except (InUse, new_keys.OutcomesWait) as error:
        _fail(f"没有更换密钥：{error}")
    click.echo("已生成新密钥。本机须重新入网，才能继续使用。", err=True)
    if old is not None:
        click.echo(f"旧密钥和旧证书已移到 {old}，确认不再需要后请删除。", err=True)


def _enrol_on_screen(
    port: str, base: Path, config: configuration.KioskConfig, wait: int, *, headless: bool
) -> None:
    from device import kiosk  # noqa: PLC0415 - as for `run`
    from device.enrolling import Enrolling  # noqa: PLC0415
    from device.ui.fonts import FontMissing  # noqa: PLC0415

    enrolling = Enrolling(config, base / config.state, port, wait_ms=wait * 1000)
    try:
        kiosk.enrol(config, base, enrolling, headless=headless)
    except FontMissing as error:
        _fail(str(error))
    _report(enrolling.view, enrolled=enrolling.enrolled)


def _report(view: "EnrolmentView", *, enrolled: bool) -> None:
    """Say at the end what the screen said, for the log of whoever started it."""
    if not enrolled:
        _fail(f"入网没有完成：{view.text or '已停止'}")
    from protocol.enrolment.kiosk import Tried  # noqa: PLC0415 - as above

    _say_enrolled(Tried(view.passed, view.text))


def _say_enrolled(tried: "Tried") -> None:
    click.echo("入网完成：证书、CA 和大厅服务器地址已保存在本机。")
    click.echo(f"连接测试{'通过' if tried.passed else '未通过'}：{tried.text}")


def _enrol(port: str, state: Path, config: configuration.KioskConfig, wait: int) -> None:
    from device import enrolment, line  # noqa: PLC0415 - the other commands need no serial port

    def show(number: str) -> None:
        click.echo(f"核对数字：{number[:3]} {number[3:]}")
        click.echo("请与入网台上的数字核对；不一致时立即拔掉线缆，不要使用本机。")

    def progress(stage: "Stage") -> None:
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
    _say_enrolled(tried)


@main.command()
@CONFIG
def outbox(file: Path) -> None:
    """查看还有多少评价结果没有得到大厅回执。

    只读取，不改动任何文件；评价器运行时也可以查看。
    """
    config, base = _load(file)
    from device import new_key as new_keys  # noqa: PLC0415 - as above
    from protocol import wording  # noqa: PLC0415 - as above

    path = base / config.state / "outbox.db"
    try:
        if not path.exists():
            click.echo("待发送：0（本机还没有保存过评价结果）")
            return
        click.echo(f"待发送：{new_keys.depth(path)}")
    except (sqlite3.OperationalError, OSError) as error:
        _fail(f"无法读取 {path}：{wording.system(error)}。请检查文件权限和磁盘")
    except sqlite3.DatabaseError as error:
        _fail(
            f"文件已损坏：{path}（{error}）。里面可能还有没送达的评价，请不要删除，"
            "先复制一份交给管理员；评价器下次启动时会把它另存，再建新文件"
        )


main.add_command(keypad)


if __name__ == "__main__":
    main()
