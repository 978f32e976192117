"""What happens next in front of one citizen: a table of states and events, free of I/O.

`step` takes a session and an event and returns the next session with the effects that the
caller has to carry out. A pair that is not in the table raises `Refused` and changes nothing.

The rules it keeps (the product's promises 1, 2 and 4):

* only `Tap` makes a rating; a timer never does;
* thanks is shown only after `Saved`; nobody who adds something is let go before that is saved;
* the same follows on every level: thanks with reasons to add, then a short ending;
* a citizen who has begun to answer is not cut off: what the hub sends meanwhile waits;
* nobody is asked again for the service that they have just rated;
* a new invitation takes no tap before `ARM_MS`, so that a late tap on the previous
  citizen's screen cannot land on it.

That the screen after the tap takes no press before it can be read is the rule of `arming`: it
depends on frames, of which this table knows nothing.
"""

from collections.abc import Callable
from typing import Any

from device import between, citizen
from device.events import (
    Choose,
    Enlarge,
    Event,
    Offer,
    Pause,
    Recovered,
    Saved,
    SaveFailed,
    Skip,
    Speak,
    Stay,
    Submit,
    Tap,
    Tick,
    Touch,
    Undo,
    Write,
)
from device.state import ARM_MS, UNDO_MS, Ending, Refused, Result, Screen, Session

__all__ = ["ARM_MS", "TABLE", "UNDO_MS", "Ending", "Refused", "Screen", "Session", "step"]

Handler = Callable[[Session, Any], Result]

TABLE: dict[tuple[Screen, type[Event]], Handler] = {
    (Screen.IDLE, Offer): between.offer_idle,
    (Screen.IDLE, Pause): between.pause_now,
    (Screen.IDLE, Saved): citizen.saved_before,
    (Screen.IDLE, SaveFailed): citizen.save_failed,
    (Screen.INVITED, Offer): between.offer_invited,
    (Screen.INVITED, Tap): citizen.tap,
    (Screen.INVITED, Touch): citizen.touch,
    (Screen.INVITED, Speak): citizen.speak,
    (Screen.INVITED, Enlarge): citizen.enlarge,
    (Screen.INVITED, Tick): citizen.expire,
    (Screen.INVITED, Pause): between.pause_waits,
    (Screen.INVITED, Saved): citizen.saved_before,
    (Screen.INVITED, SaveFailed): citizen.save_failed,
    (Screen.SAVING, Offer): between.offer_waits,
    (Screen.SAVING, Saved): citizen.saved,
    (Screen.SAVING, SaveFailed): citizen.save_failed,
    (Screen.SAVING, Pause): between.pause_waits,
    (Screen.THANKS, Offer): between.offer_waits,
    (Screen.THANKS, Choose): citizen.choose,
    (Screen.THANKS, Write): citizen.write,
    (Screen.THANKS, Stay): citizen.stay,
    (Screen.THANKS, Submit): citizen.submit,
    (Screen.THANKS, Skip): citizen.skip,
    (Screen.THANKS, Saved): citizen.saved_more,
    (Screen.THANKS, Undo): citizen.undo,
    (Screen.THANKS, Tick): citizen.finish,
    (Screen.THANKS, Pause): between.pause_waits,
    (Screen.THANKS, SaveFailed): citizen.save_failed,
    (Screen.ENDING, Offer): between.offer_ended,
    (Screen.ENDING, Tick): between.ended,
    (Screen.ENDING, Pause): between.pause_waits,
    (Screen.ENDING, Saved): citizen.saved_before,
    (Screen.ENDING, SaveFailed): citizen.save_failed,
    (Screen.PAUSED, Offer): between.offer_waits,
    (Screen.PAUSED, Pause): between.pause_now,
    (Screen.PAUSED, Saved): citizen.saved_before,
    (Screen.PAUSED, SaveFailed): citizen.save_failed,
    (Screen.OUT_OF_SERVICE, Offer): between.offer_waits,
    (Screen.OUT_OF_SERVICE, Pause): between.pause_waits,
    (Screen.OUT_OF_SERVICE, Saved): citizen.saved_late,
    (Screen.OUT_OF_SERVICE, Recovered): citizen.recovered,
}
"""What is allowed; all else is refused. A `Tick` counts only when the deadline is over."""


def step(session: Session, event: Event) -> Result:
    """Return the session after `event`, and what has to be done, in order.

    Raises `Refused`, leaving everything as it was, for a pair outside of `TABLE` and for an
    event that its state has a reason not to take.
    """
    if isinstance(event, Tick) and (session.deadline_ms is None or event.now < session.deadline_ms):
        return session, ()
    handler = TABLE.get((session.screen, type(event)))
    if handler is None:
        raise Refused(f"{type(event).__name__.lower()}_in_{session.screen}")
    return handler(session, event)
