"""The commands `pingyi-hub citizens …`: find, erase, keys, retention."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlite_utils import Database

from hub.citizens import retention, rotation
from hub.citizens.retention import NotErasable, Result
from hub.clock import epoch_ms
from hub.commands import console
from hub.commands.console import CONFIG
from hub.config import HubConfig
from hub.rules.access import CONSOLE
from hub.store import audit, cases, citizens, database, keyring, resealing
from hub.store import vault as vaults
from hub.store.keyring import LENGTHS, Cipher
from hub.store.vault import Vault, VaultError

KEYS = "citizens.key"
REASONS = ("本人申请", "误录", "保存期满")


@click.group("citizens")
def group() -> None:
    """办件人信息：按证件号或手机号查找、删除、更换密钥、到期清理。"""


@group.command()
@CONFIG
def find(file: Path) -> None:
    """按证件号码或手机号码查找办件，只显示流水号；每次查找都有记录。

    号码在提示后输入（不显示），或从标准输入读取，不要写在命令行里。
    """
    _, state = _state(file)
    if sys.stdin.isatty():
        value = click.prompt("证件号码或手机号码", hide_input=True, err=True)
    else:
        value = sys.stdin.readline()
    if len(citizens.number_form(value)) < 2:
        console.fail("没有输入号码，或号码太短", 2)
    with _opened(state) as (db, vault):
        rotation.adopt(db, vault)
        found = citizens.find(db, vault, value)
        with db.atomic():
            audit.note(db, epoch_ms(), CONSOLE.name, "find_citizen", detail={"times": len(found)})
    for serial, number in found:
        click.echo(f"{serial}/{number}")
    if not found:
        click.echo("没有找到。号码须完整一致；已删除的信息查不到。", err=True)


@group.command()
@CONFIG
@click.argument("serial", metavar="流水号")
@click.option("--why", type=click.Choice(REASONS), required=True, help="依据。")
@click.option("--yes", is_flag=True, help="不再询问。")
def erase(file: Path, serial: str, why: str, yes: bool) -> None:
    """删除一个办件的办件人信息和留言：不能恢复，台账仍可核验。

    上级平台还没有收到全部记录的办件不会删除。
    """
    _, state = _state(file)
    with _opened(state) as (db, vault):
        rotation.adopt(db, vault)
        numbers = citizens.services(db, serial)
        if not numbers:
            console.fail("没有这个办件，请核对流水号")
        if not yes:
            console.agreed(f"永久删除办件 {serial} 的办件人信息和留言吗")
        results = []
        for number in numbers:
            try:
                results.append(
                    retention.erase(
                        state, vault, serial, number, epoch_ms(), by=CONSOLE.name, why=why
                    )
                )
            except NotErasable as error:
                if error.why == "erased":
                    continue
                click.echo(f"{serial}/{number}：{error}", err=True)
                results.append(Result(alarm=error.why))
    _tell(results, f"{serial} 的办件人信息此前已经删除")
    if any(each.alarm for each in results):
        sys.exit(1)


@group.command()
@CONFIG
@click.option(
    "--cipher",
    type=click.Choice(tuple(LENGTHS)),
    help="新密钥的算法；不写则按配置的 citizens.cipher。",
)
def rotate(file: Path, cipher: Cipher | None) -> None:
    """更换密钥：新密钥立即启用，已有信息逐批换用；服务器不必停止。

    中断后再次执行，从断处继续。完成后用 prune 去掉旧密钥。
    """
    config, state = _state(file)
    with _opened(state) as (db, _):
        wanted = cipher or config.citizens.cipher
        try:
            vault, new = rotation.renew(db, state / KEYS, wanted, epoch_ms())
        except OSError as error:
            console.fail(console.trouble(error, state / KEYS))
        current = vault.ring.now()
        told = "新密钥已启用" if new else "上次更换没有完成，继续"
        click.echo(f"{told}：第 {current.id} 号，{current.cipher}。请现在备份 {state / KEYS}")
        with click.progressbar(
            length=resealing.left(db, vault), label="换用新密钥", file=sys.stderr
        ) as bar:
            done = rotation.reseal(db, vault, bar.update)
    click.echo(f"已换用新密钥 {done.cases} 件。")
    for serial, number in done.unopened[:20]:
        click.echo(f"{serial}/{number}：无法解密，仍是原样：数据可能被改动，请核查", err=True)
    if done.unopened:
        console.fail(f"共 {len(done.unopened)} 件无法解密，旧密钥请保留")
    click.echo("旧密钥不再需要时，执行 pingyi-hub citizens prune。")


@group.command()
@CONFIG
@click.option("--yes", is_flag=True, help="不再询问。")
def prune(file: Path, yes: bool) -> None:
    """去掉已没有信息使用的旧密钥。

    之后，更换密钥之前的备份要用它自带的密钥才能解密；没有带密钥的旧备份不能再解密。
    """
    _, state = _state(file)
    with _opened(state) as (db, _):
        if not yes:
            console.agreed("去掉不再使用的旧密钥吗？较早的备份可能因此不能解密")
        try:
            gone = rotation.prune(db, state / KEYS, epoch_ms())
        except OSError as error:
            console.fail(console.trouble(error, state / KEYS))
        used = resealing.in_use(db)
    click.echo(f"去掉了 {len(gone)} 个旧密钥。请备份 {state / KEYS}")
    for each in keyring.read(state / KEYS).keys:
        click.echo(f"第 {each.id} 号，{each.cipher}：{used[each.id]} 项信息在用")


@group.command("retention")
@CONFIG
@click.option("--dry-run", is_flag=True, help="只看会删除多少，不删除。")
@click.option("--clock-is-right", is_flag=True, help="已核对服务器时间，仍要清理。")
def retention_(file: Path, dry_run: bool, clock_is_right: bool) -> None:
    """按配置的保存期限清理；服务器每天夜里也会自动清理。"""
    config, state = _state(file)
    terms = config.retention
    if not (terms.citizens_days or terms.comments_days or terms.evidence_days):
        console.fail("配置里没有保存期限（[retention]），不清理任何数据")
    with _opened(state) as (_, vault):
        if dry_run:
            _plan(retention.plan(state, terms, epoch_ms()))
            return
        result = retention.run(state, vault, terms, epoch_ms(), sure=clock_is_right)
    _tell([result], "没有到期的数据。")
    if result.more:
        click.echo(f"每次最多清理 {terms.per_run} 件，其余下次继续。")
    if result.kept_back:
        click.echo(f"{result.kept_back} 件已到期，但上级平台还没有收到全部记录，没有删除。")
    if result.alarm:
        console.fail(result.alarm)


def _plan(found: Result) -> None:
    more = "（每次的上限）" if found.more else ""
    click.echo(
        f"将删除{more}：办件人信息 {found.citizens} 件，留言 {found.words} 条，"
        f"拒收的原始报文 {found.evidence} 条。"
    )
    if found.kept_back:
        click.echo(f"{found.kept_back} 件已到期，但上级平台还没有收到全部记录，不会删除。")
    if found.alarm:
        console.fail(f"{found.alarm}：现在执行不会清理")


def _tell(results: list[Result], nothing: str) -> None:
    done = [each for each in results if each.citizens or each.words or each.evidence]
    if not done and not any(each.alarm for each in results):
        click.echo(nothing)
    for each in done:
        click.echo(
            f"已删除：办件人信息 {each.citizens} 件，留言 {each.words} 条，"
            f"拒收的原始报文 {each.evidence} 条。"
        )
    if any(each.traces for each in done):
        click.echo(
            "数据文件的空闲处可能还有残留：服务器今晚会自动清除；服务器停用时，"
            "请执行 pingyi-hub citizens retention"
        )
    elif done:
        click.echo("已检查数据文件，没有残留。此前的备份里仍有这些信息，请按备份的保存期限处理。")


def _state(file: Path) -> tuple[HubConfig, Path]:
    config, base = console.load(file, files=False)
    state = base / config.state
    if not console.begun(state):
        console.fail(console.NOTHING_YET)
    return config, state


@contextmanager
def _opened(state: Path) -> Iterator[tuple[Database, Vault]]:
    try:
        with console.database(state) as db:
            database.migrate(db)
            yield db, vaults.load_or_create(state / KEYS, needed=cases.any_kept(db))
    except VaultError as error:
        console.fail(str(error))
    except sqlite3.Error as error:
        console.fail(console.trouble(error, state / "hub.db"))
