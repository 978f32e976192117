"""The commands `pingyi-hub user …`: the users of the pages, also the first of a fresh hub."""

from pathlib import Path

import click

from hub.accounts import changes, passwords
from hub.accounts.wording import ROLE_MEANINGS, ROLES, when
from hub.commands import console
from hub.commands.console import CONFIG
from hub.errors import DeskError
from hub.rules.access import Role
from hub.store import users
from protocol import strict, wording
from protocol.messages import Staff

_NAME = click.argument("name", metavar="账号名")
_PASSWORD_FILE = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="从文件的第一行读取口令；不写则提示输入两次。口令不能写在命令行里。",
)


@click.group()
def user() -> None:
    """页面账号：新建、列出、停用、启用、重设口令、解除锁定。"""


@user.command()
@CONFIG
@_NAME
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="角色，可以写多个 --role：" + "；".join(f"{r} {ROLE_MEANINGS[r]}" for r in Role),
)
@click.option("--staff-name", default="", help="窗口人员的姓名，显示给群众。")
@click.option("--staff-number", default="", help="窗口人员的工号。")
@click.option("--staff-post", default="", help="窗口人员的岗位。")
@_PASSWORD_FILE
def add(
    file: Path,
    name: str,
    *,
    roles: tuple[str, ...],
    staff_name: str,
    staff_number: str,
    staff_post: str,
    password_file: Path | None,
) -> None:
    """新建账号；首次登录时须换成自己的口令。新装的服务器由此建立第一个账号。"""
    given = {"name": staff_name, "number": staff_number, "post": staff_post}
    with console.changing(file):
        staff = strict.convert(given, Staff) if any(given.values()) else None
        changes.check_name(name)
    kept = _password(name, password_file)
    with console.changing(file) as job:
        changes.add_user(job, name, map(Role, roles), staff, kept)
    click.echo(f"账号 {name} 已新建。首次登录时须修改口令。")


@user.command("list")
@CONFIG
def list_(file: Path) -> None:
    """列出全部账号。"""
    config, base = console.load(file, files=False)
    with console.people(config, base) as db:
        found = users.listed(db)
    if not found:
        click.echo("还没有账号。用 pingyi-hub user add 新建。")
    for each in found:
        state = "正常"
        if not each.genuine:
            state = "记录被改动，不起作用"
        elif each.disabled_at is not None:
            state = f"{when(each.disabled_at)} 停用"
        elif each.must_change:
            state = "等待首次修改口令"
        clerk = f"  {each.staff.name} {each.staff.number}".rstrip() if each.staff else ""
        click.echo(f"{each.name}  {state}  {'、'.join(ROLES[r] for r in each.roles)}{clerk}")


@user.command()
@CONFIG
@_NAME
def disable(file: Path, name: str) -> None:
    """停用账号：已登录的随即退出，在窗口的随即签退。

    记录在数据文件里被人改动过的账号，则整个删去。
    """
    with console.changing(file) as job:
        changes.disable(job, name)
    click.echo(f"账号 {name} 已停用。")


@user.command()
@CONFIG
@_NAME
def enable(file: Path, name: str) -> None:
    """重新启用账号。"""
    with console.changing(file) as job:
        changes.enable(job, name)
    click.echo(f"账号 {name} 已启用。")


@user.command()
@CONFIG
@_NAME
@_PASSWORD_FILE
def password(file: Path, name: str, password_file: Path | None) -> None:
    """重设口令：已登录的随即退出，下次登录时须修改。"""
    with console.changing(file) as job:
        changes.user(job.db, name)
    kept = _password(name, password_file)
    with console.changing(file) as job:
        changes.give_password(job, name, kept)
    click.echo(f"账号 {name} 的口令已重设。下次登录时须修改。")


@user.command()
@CONFIG
@_NAME
def unlock(file: Path, name: str) -> None:
    """解除因口令错误的锁定，可以立即再登录。"""
    with console.changing(file) as job:
        changes.unlock(job, name)
    click.echo(f"账号 {name} 的锁定已解除。")


def _password(name: str, file: Path | None) -> str:
    """Return the hash of a password that is fit; asks twice where there is no file."""
    if file is None:
        text = click.prompt("口令", hide_input=True, confirmation_prompt="再输一次")
    else:
        try:
            text = (file.read_text(encoding="utf-8").splitlines() or [""])[0]
        except (OSError, UnicodeDecodeError) as error:
            console.fail(f"{file}：无法读取口令：{wording.system(error)}")
    try:
        passwords.check(text, name)
    except DeskError as error:
        console.fail(str(error))
    hasher = passwords.Hasher()
    try:
        return hasher.hash_now(text)
    finally:
        hasher.close()
