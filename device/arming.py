"""When what a finger presses on the screen after the tap counts: not before it can be read."""

from device.events import Event, Pressed
from device.session import Refused, Screen, Session
from device.state import READ_MS


def read(session: Session, seen_ms: int | None) -> int | None:
    """Return from when on the screen after the tap takes a finger; None: not known yet, or another.

    `seen_ms` is when the first frame that shows it was drawn, None as long as none was; both in
    ms of the kiosk's monotonic clock.
    """
    if session.screen is not Screen.THANKS or seen_ms is None:
        return None
    return seen_ms + READ_MS


def check(session: Session, event: Event, seen_ms: int | None) -> None:
    """Refuse ("early_touch") a press whose finger came down before `read`: the second of two taps.

    It was meant for the level on the screen before, whatever has come under it since. The same
    for every level. What is no press, and a press on another screen, is the table's to judge.
    """
    if session.screen is not Screen.THANKS or not isinstance(event, Pressed):
        return
    since = read(session, seen_ms)
    down = event.now if event.down is None else event.down
    if since is None or down < since:
        raise Refused("early_touch")
