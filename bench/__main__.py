"""Print every figure that the README quotes, each beside its peer, as Markdown.

`python -m bench [--quick] [--only NAME]`. Our program and its peer take turns in the same
run, and the ratio is taken round by round: on a machine that does other things as well the
figures wander, the ratios much less.
"""

import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import replace

from bench import drain, ingest, kiosk, ledger, pairs, stand

NAMES = ("ingest", "drain", "ledger", "invitation", "tap", "start")
HOW = (
    "Each figure was measured in turns with its peer (A B A B …) and the ratio taken round by "
    "round. Quote the ratios: the figures depend on the machine and on what else it was doing. "
    "Broker, hub, kiosk and clients share the cores; the kiosk's window is drawn in software "
    "(SDL's offscreen driver) at 30 frames a second, 1024×600."
)


class Sizes(Struct, frozen=True):
    """How much of each is measured."""

    ratings: ingest.Size = ingest.Size()
    backlog: drain.Size = drain.Size()
    screens: kiosk.Size = kiosk.Size()


QUICK = Sizes(ingest.Size(1_500, 3), drain.Size(1_000, 4.0), kiosk.Size(20, 2, 4.0))


def sections(
    home: Path, wanted: tuple[str, ...], sizes: Sizes
) -> Iterator[pairs.Pair | pairs.Alone]:
    """Measure what is wanted, one after the other."""
    ratings, screens = sizes.ratings, sizes.screens
    if "ingest" in wanted:
        yield from ingest.measure(home / "ingest", ratings)
    if "drain" in wanted:
        yield from drain.measure(home / "drain", sizes.backlog)
    if "ledger" in wanted:
        yield from ledger.measure(home / "ledger", ledger.Size(ratings.ratings, ratings.rounds))
    if "invitation" in wanted or "tap" in wanted:
        found = kiosk.rounds(home / "rounds", screens.rounds)
        if "invitation" in wanted:
            yield from kiosk.invitation(found)
        if "tap" in wanted:
            yield from kiosk.tap(found)
    if "start" in wanted:
        yield from kiosk.starts(home / "starts", screens)


def machine() -> str:
    """Say in one line where this was measured."""
    load = os.getloadavg()[0]
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores "
        f"(load before: {load:.1f}); Python {platform.python_version()}; {stand.broker_name()}"
    )


@click.command()
@click.option("--quick", is_flag=True, help="Fewer rounds: under 90 seconds, wider spreads.")
@click.option("--only", type=click.Choice(NAMES), help="Measure only this.")
@click.option("--ratings", type=click.IntRange(20), help="How many ratings a round has.")
def main(quick: bool, only: str | None, ratings: int | None) -> None:
    """Print every figure that the README quotes, each beside its peer, as Markdown."""
    where = machine()
    sizes = QUICK if quick else Sizes()
    if ratings is not None:
        sizes = replace(
            sizes,
            ratings=replace(sizes.ratings, ratings=ratings),
            backlog=replace(sizes.backlog, services=ratings),
        )
    found: list[pairs.Pair | pairs.Alone] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for line in sections(Path(folder), (only,) if only else NAMES, sizes):
            found.append(line)
            click.echo(f"… {line.what}", err=True)
    click.echo(f"Measured on: {where}.\n\n{HOW}\n")
    click.echo(pairs.table([line for line in found if isinstance(line, pairs.Pair)]))
    alone = [line for line in found if isinstance(line, pairs.Alone)]
    if alone:
        click.echo("\nFor comparison, in the same run:\n\n" + pairs.context(alone))


if __name__ == "__main__":
    main()
