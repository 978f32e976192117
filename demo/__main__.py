"""The command `pingyi-demo`."""

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

import click
import msgspec

from demo.cases import BadCases, format_problems, read
from demo.host import host
from demo.parts import PartError
from demo.play import Plan, play

SAMPLE = Path(__file__).with_name("sample.csv")


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
    "--out", type=click.Path(path_type=Path, file_okay=False), help="结果和截图放在这里。"
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
    """在一台机器上演示整个大厅：推送办件、群众评价、断电断网、报送城市平台。

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
    folder = out or Path(tempfile.mkdtemp(prefix="pingyi-demo-"))
    _clear(folder)
    display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    mosquitto = None
    if broker == "mosquitto":
        mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if mosquitto is None:
            click.echo("没有 mosquitto，请先安装：sudo apt install mosquitto", err=True)
            sys.exit(2)
    plan = Plan(
        out=folder,
        headless=headless or not display,
        kills=kills,
        seed=seed,
        quiet=quiet,
        mosquitto=mosquitto,
    )
    try:
        if display and not once and not headless:
            click.echo("评价器窗口即将打开：请在窗口里按。按 Ctrl+C 或关闭窗口结束。")
            asyncio.run(host(rows, plan))
            return
        if not once:
            click.echo(f"没有显示器：真实界面在内存中绘制，由脚本代替群众按，截图在 {folder}")
        summary = asyncio.run(play(rows, plan))
    except PartError as error:
        click.echo(f"演示中断：{error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("已停止。")
        sys.exit(130)
    (folder / "summary.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"
    )
    click.echo(
        f"邀请 {summary.invited} = 已评 {summary.rated} + 过期 {summary.expired}"
        f" + 撤回 {summary.withdrawn} + 进行中 {summary.open}；报送评价 {summary.forwarded}；"
        f"丢失 {summary.lost}，重复 {summary.duplicated}，改动 {summary.altered}"
        + (f"；断电 {summary.kills} 次" if summary.kills else "")
    )
    for problem in summary.problems:
        click.echo(f"✗ {problem}", err=True)
    click.echo(f"结果在 {folder}：summary.json、city.jsonl 和每一步的截图")
    sys.exit(1 if summary.problems else 0)


def _clear(folder: Path) -> None:
    """Remove what an earlier run left, and nothing else."""
    for old in ("summary.json", "city.jsonl"):
        (folder / old).unlink(missing_ok=True)
    for picture in folder.glob("[0-9][0-9]-*.png"):
        picture.unlink()
    hall = folder / "hall"
    if (hall / "hub.toml").exists():
        shutil.rmtree(hall)


if __name__ == "__main__":
    main()
