"""What the kiosk's memory does over a month of citizens, beside an empty Kivy window.

`python -m bench.kiosk_soak [--sessions N]`. See `bench.month` for what is real in it. The window
is drawn in software, as fast as it goes; half the size of a panel, for the pixels are what takes
the time, and every widget, texture and buffer is there all the same.
"""

import gc
import json
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

from bench import stand
from bench.empty import MARKS
from bench.month import Month
from device.ui import environment

SIZE = (640, 400)
WARM = 60
"""Sessions until each size of type was needed once, which costs Kivy memory for good."""
BARE = 1_000
"""Labels that the window without a wait for its renderer draws: it takes some 40 KB for each."""


def prepare() -> None:
    """Prepare Kivy as the kiosk does, without its brake on frames."""
    environment.prepare(*SIZE, headless=True)
    from kivy.config import Config  # noqa: PLC0415

    Config.set("graphics", "maxfps", "0")


def census() -> dict[str, int]:
    """Count what a leak would be made of, once all garbage is gone."""
    from kivy.clock import Clock  # noqa: PLC0415
    from kivy.graphics.instructions import Canvas, Instruction  # noqa: PLC0415
    from kivy.graphics.texture import Texture  # noqa: PLC0415
    from kivy.graphics.vbo import VBO  # noqa: PLC0415
    from kivy.uix.widget import Widget  # noqa: PLC0415

    gc.collect()
    kinds = {
        "widgets": Widget,
        "canvases": Canvas,
        "instructions": Instruction,
        "textures": Texture,
        "buffers": VBO,
    }
    found = dict.fromkeys(kinds, 0)
    for each in gc.get_objects():
        for name, kind in kinds.items():
            if issubclass(type(each), kind):  # a proxy would answer for what is gone
                found[name] += 1
    return found | {
        "clock events": sum(event.get_callback() is not None for event in Clock.get_events()),
        "threads": threading.active_count(),
        "open files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
    }


class Account:
    """The memory after each session, and the census at the marks."""

    def __init__(self, sessions: int) -> None:
        self.sessions = sessions
        self.memory: list[float] = []
        self.counted: dict[int, dict[str, int]] = {}

    def rested(self, number: int) -> None:
        if number in MARKS or number == self.sessions:
            self.counted[number] = census()
        self.memory.append(stand.resident_mb("self"))

    def growth_kb(self) -> float:
        """Return KB for each session: the last tenth of them against the first after `WARM`."""
        tenth = len(self.memory) // 10
        warm = max(WARM, tenth)
        early, late = self.memory[warm : warm + tenth], self.memory[-tenth:]
        return 1024 * (sum(late) - sum(early)) / tenth / (len(self.memory) - warm - tenth)


def soak(sessions: int, *, text_input: bool) -> dict[str, Any]:
    """Let the month pass in this process, and return its account."""
    prepare()
    begin = time.monotonic()
    account = Account(sessions)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        month = Month(Path(folder), sessions, account.rested, text_input=text_input)
        month.run()
    return {
        "sessions": sessions,
        "seconds": round(time.monotonic() - begin),
        "frames": month.app.frames,
        "endings": dict(month.endings),
        "outcomes": dict(Counter(month.hub.taken.values())),
        "deepest": month.deepest,
        "left": month.left,
        "memory": {mark: round(account.memory[mark - 1], 1) for mark in account.counted},
        "most": round(max(account.memory), 1),
        "growth_kb": round(account.growth_kb(), 2),
        "census": account.counted,
    }


def window(home: Path, labels: int, *, waits: bool) -> dict[str, Any]:
    """Let an empty window show so many labels in a process of its own; return its account."""
    sides = [str(side) for side in SIZE]
    way = "finish" if waits else "flip"
    child = stand.Child(home / "empty.log", "bench.empty", "0", *sides, str(labels), way)
    try:
        return child.hear("memory", 3600)
    finally:
        child.stop()


def report(ours: dict[str, Any], peer: dict[str, Any], bare: dict[str, Any]) -> str:
    """Return it all as Markdown."""
    sessions, counted = ours["sessions"], ours["census"]
    memory = {int(mark): mb for mark, mb in peer["memory"].items()}
    head = ("after sessions (labels)", "kiosk", "empty window", "kiosk ÷ window")
    rows = [
        (
            f"{mark:,}",
            f"{mb:.1f} MB",
            f"{memory[mark]:.1f} MB",
            f"{mb / memory[mark]:.2f}",
            *(f"{count:,}" for count in counted[mark].values()),
        )
        for mark, mb in ours["memory"].items()
    ]
    columns = (*head, *counted[sessions])
    table = [" | ".join(row) for row in (columns, ["---"] * len(columns), *rows)]
    story = (
        f"{sessions:,} sessions of a 30-day month in {ours['seconds']} s, {ours['frames']:,} "
        f"frames: {_list(ours['endings'])}. Up to {ours['deepest']} outcomes waited for the hub, "
        f"{ours['left']} at the end; it verified {_list(ours['outcomes'])}."
    )
    growth = (
        f"Growth after the warm-up: kiosk **{ours['growth_kb']:.2f} KB a session**, empty "
        f"window {peer['growth_kb']:.2f} KB a label. (An empty window that does not wait for its "
        f"renderer: {bare['growth_kb']:.0f} KB a label; an offscreen window is never swapped.)"
    )
    return "\n\n".join((story, "\n".join(f"| {line} |" for line in table), growth))


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))


@click.command()
@click.option("--sessions", type=click.IntRange(100), default=10_000, show_default=True)
@click.option("--text-input", is_flag=True, help="With a field for the citizen's own words.")
@click.option("--alone", is_flag=True, help="Only the kiosk, as JSON.")
def main(sessions: int, text_input: bool, alone: bool) -> None:
    """Let a month of citizens rate, and print what the memory did, beside an empty window's."""
    if alone:
        click.echo(json.dumps(soak(sessions, text_input=text_input)))
        return
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        bare = window(Path(folder), BARE, waits=False)
        peer = window(Path(folder), sessions, waits=True)
    click.echo(report(soak(sessions, text_input=text_input), peer, bare))


if __name__ == "__main__":
    main()
