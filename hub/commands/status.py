"""The command `pingyi-hub status`: the accounts at a glance."""

from pathlib import Path

import click
from sqlite_utils import Database

from hub.clock import epoch_ms
from hub.commands import console
from hub.commands.console import CONFIG
from hub.commands.upstream import origins
from hub.kiosks.attendance import BEAT_MS
from hub.store import (
    attendance,
    backlog,
    bindings,
    deliveries,
    invitations,
    ledger,
    recovery,
    refusals,
    tree,
)
from hub.upstream.contents import INCOMPLETE

LISTED = 50
"""Kiosks that are away, as many as are named."""

STOPPED_MS = 3 * BEAT_MS
"""A hub that has left no word for so long does not run."""


@click.command()
@CONFIG
def status(file: Path) -> None:
    """查看评价账目：邀请了多少，结果如何，有多少在等上级平台。"""
    config, base = console.load(file)
    if not console.begun(base / config.state):
        click.echo(console.NOTHING_YET)
        return
    with console.reading(base / config.state) as db:
        _account(db)
        _recovery(db)
        _kiosks(db)


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
    if incomplete := backlog.set_aside_for(db, INCOMPLETE):
        click.echo(
            f"其中差评未写明原因、按规定不报送 {incomplete}：留在台账；"
            "群众从回执页面补写原因后自动报送"
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


def _recovery(db: Database) -> None:
    """Say of a restored hub which kiosks it still waits for; nothing while there is no recovery."""
    missing = recovery.waited_for(db)
    if missing is None:
        return
    since = console.moment(recovery.since(db))
    if not missing:
        click.echo(
            f"恢复：{since} 从备份恢复，已知的评价器都补报完了；"
            "核对无误后用 pingyi-hub restore --finish 结束恢复"
        )
        return
    click.echo(
        f"恢复：{since} 从备份恢复，还在等 {len(missing)} 台评价器补报：{console.listed(missing)}"
    )
    click.echo("  处理：请让它们开机联网；再也不会回来的，用 pingyi-hub restore --finish 结束恢复")


def _kiosks(db: Database) -> None:
    """Say which kiosks are away and since when: first those where a clerk works now."""
    kept = attendance.read(db)
    hub = kept.pop(attendance.HUB, None)
    if hub is None or not kept:
        return
    silent = epoch_ms() - hub.since
    if silent > STOPPED_MS:
        click.echo(f"服务器没有运行：评价器在不在线，以 {console.moment(hub.since)} 为准")
    away = {device: each.since for device, each in kept.items() if not each.online}
    click.echo(f"评价器 {len(kept)} 台：在线 {len(kept) - len(away)}，离线 {len(away)}")
    places = {device: window for window, device in bindings.pairings(db).items()}
    seats = bindings.seats(db)

    def order(device: str) -> tuple[bool, bool, str]:
        window = places.get(device)
        return window not in seats, window is None, device

    for device in sorted(away, key=order)[:LISTED]:
        window = places.get(device)
        where = "未配对" if window is None else window
        if window in seats:
            where += f"，{seats[window].staff.name}正在签到"
        since = away[device]
        when = "还没有连上过" if since == attendance.NEVER else f"{console.moment(since)} 起"
        click.echo(f"  离线 {device}（{where}）：{when}")
    if len(away) > LISTED:
        click.echo(f"  ……另有 {len(away) - LISTED} 台，见页面“评价器”")
