"""The commands `pingyi-hub backup` and `pingyi-hub restore`."""

import sqlite3
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import click

from hub import backup as backups
from hub.backup import BackupError
from hub.clock import epoch_ms
from hub.commands import console
from hub.commands.console import CONFIG
from hub.rules.days import CHINA
from hub.store import database, recovery
from hub.store.database import LedgerLost
from hub.store.lock import InUse
from hub.verification.findings import Finding

FOLDER = click.Path(path_type=Path, file_okay=False)

_NEEDED = {
    backups.CITIZENS_KEY: "没有它服务器不能启动，也认不出自己发过的邀请",
    backups.LEDGER_KEY: "没有它服务器不能启动，台账也不能续签",
}
"""What a restored hub cannot do without, and why."""


@click.command()
@CONFIG
@click.option("--out", type=FOLDER, required=True, help="备份到这个新目录。")
@click.option(
    "--with-keys", is_flag=True, help="连同密钥一起备份：这份备份能解密办件人信息，请锁好。"
)
def backup(file: Path, out: Path, with_keys: bool) -> None:
    """备份服务器的数据；服务器运行时也可以备份，不影响办事。"""
    config, base = console.load(file, files=False)
    state = base / config.state
    if not console.begun(state):
        console.fail(console.NOTHING_YET)
    try:
        with click.progressbar(length=100, label="备份", file=sys.stderr) as bar:

            def progress(done: int, total: int) -> None:
                bar.update(done * 100 // max(total, 1) - bar.pos)

            made = backups.make(
                state,
                out,
                config.hall,
                epoch_ms(),
                keys=with_keys,
                progress=progress,
            )
    except BackupError as error:
        console.fail(str(error))
    except (sqlite3.Error, OSError) as error:
        console.fail(console.trouble(error, out))
    click.echo(f"已备份到 {out}：台账 {made.entries} 条。")
    if not with_keys:
        click.echo(
            f"密钥没有备份：请另行保管 {state / backups.CITIZENS_KEY} 和 "
            f"{state / backups.LEDGER_KEY}，丢失后办件人信息无法解密、台账无法续签。"
        )


def _told(finding: Finding) -> None:
    click.echo(str(finding))


@click.command()
@CONFIG
@click.option("--from", "folder", type=FOLDER, help="备份的目录。")
@click.option("--finish", is_flag=True, help="结束恢复：不再等评价器补报。")
@click.option("--yes", is_flag=True, help="不再询问。")
def restore(file: Path, folder: Path | None, finish: bool, yes: bool) -> None:
    """用备份恢复服务器的数据：先从头核验，有问题不恢复。

    请先停止服务器。现有的数据会改名保留，不会删除。启动后，评价器自动补报备份之后的评价；
    都补报完了，或有的评价器再也不会回来，用 --finish 结束恢复。
    """
    if finish == (folder is not None):
        console.fail("请写 --from 备份的目录，或写 --finish，二者选一")
    config, base = console.load(file, files=False)
    state = base / config.state
    if folder is None:
        _finish(state, yes=yes)
        return
    try:
        manifest = backups.read(folder, config.hall)
        result = backups.verify(folder, state, manifest, _told)
        made = datetime.fromtimestamp(manifest.made_at / 1000, CHINA)
        click.echo(f"备份于 {made:%Y-%m-%d %H:%M:%S}，台账 {result.entries} 条，核验无误。")
        for text in result.unchecked:
            click.echo(f"未核对：{text}")
        if not yes:
            console.agreed(f"用它替换 {state} 吗？现有的数据会改名保留")
        aside = backups.put_back(folder, state, manifest, epoch_ms())
    except (BackupError, InUse, LedgerLost) as error:
        console.fail(str(error))
    except (sqlite3.Error, OSError) as error:
        console.fail(console.trouble(error, state))
    click.echo(f"已恢复到 {state}。" + (f"原来的数据在 {aside}。" if aside else ""))
    for name, without in _NEEDED.items():
        if name == backups.LEDGER_KEY and manifest.checkpoint is None:
            continue  # nothing was signed yet: the hub makes one
        if not (state / name).exists():
            click.echo(f"还缺密钥 {state / name}：请先放回另行保管的那一份，{without}。")
    click.echo(
        "启动服务器后，评价器自动补报备份之后的评价（最近 7 天、每台最多 2000 条）。"
        "其余步骤见 docs/recovery.zh-CN.md。"
    )


def _finish(state: Path, *, yes: bool) -> None:
    if not console.begun(state):
        console.fail(console.NOTHING_YET)
    try:
        with closing(database.connect(state / backups.DATABASE)) as db:
            missing = recovery.waited_for(db)
            if missing is None:
                click.echo("没有进行中的恢复。")
                return
            if missing:
                names = "、".join(missing)
                click.echo(f"还没有补报完的评价器 {len(missing)} 台：{names}。")
                if not yes:
                    console.agreed("结束后它们备份之后的评价不再计入，仍要结束吗")
            recovery.finish(db, epoch_ms())
    except sqlite3.Error as error:
        console.fail(console.trouble(error, state))
    click.echo("恢复已结束，台账已记下。")
