"""A kiosk's outbox in a process of its own, to be killed in the middle of its work.

Says each step on its own line only after the outbox has returned from it.
"""

import sys
from pathlib import Path

from device.outbox import Outbox


def main(path):
    outbox = Outbox.open(Path(path))
    number = int(sys.stdin.readline())
    while True:
        number += 1
        name = f"{number:032x}"
        outbox.keep(
            name, lambda name=name: name, lambda seq, key: f"{seq}:{key}".encode(), draft=True
        )
        print("kept", number, flush=True)
        if number % 5 == 0:
            outbox.discard(name)
            print("discarded", number, flush=True)
        elif number % 2 == 0:
            outbox.release(name)
            print("released", number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
