"""The command `pingyi-hub status`: the accounts at a glance."""

from pathlib import Path

import click
from sqlite_utils import Database

from hub.commands import console
from hub.commands.console import CONFIG
from hub.commands.upstream import origins
from hub.store import deliveries, invitations, ledger, refusals, tree


@click.command()
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
    for line in origins(db):
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
