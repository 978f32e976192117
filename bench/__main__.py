"""`python -m bench [--quick] [--only NAME]`: print every figure the README quotes."""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from bench import ingest, pairs, stand


def _ingest(home: Path, quick: bool) -> Iterator[pairs.Pair | pairs.Alone]:
    return ingest.measure(home, ingest.Size(1_500, 3) if quick else ingest.Size())


SECTIONS: dict[str, Callable[[Path, bool], Iterator[pairs.Pair | pairs.Alone]]] = {
    "ingest": _ingest,
}


@click.command()
@click.option("--quick", is_flag=True)
@click.option("--only", type=click.Choice(tuple(SECTIONS)))
def main(quick: bool, only: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name, section in SECTIONS.items():
            if only in (None, name):
                found = list(section(Path(folder) / name, quick))
                print(pairs.table([x for x in found if isinstance(x, pairs.Pair)]))
                print(pairs.context([x for x in found if isinstance(x, pairs.Alone)]))


main()
