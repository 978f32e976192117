"""The command `pingyi-hub`."""

import asyncio
import logging
import signal
import sqlite3
from pathlib import Path

import click
from sqlite_utils import Database

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
from hub.store.soundness import Spoiled
from hub.store.vault import VaultError

_UNSTARTABLE = (
    configuration.ConfigError,
    BrokerError,
    VaultError,
    LedgerKeyError,
    InUse,
    database.GuardsMissing,
    database.LedgerLost,
    Spoiled,
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


@main.command()
@CONFIG
def status(file: Path) -> None:
    """查看评价账目：邀请了多少，结果如何，有多少在等上级平台。"""
    config, base = console.load(file)
    if not (base / config.state / "hub.db").exists():
        click.echo("还没有数据：服务器尚未运行过。")
        return
    with console.reading(base / config.state) as db:
        _account(db)


def _account(db: Database) -> None:
    account = invitations.account(db)
    sent = deliveries.counts(db)
    balanced = "平" if account.balanced else "不平，请联系维护人员"
    click.echo(
        f"邀请 {account.invited} = 已评 {account.rated} + 过期 {account.expired}"
        f" + 撤回 {account.withdrawn} + 进行中 {account.open}（账目{balanced}）"
    )
    click.echo(
        f"有效评价 {account.valid} = 已评 {account.rated} - 复核不采纳 {account.ruled}"
        f" - 重复评价 {account.repeated}"
    )
    click.echo(
        f"报送：办件 {sent.accepted_services}，评价 {sent.accepted_ratings}，"
        f"等待 {sent.waiting}，搁置 {sent.set_aside}"
    )
    for line in upstream_commands.origins(db):
        click.echo(line)
    newest = tree.newest(db) if db["checkpoints"].exists() else None
    signed = f"最新的签名检查点 {newest.size} 条" if newest else "还没有签名检查点"
    click.echo(f"台账 {ledger.size(db)} 条，{signed}")
    for device, count in ledger.missing(db).items():
        jumps = ledger.jumps(db, device) if count > ledger.OUTBOX else []
        for before, after in jumps:
            click.echo(
                f"{device}：编号异常：从 {before} 跳到 {after}，评价器存不下这么多，不是等待发送："
                "请检查这台评价器是否被改动过"
            )
        waiting = count - sum(after - before - 1 for before, after in jumps)
        if waiting:
            click.echo(f"{device}：编号缺 {waiting} 条，可能还在评价器里等待发送")
    for device, causes in refusals.counts(db).items():
        listed = "，".join(f"{cause} {times} 次" for cause, times in sorted(causes.items()))
        click.echo(f"{device}：拒收 {listed}")


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
