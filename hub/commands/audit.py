"""The command `pingyi-hub audit`: the audit trail, for who has the hub's machine in hand."""

from pathlib import Path

import click

from hub.accounts import wording
from hub.commands import console
from hub.commands.console import CONFIG
from hub.store import audit as trail


@click.command()
@CONFIG
@click.option("--actor", help="只看某个操作人：user:账号、key:编号、console、hub、unknown。")
@click.option("--denied", is_flag=True, help="只看被拒绝的。")
@click.option("--before", type=click.IntRange(min=1), help="只看这个序号之前的。")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    help="最多列出几条。",
)
def audit(file: Path, actor: str | None, denied: bool, before: int | None, limit: int) -> None:
    """查看操作记录，最新的在最后。"""
    config, base = console.load(file, files=False)
    with console.database(base / config.state) as db:
        found = trail.entries(db, before=before, actor=actor, denied=denied, limit=limit)
    if not found:
        click.echo("没有符合条件的操作记录。")
    for act in reversed(found):
        told = "，".join(f"{name} {text}" for name, text in wording.details(act))
        words = [
            str(act.position),
            wording.when(act.at),
            wording.who(act.actor),
            wording.action(act.action) + ("" if act.allowed else "（被拒绝）"),
            wording.who(act.target),
            told,
        ]
        click.echo("  ".join(word for word in words if word))
