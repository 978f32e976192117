"""What the screen draws: the session, and what stands around it. The one input of `ui`."""

from msgspec import Struct

from device.session import Session
from protocol.messages import Settings


class View(Struct, frozen=True):
    """One picture of the kiosk; two equal views look the same.

    `connected` is whether the hub has answered lately. `clock` is the wall time to show as
    "HH:MM", empty while it is not known; `date` as "11月23日 星期一" likewise. `now_ms` is
    the kiosk's monotonic clock, for the countdown to `session.deadline_ms`. `text_input`
    offers a field for the citizen's own words (a keyboard or writing pad is attached).
    """

    session: Session = Session()
    settings: Settings | None = None
    connected: bool = False
    clock: str = ""
    date: str = ""
    now_ms: int = 0
    text_input: bool = False
