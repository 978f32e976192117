"""The command `pingyi-demo`."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from demo import folder
from demo.cases import BadCases, format_problems, read
from demo.host import host
from demo.parts import PartError
from demo.play import Plan, play
from demo.tally import Summary

SAMPLE = Path(__file__).with_name("sample.csv")
TIDY_S = 25.0
"""So long the programs may take to end before that is asked for once more."""
_Result = TypeVar("_Result")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--cases",
    type=click.Path(path_type=Path),
    default=SAMPLE,
    help="办件文件（CSV）；不给就用自带的示例。",
)
@click.option("--once", is_flag=True, help="自动放完一遍，全部承诺兑现才返回 0。")
@click.option("--headless", is_flag=True, help="不开窗口，在内存中绘制真实界面。")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="结果和截图放在这里：空目录、新目录，或以前演示用过的目录。",
)
@click.option("--kills", type=click.IntRange(0, 1000), default=0, help="随机断电（kill -9）次数。")
@click.option("--seed", type=int, default=1, help="随机断电的种子。")
@click.option(
    "--broker",
    type=click.Choice(["embedded", "mosquitto"]),
    default="embedded",
    show_default=True,
    help="消息服务：内置的，或本机装好的 mosquitto。",
)
@click.option("--quiet", is_flag=True, help="不打印经过。")
def main(
    *,
    cases: Path,
    once: bool,
    headless: bool,
    out: Path | None,
    kills: int,
    seed: int,
    broker: str,
    quiet: bool,
) -> None:
    """在一台机器上演示整个大厅：配对、签到、推送办件、群众评价、断电断网、报送城市平台。

    有显示器时打开评价器窗口，隔一会儿推送一个办件，由您来按；加 --once
    或没有显示器时由脚本代替群众，放完一遍即结束。
    """
    try:
        rows = read(cases)
    except BadCases as error:
        click.echo(format_problems(error), err=True)
        sys.exit(2)
    if not rows:
        click.echo(f"{cases} 里没有办件，请至少写一行。", err=True)
        sys.exit(2)
    display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    program = _mosquitto() if broker == "mosquitto" else None
    try:
        claimed = folder.claim(out or _temporary())
    except folder.FolderError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    plan = Plan(
        out=claimed.folder,
        headless=headless or not display,
        kills=kills,
        seed=seed,
        quiet=quiet,
        mosquitto=program,
    )
    try:
        if display and not once and not headless:
            click.echo("评价器窗口即将打开：请在窗口里按。按 Ctrl+C 或关闭窗口结束。")
            asyncio.run(_until_told(host(rows, plan)))
            return
        if not once:
            click.echo(f"没有显示器：真实界面在内存中绘制，由脚本代替群众按，截图在 {plan.out}")
        summary = asyncio.run(_until_told(play(rows, plan)))
        (plan.out / "summary.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"
        )
    except (PartError, OSError, KeyboardInterrupt, _Told) as error:
        sys.exit(_ended_early(error, plan.out))
    finally:
        claimed.close()
    _tell(summary, plan.out)
    sys.exit(1 if summary.problems else 0)


def _mosquitto() -> str:
    """Return the installed mosquitto, which Debian keeps where only root looks; or end."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        click.echo("没有 mosquitto，请先安装：sudo apt install mosquitto", err=True)
        sys.exit(2)
    return program


def _tell(summary: Summary, out: Path) -> None:
    """Print what the summary holds."""
    click.echo(
        f"邀请 {summary.invited} = 已评 {summary.rated} + 过期 {summary.expired}"
        f" + 撤回 {summary.withdrawn} + 进行中 {summary.open}；报送评价 {summary.forwarded}；"
        + (f"差评未写明原因、按规定不报送 {summary.incomplete}；" if summary.incomplete else "")
        + f"丢失 {summary.lost}，重复 {summary.duplicated}，改动 {summary.altered}"
        + (f"；断电 {summary.kills} 次" if summary.kills else "")
    )
    if summary.cut_off:
        click.echo(f"其中 {summary.cut_off} 条评价评到一半时评价器断电，按断电前已选的内容送达")
    for problem in summary.problems:
        click.echo(f"✗ {problem}", err=True)
    click.echo(f"结果在 {out}：summary.json、city.jsonl 和每一步的截图")


def _ended_early(error: BaseException, out: Path) -> int:
    """Say why the demonstration ended before its time; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        raise error  # nobody reads on; click ends quietly
    if isinstance(error, PartError):
        click.echo(f"演示中断：{error}", err=True)
        return 1
    if isinstance(error, OSError):
        click.echo(f"演示中断：{folder.reason(error)}，请检查 {out} 所在的磁盘", err=True)
        return 1
    click.echo("已停止。")
    return 143 if isinstance(error, _Told) else 130


class _Told(Exception):
    """The system told us to end (SIGTERM)."""


async def _until_told(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Do the work; on SIGTERM or Ctrl+C end it in good order, and raise `_Told` or its like.

    A library may take a cancellation for the end of its own waiting, and go on: then once more.
    """
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    told: list[int] = []

    def stop(number: int) -> None:
        if not told:  # a second one would cut off the tidying up
            told.append(number)
            task.cancel()
            loop.call_later(TIDY_S, task.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if told:
            raise (_Told if told[0] == signal.SIGTERM else KeyboardInterrupt) from None
        raise


def _temporary() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="pingyi-demo-"))
    except OSError as error:
        raise folder.FolderError(
            f"无法新建临时目录（{folder.reason(error)}），请用 --out 指定一个可以写入的目录"
        ) from error


if __name__ == "__main__":
    main()
