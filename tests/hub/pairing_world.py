"""A hall whose kiosks have no window yet, and what clerks do to pair them."""

import contextlib

from world_hall import CALLER, OTHER_WINDOW, WINDOW, Hall

from hub.rules.access import Caller, Role, scopes_of
from hub.store import bindings
from protocol import wire
from protocol.messages import Settings, Staff

CLERK = Caller(
    name="user:jia", scopes=scopes_of([Role.WINDOW]), staff=Staff(name="示例甲", number="0001")
)
COLLEAGUE = Caller(
    name="user:yi", scopes=scopes_of([Role.WINDOW]), staff=Staff(name="示例乙", number="0002")
)


@contextlib.contextmanager
def open_unpaired(folder):
    """Both kiosks stand in the hall, but neither has a window."""
    with Hall(folder) as hall:
        for window in (WINDOW, OTHER_WINDOW):
            hall.ask(hall.bindings.unpair(window, CALLER))
        yield hall


def shown(hall, device="k1"):
    """What the kiosk was told last."""
    hall.quiet()
    return wire.decode(Settings, hall.sent(device, "settings")[-1])


def code_of(hall, device="k1"):
    return shown(hall, device).pairing.code


def claim(hall, code, window=WINDOW, caller=CLERK):
    return hall.ask(hall.bindings.claim(window, code, caller))


def confirm(hall, window=WINDOW, device="k1", caller=CLERK):
    return hall.ask(hall.bindings.confirm(window, device, caller))


def pass_time(hall, ms):
    """Let time go by, and the hub look after its codes as it does four times a second."""
    hall.now += ms
    hall.board.tidy()
    hall.quiet()


def paired(hall):
    return bindings.pairings(hall.reader)


def denied(hall):
    hall.quiet()
    return [
        (actor, action, target)
        for actor, action, target in hall.rows(
            "SELECT actor, action, target FROM audit WHERE allowed = 0 ORDER BY position"
        )
    ]
