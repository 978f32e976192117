"""The command `pingyi-hub`."""

import asyncio
import logging
import signal
import sqlite3
import sys
from pathlib import Path

import click

from hub import broker_commands, console, upstream_commands
from hub import config as configuration
from hub.console import CONFIG
from hub.link.broker import BrokerError
from hub.store import database, deliveries, invitations, ledger, refusals
from hub.store.vault import VaultError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """大厅服务器：邀请评价、核验、入台账、报送上级平台。"""


@main.command()
@CONFIG
def serve(file: Path) -> None:
    """运行大厅服务器，直到收到停止信号。"""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config, base = console.load(file)
    from hub.service import Hub  # noqa: PLC0415 - the other commands need no web server

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await Hub(config, base).run(stop)

    try:
        asyncio.run(run())
    except (configuration.ConfigError, BrokerError, VaultError, database.GuardsMissing) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except (sqlite3.Error, OSError) as error:
        console.fail(console.trouble(error, base / config.state))


@main.command()
@CONFIG
def status(file: Path) -> None:
    """查看评价账目：邀请了多少，结果如何，有多少在等上级平台。"""
    config, base = console.load(file)
    path = base / config.state / "hub.db"
    if not path.exists():
        click.echo("还没有数据：服务器尚未运行过。")
        return
    try:
        _account(path)
    except sqlite3.Error as error:
        console.fail(console.trouble(error, path))


def _account(path: Path) -> None:
    db = database.connect(path)
    account = invitations.account(db)
    sent = deliveries.counts(db)
    balanced = "平" if account.balanced else "不平，请联系维护人员"
    click.echo(
        f"邀请 {account.invited} = 已评 {account.rated} + 过期 {account.expired}"
        f" + 撤回 {account.withdrawn} + 进行中 {account.open}（账目{balanced}）"
    )
    click.echo(
        f"报送：办件 {sent.accepted_services}，评价 {sent.accepted_ratings}，"
        f"等待 {sent.waiting}，搁置 {sent.set_aside}"
    )
    for device, count in ledger.missing(db).items():
        click.echo(f"{device}：编号缺 {count} 条，可能还在评价器里等待发送")
    for device, causes in refusals.counts(db).items():
        listed = "，".join(f"{cause} {times} 次" for cause, times in sorted(causes.items()))
        click.echo(f"{device}：拒收 {listed}")
    db.close()


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="把密钥的摘要写入这个文件，再写进配置的 api.key_files。",
)
def key(out: Path) -> None:
    """生成一个接口密钥：只显示这一次，文件里只存摘要。"""
    from hub.web.auth import new_key  # noqa: PLC0415 - the other commands need no web server

    if out.exists():
        click.echo(f"{out} 已经存在，不会覆盖。", err=True)
        sys.exit(1)
    secret, digest = new_key()
    try:
        out.write_text(digest + "\n", encoding="ascii")
    except OSError as error:
        console.fail(f"无法写入 {out}：{error.strerror}。请换一个可写的位置。")
    click.echo(secret)


main.add_command(broker_commands.broker_config)
main.add_command(broker_commands.revoke)
main.add_command(upstream_commands.upstream)


if __name__ == "__main__":
    main()
