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
@click.option("--quiet", is_flag=True, help="不打印经过。")
def main(
    cases: Path, once: bool, headless: bool, out: Path | None, kills: int, seed: int, quiet: bool
) -> None:
    """在一台机器上演示整个大厅：推送办件、群众评价、断电断网、报送城市平台。"""
    try:
        rows = read(cases)
    except BadCases as error:
        click.echo(format_problems(error), err=True)
        sys.exit(2)
    if not rows:
        click.echo(f"{cases} 里没有办件，请至少写一行。", err=True)
        sys.exit(2)
    display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    folder = out or Path(tempfile.mkdtemp(prefix="pingyi-demo-"))
    for old in ("summary.json", "city.jsonl"):
        (folder / old).unlink(missing_ok=True)
    for picture in folder.glob("[0-9][0-9]-*.png"):
        picture.unlink()
    shutil.rmtree(folder / "hall", ignore_errors=True)
    plan = Plan(out=folder, headless=headless or not display, kills=kills, seed=seed, quiet=quiet)
    if not display and not headless:
        click.echo(f"没有显示器：界面在内存中绘制，由脚本代替群众按键，截图在 {folder}")
    try:
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
    )
    for problem in summary.problems:
        click.echo(f"✗ {problem}", err=True)
    click.echo(f"结果：{folder / 'summary.json'}")
    sys.exit(1 if summary.problems else 0)


if __name__ == "__main__":
    main()
