"""What the commands share: where the authority is, its passphrase, how to end with an error."""

import sqlite3
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from protocol import wording
from protocol.errors import ProtocolError
from provisioning.authority import Authority
from provisioning.errors import AuthorityError
from provisioning.keystore import SHORTEST_PASSPHRASE

DIRECTORY = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="PINGYI_AUTHORITY",
    required=True,
    help="签发机构的目录；也可写在环境变量 PINGYI_AUTHORITY 里。",
)
PASSPHRASE_FILE = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="从这个文件的第一行读取口令；不给则在终端上询问。",
)


class Commands(click.Group):
    """A group whose faults of the command line, and Ctrl-C, are told in Chinese."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end with the code of the command: 2 where the line is wrong."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            click.echo("\n已取消。", err=True)
            sys.exit(1)
        except click.ClickException as error:
            click.echo(wording.command_line(error), err=True)
            sys.exit(error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)


def fail(message: str) -> NoReturn:
    """End the command with a message for its user."""
    click.echo(message, err=True)
    sys.exit(1)


@contextmanager
def explained() -> Iterator[None]:
    """Show the errors of the authority as what they are: something to do, not a traceback."""
    try:
        yield
    except (AuthorityError, ProtocolError) as error:
        fail(str(error))
    except sqlite3.Error as error:
        fail(register_unusable(error))
    except OSError as error:
        fail(f"{error.filename or '文件'}：{wording.system(error)}。请检查路径、权限和磁盘空间")


def register_unusable(error: sqlite3.Error) -> str:
    """Say what is wrong with the register, and what to do."""
    return (
        f"登记簿无法使用：{wording.system(error)}。请检查磁盘空间和权限；"
        "有别的命令正在使用时稍后再试，已损坏时请从备份恢复"
    )


def passphrase(file: Path | None, *, twice: bool = False) -> str:
    """Return the passphrase from a file, or ask at the terminal."""
    if file is None:
        if not sys.stdin.isatty():
            fail("没有终端可以询问口令：请用 --passphrase-file 指定口令文件")
        if twice:
            click.echo(f"请设定口令（至少 {SHORTEST_PASSPHRASE} 个字符）。忘记后无法找回。")
        while True:
            first = str(click.prompt("口令", hide_input=True))
            if not twice or click.prompt("再输一遍", hide_input=True) == first:
                return first
            click.echo("两次输入不一致，请重新输入。")
    return secret(file, "口令")


def secret(file: Path, what: str) -> str:
    """Return the first line of a file that only its owner may read; else end the command."""
    if file.stat().st_mode & 0o077:
        fail(f"{what}文件 {file} 可被他人读取，请执行 chmod 600 {file}")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        fail(f"{what}文件 {file} 不是文本文件：请核对路径")
    if not lines or not lines[0].strip():
        fail(f"{what}文件 {file} 的第一行是空的：请写入{what}")
    return lines[0]


@contextmanager
def authority(directory: Path, passphrase_file: Path | None) -> Iterator[Authority]:
    """Open the authority for one command; its errors end the command, explained."""
    with explained(), Authority.open(directory, passphrase(passphrase_file)) as opened:
        yield opened


def agreed(question: str) -> bool:
    """Whether the answer is yes; Ctrl-C is no, and ends nothing by itself."""
    try:
        return bool(click.confirm(question))
    except click.Abort:
        click.echo(err=True)
        return False


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a plain table; a Chinese character takes two columns."""
    lines = [header, *rows]
    widths = [max(_columns(line[at]) for line in lines) for at in range(len(header))]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _columns(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
