"""A city that takes several records at once, and what it must hold in the end."""

import json
import sys
from collections import Counter
from pathlib import Path

import upstream_world
from upstream_cities import speak

MISFIT = "业务办理项编码（taskHandleItem）前 31 位与事项编码不一致"


def envelopes(url, folder, batch, *changes, seal="none", **options):
    """Return the dialect with lists of up to `batch`; only its sign is sealed: gmssl is slow."""
    own = [("batch = 1\n", f"batch = {batch}\n"), ('"records"\n', f'"{seal}"\n')]
    return speak("envelope", url, folder, *own, *changes, **options)


def fill(hub, number):
    """Let so many cases wait with their ratings; return their serials."""
    serials = [f"SL{n:03}" for n in range(number)]
    for serial in serials:
        hub.case(serial)
        hub.rate(serial)
    return serials


def lengths(lists):
    return [len(each) for each in lists]


def whole(city, serials):
    """Whether a city has each case with its rating, and nothing else, each once."""
    wanted = [(serial, "1", kind) for serial in serials for kind in ("service", "rating")]
    return Counter(city.kept()) == Counter(wanted)


def said(hub):
    """What the ledger says that the city has, and how it said so."""
    rows = hub.reader.execute("SELECT body FROM ledger WHERE kind = 'delivered'").fetchall()
    return [json.loads(row[0]) for row in rows]


if __name__ == "__main__":
    home, address, many = sys.argv[1:]
    dialect = envelopes(address, Path(home), int(many))
    upstream_world.forward_for_ever(home, address, dialect=dialect)
