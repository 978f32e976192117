"""The commands `enrol` and `batch` of `pingyi-provision`."""

import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from protocol import strict, wording
from protocol.enrolment.desk import Stage
from protocol.enrolment.messages import Settings, Terms
from provisioning import batch as batches
from provisioning import console, files
from provisioning.authority import Authority
from provisioning.batch import Row
from provisioning.console import DIRECTORY, PASSPHRASE_FILE
from provisioning.desk import PROGRESS, Desk, Enrolled, EnrolmentFailed
from provisioning.issuing import Issuing
from provisioning.line import Line, LineError
from provisioning.register import milliseconds

YES = click.option(
    "--yes", is_flag=True, help="不询问，视为数字一致（仅供试验；数字会打印出来备查）。"
)
WAIT = click.option(
    "--wait",
    type=click.IntRange(1, 600),
    default=20,
    show_default=True,
    help="最多等评价器应答多少秒。",
)
SETTINGS = click.option(
    "--set",
    "settings",
    metavar="名称=值",
    multiple=True,
    help="随证书写入评价器的初始设置；可以写多个，例如 --set volume=60。",
)
_TRIES = 3
_HELD = (
    "注意：{device} 已经入网。换一台机器用这个名称入网，会作废原来那台的证书；"
    "之后请用 pingyi-provision crl 更新吊销名单，装到大厅服务器上。"
)


def _settings(texts: tuple[str, ...]) -> dict[str, str | int | bool]:
    """Return what was given by `--set`; ends the command for what no kiosk would take."""
    found: dict[str, str | int | bool] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            console.fail(f"--set {text}：应写成 名称=值")
        found[name] = {"true": True, "false": False}.get(
            value, int(value) if re.fullmatch(r"-?[0-9]{1,15}", value, re.ASCII) else value
        )
    try:
        return strict.convert(found, Settings, "--set")
    except strict.Faults as error:
        console.fail("\n".join(f"{each.place}：{each.message}" for each in error.faults))


def _desk(
    row: Row,
    authority: Authority,
    directory: Path,
    settings: dict[str, str | int | bool],
    wait: int,
    **callables: object,
) -> Desk:
    terms = Terms(
        device=row.device,
        hall=row.hall,
        host=row.hub.host,
        port=row.hub.port,
        ca=authority.root_pem.decode("ascii"),
        settings=settings,
    )
    issuing = Issuing(authority, directory, row.device, row.hall)
    return Desk(
        lambda: Line.open(row.port),
        terms,
        issuing,
        wait_ms=wait * 1000,
        **callables,  # type: ignore[arg-type]
    )


@click.command()
@click.option("--port", required=True, help="与评价器相连的端口：/dev/…、socket://主机:端口。")
@click.option("--device", required=True, help="评价器的名称。")
@click.option("--hall", required=True, help="大厅的名称。")
@click.option("--hub", required=True, help="大厅消息服务的地址，主机:端口。")
@DIRECTORY
@PASSPHRASE_FILE
@SETTINGS
@WAIT
@YES
def enrol(
    *,
    port: str,
    device: str,
    hall: str,
    hub: str,
    directory: Path,
    passphrase_file: Path | None,
    settings: tuple[str, ...],
    wait: int,
    yes: bool,
) -> None:
    """通过线缆给一台评价器办理入网。

    评价器上要先执行 pingyi-kiosk enrol --port …。中断后重新执行即可继续。
    """
    try:
        where = batches.hub(hub)
        data = {"port": port, "device": device, "hall": hall}
        row = strict.convert({**data, "hub": {"host": where.host, "port": where.port}}, Row)
    except strict.Faults as error:
        console.fail("\n".join(f"--{each.place}：{each.message}" for each in error.faults))
    first = _settings(settings)
    started = time.monotonic()

    def progress(stage: Stage) -> None:
        if stage in PROGRESS:
            click.echo(f"[{time.monotonic() - started:5.1f} 秒] {PROGRESS[stage]}")

    def confirm(number: str) -> bool:
        click.echo(f"核对数字：{number[:3]} {number[3:]}")
        return yes or console.agreed("评价器上显示的数字与此完全相同吗？")

    with console.authority(directory, passphrase_file) as authority:
        if authority.register.holding(device, milliseconds(datetime.now(UTC))):
            click.echo(_HELD.format(device=device), err=True)
        desk = _desk(row, authority, directory, first, wait, confirm=confirm, progress=progress)
        try:
            enrolled = desk.run()
        except (LineError, EnrolmentFailed) as error:
            console.fail(f"{device} 入网没有完成：{error}")
    click.echo(f"{device} 入网成功。连接测试{batches.connection(enrolled)}")


def _ask(row: Row, number: str) -> bool:
    """Let the operator type the number that stands on the kiosk; it is not shown here before.

    After the tenth kiosk people confirm without looking. (A list of expected numbers is
    impossible: each comes into being only while the two sides speak.)
    """
    for _ in range(_TRIES):
        typed = click.prompt(f"请输入 {row.device}（{row.port}）上显示的 6 位数字")
        if "".join(str(typed).split()) == number:
            return True
        click.echo("与本机算出的数字不一致，请看清后再输一次。")
    return False


def _print(row: Row, number: str) -> bool:
    click.echo(f"{row.device}（{row.port}）核对数字：{number[:3]} {number[3:]}")
    return True


@click.command()
@click.option(
    "--csv",
    "source",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="清单，表头为 port,device,hall,hub。",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="结果写到这个 CSV 文件。",
)
@DIRECTORY
@PASSPHRASE_FILE
@SETTINGS
@WAIT
@YES
def batch(
    *,
    source: Path,
    out: Path,
    directory: Path,
    passphrase_file: Path | None,
    settings: tuple[str, ...],
    wait: int,
    yes: bool,
) -> None:
    """同时给许多评价器办理入网；逐台输入屏幕上的数字，最后留下一份结果。

    全部成功时退出码为 0。失败的改正后可以用同一份清单重新执行。
    """
    try:
        rows = batches.read(source)
    except strict.Faults as error:
        console.fail("\n".join(f"{source}：{each.place}：{each.message}" for each in error.faults))
    except OSError as error:
        console.fail(f"无法读取 {source}：{wording.system(error)}")
    first = _settings(settings)
    lines: list[batches.Line] = []

    def done(line: batches.Line) -> None:
        lines.append(line)
        lines.sort(key=lambda each: rows.index(each.row))
        what = "成功" if line.enrolled else f"失败：{line.reason}"
        click.echo(f"[{len(lines)}/{len(rows)}] {line.row.device}（{line.row.port}）{what}")
        # After each one: a desk that is switched off in between still leaves what it knows.
        files.replace(out, batches.report(lines).encode("utf-8-sig"))

    with console.authority(directory, passphrase_file) as authority:

        def one(row: Row, confirm: Callable[[str], bool]) -> Enrolled:
            return _desk(row, authority, directory, first, wait, confirm=confirm).run()

        batches.run(rows, one, ask=_print if yes else _ask, done=done)
    failed = sum(line.enrolled is None for line in lines)
    click.echo(f"共 {len(lines)} 台，成功 {len(lines) - failed}，失败 {failed}。结果在 {out}")
    sys.exit(1 if failed else 0)
