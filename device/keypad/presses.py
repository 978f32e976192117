"""Which press of a pad counts: a pad names no invitation, so the screen and the clock decide."""

from device.events import Tap
from device.keypad.reader import Press
from device.session import ARM_MS, Refused, Screen, Session


def tap(session: Session, press: Press, seen_ms: int | None) -> Tap:
    """Return the press as a tap on the invitation that is on the screen now.

    `seen_ms` is the monotonic time of the first frame that really drew this invitation; None
    while there was none. Raises `Refused`, with a cause for counting, for every press that was
    not made while this invitation was to be seen and open for at least `ARM_MS`. One press
    counts: the session leaves INVITED with it.
    """
    if session.draft is not None:
        raise Refused("pad_press_after_answer")
    invitation = session.invitation
    if session.screen is not Screen.INVITED or invitation is None:
        raise Refused("pad_press_without_invitation")
    if seen_ms is None or press.at_ms < max(session.shown_ms, seen_ms):
        raise Refused("pad_press_before_invitation")
    if press.at_ms - max(session.shown_ms, seen_ms) < ARM_MS:
        raise Refused("pad_press_too_early")
    return Tap(press.at_ms, invitation.id, press.level, input="pad")
