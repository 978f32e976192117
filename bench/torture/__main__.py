"""The command `python -m bench.torture`."""

import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click

from bench.torture.play import Plan, play
from bench.torture.report import Outcome, summary, write


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--faults", type=click.IntRange(1, 100_000), default=60, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--kiosks", type=click.IntRange(1, 8), default=5, show_default=True)
@click.option("--scale", type=click.FloatRange(0.1, 10), default=1.0, help="Stretch durations.")
@click.option("--out", type=click.Path(path_type=Path), help="A new folder for what is left.")
def main(faults: int, seed: int, kiosks: int, scale: float, out: Path | None) -> None:
    """Let FAULTS faults befall a whole hall, and count what arrived.

    The same seed gives the same faults in the same order with the same durations, and the same
    wishes of the citizens; which moment of a program a fault meets depends on the machine.
    Exits 0 only if nothing was lost, doubled, altered or invented.
    """
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if mosquitto is None:
        sys.exit("没有 mosquitto，请先安装：sudo apt install mosquitto")
    place = (out or Path(tempfile.mkdtemp(prefix="pingyi-torture-"))).absolute()
    if place.exists() and any(place.iterdir()):
        sys.exit(f"{place} 里已有文件，请换一个新目录")
    plan = Plan(place, faults, seed, kiosks=kiosks, scale=scale, mosquitto=mosquitto)
    try:
        outcome = asyncio.run(_until_told(plan))
    except asyncio.CancelledError:
        sys.exit("已停止。")
    write(outcome, place)
    click.echo(summary(outcome))
    click.echo(f"{place / 'torture.json'}")
    sys.exit(1 if outcome.problems else 0)


async def _until_told(plan: Plan) -> Outcome:
    """Play; on SIGTERM end in good order, for the disks are to be unmounted."""
    task = asyncio.create_task(play(plan, lambda words: click.echo(words, err=True)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


if __name__ == "__main__":
    main()
