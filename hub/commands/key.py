"""The commands `pingyi-hub key …`: keys of the HTTP interface."""

from datetime import datetime
from pathlib import Path

import click
import msgspec

from hub.accounts import changes
from hub.accounts.wording import SCOPES
from hub.clock import epoch_ms
from hub.commands import console
from hub.commands.console import CONFIG
from hub.rules.access import KEY_SCOPES, Scope
from hub.rules.days import CHINA
from hub.store import api_keys
from protocol.messages import Name


@click.group()
def key() -> None:
    """接口密钥：新建、列出、停用。"""


@key.command()
@CONFIG
@click.argument("label", metavar="用途")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(sorted(scope.value for scope in KEY_SCOPES)),
    help="允许做什么，可以写多个 --scope：" + "；".join(f"{s} {SCOPES[s]}" for s in SCOPES),
)
@click.option("--days", type=click.IntRange(1, 3650), help="几天后失效；不写则一直有效。")
def add(file: Path, label: str, scopes: tuple[str, ...], days: int | None) -> None:
    """新建一个密钥：只显示这一次，服务器只存它的摘要。用途写明给哪个系统用。"""
    try:
        msgspec.convert(label, Name)
    except msgspec.ValidationError:
        console.fail("用途须为 1 至 40 个字符的一行文字，例如“一窗系统”", 2)
    with console.changing(file) as job:
        name, secret = changes.add_key(job, label, map(Scope, scopes), days)
    click.echo(f"密钥编号 {name}。下面一行是密钥，只显示这一次：", err=True)
    click.echo(secret)


@key.command("list")
@CONFIG
def list_(file: Path) -> None:
    """列出全部密钥；密钥本身不能再显示。"""
    config, base = console.load(file, files=False)
    with console.people(config, base) as db:
        found = api_keys.listed(db)
    now = epoch_ms()
    if not found:
        click.echo("还没有接口密钥。用 pingyi-hub key add 新建。")
    for each in found:
        state = "有效" if each.works(now) else ("已停用" if each.revoked_at else "已过期")
        if not each.genuine:
            state = "记录被改动，不起作用"
        end = "长期" if each.expires_at is None else f"至 {_day(each.expires_at)}"
        click.echo(
            f"{each.id}  {state}  {_day(each.created_at)} 建  {end}  {each.label}  "
            + " ".join(each.scopes)
        )


@key.command()
@CONFIG
@click.argument("name", metavar="编号")
def revoke(file: Path, name: str) -> None:
    """停用一个密钥：立即失效，不能恢复。记录在数据文件里被人改动过的密钥，则删去。"""
    with console.changing(file) as job:
        changes.revoke_key(job, name)
    click.echo(f"密钥 {name} 已停用。")


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, CHINA):%Y-%m-%d}"
