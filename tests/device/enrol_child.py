"""Kiosks that are enrolled in processes of their own, each of which dies at the step it is told.

    enrol_child.py PORT

Reads lines `STATE STEP`, answers each with the steps made, or `killed`. A step is anything that
touches the state directory (a file opened, synced, renamed; a directory made), and each turn of
the conversation that a person or the network sees. STEP 0 = live to the end. Every kiosk is a
fork, so that starting one costs no second.
"""

import os
import secrets
import signal
import sys
from pathlib import Path

from device import enrolment, identity
from device.line import Line
from protocol.enrolment.conversation import KioskConversation
from protocol.enrolment.kiosk import Tried

TOUCHING = ("open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir")


class Steps:
    def __init__(self, state, last):
        self.state, self.last, self.count = state, last, 0

    def step(self):
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event, arguments):
        if event in TOUCHING and str(self.state) in str(arguments[:2]):
            self.step()


def live(port, state, last):
    steps = Steps(state, last)
    fsync = os.fsync
    os.fsync = lambda handle: (steps.step(), fsync(handle))
    sys.addaudithook(steps.audit)
    key = identity.load_or_create(state / "device-key.pem")
    conversation = KioskConversation(key, "kiosk-01", "hall-1", secrets.token_bytes)

    def keep(chain, terms):
        identity.store(state, chain, terms)
        steps.step()

    def attempt(_):
        steps.step()
        return Tried(passed=True, text="已连接")

    hands = enrolment.Hands(show=lambda _: steps.step(), keep=keep, attempt=attempt)
    enrolment.run(lambda: Line.open(port), conversation, hands, wait_ms=20_000)
    print(steps.count, flush=True)


def main():
    for line in sys.stdin:
        state, last = line.rsplit(" ", 1)
        child = os.fork()
        if child == 0:
            try:
                live(sys.argv[1], Path(state), int(last))
            finally:
                os._exit(1)  # the fork has nothing to tidy up: all of it is the parent's
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            print("killed", flush=True)


if __name__ == "__main__":
    main()
