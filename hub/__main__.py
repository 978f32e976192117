"""The command `pingyi-hub`."""

import asyncio
import logging
import signal
import sqlite3
from pathlib import Path

import click

from hub import (
    audit_commands,
    backup_commands,
    broker_commands,
    citizen_commands,
    console,
    key_commands,
    ledger_commands,
    upstream_commands,
    user_commands,
)
from hub import config as configuration
from hub.console import CONFIG
from hub.link.broker import BrokerError
from hub.notary import LedgerKeyError
from hub.store import database, deliveries, invitations, ledger, refusals, tree
from hub.store.lock import InUse
from hub.store.vault import VaultError

_UNSTARTABLE = (
    configuration.ConfigError,
    BrokerError,
    VaultError,
    LedgerKeyError,
    InUse,
    database.GuardsMissing,
)


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
    except _UNSTARTABLE as error:
        console.fail(str(error))
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
    newest = tree.newest(db) if db["checkpoints"].exists() else None
    signed = f"最新的签名检查点 {newest.size} 条" if newest else "还没有签名检查点"
    click.echo(f"台账 {ledger.size(db)} 条，{signed}")
    for device, count in ledger.missing(db).items():
        click.echo(f"{device}：编号缺 {count} 条，可能还在评价器里等待发送")
    for device, causes in refusals.counts(db).items():
        listed = "，".join(f"{cause} {times} 次" for cause, times in sorted(causes.items()))
        click.echo(f"{device}：拒收 {listed}")
    db.close()


main.add_command(audit_commands.audit)
main.add_command(broker_commands.broker_config)
main.add_command(broker_commands.revoke)
main.add_command(citizen_commands.group)
main.add_command(key_commands.key)
main.add_command(ledger_commands.verify)
main.add_command(backup_commands.backup)
main.add_command(backup_commands.restore)
main.add_command(ledger_commands.export)
main.add_command(upstream_commands.upstream)
main.add_command(user_commands.user)


if __name__ == "__main__":
    main()
