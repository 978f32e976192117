"""What the screen draws: the session, and what stands around it. The one input of `ui`."""

from enum import StrEnum

from msgspec import Struct

from device.session import Session
from protocol.messages import Portrait, Settings, Staff

CODE_S = 120
"""So long a hub has a pairing code shown, in seconds; no countdown here begins higher."""


class View(Struct, frozen=True):
    """One picture of the kiosk; two equal views look the same.

    `connected` is whether the hub has answered lately. `clock` is the wall time to show as
    "HH:MM", empty while it is not known; `date` as "11月23日 星期一" likewise. `now_ms` is
    the kiosk's monotonic clock, for the countdown to `session.deadline_ms`; `hub_ms` the hub's
    time (since 1970), None while it is not known. `text_input` offers a field for the citizen's
    own words (a keyboard or writing pad is attached). `device` is the kiosk's name, for hall IT.
    `portrait` is the photograph of the clerk whom the settings name, None without one; its
    picture may be damaged. `ready` is False while the screen after the tap takes no press yet.
    """

    session: Session = Session()
    settings: Settings | None = None
    connected: bool = False
    clock: str = ""
    date: str = ""
    now_ms: int = 0
    text_input: bool = False
    hub_ms: int | None = None
    device: str = ""
    portrait: Portrait | None = None
    ready: bool = True


def photograph(view: View, staff: Staff | None) -> Portrait | None:
    """Return the photograph to show beside `staff`: no clerk is ever shown another one's face."""
    settings, found = view.settings, view.portrait
    if settings is None or found is None or staff is None:
        return None
    return found if (settings.portrait, settings.staff) == (found.digest, staff) else None


class Rest(StrEnum):
    """What stands on the screen while no citizen is asked."""

    CONNECTING = "connecting"
    AWAY = "away"
    FETCHING = "fetching"
    CODE = "code"
    CONFIRM = "confirm"
    WINDOW = "window"


def rest(view: View) -> Rest:
    """Return what an idle kiosk shows: the window it is paired with, or how to pair it.

    A code is shown only while the hub honours it: it is there, and its clock, as far as it is
    known here, has not come to the code's end.
    """
    settings = view.settings
    if settings is None:
        return Rest.CONNECTING
    if settings.window is not None:
        return Rest.WINDOW
    if not view.connected:
        return Rest.AWAY
    if settings.pairing is None:
        return Rest.CONNECTING
    if pairing_seconds(view) <= 0:
        return Rest.FETCHING
    return Rest.CODE if settings.pairing.window is None else Rest.CONFIRM


def pairing_seconds(view: View) -> int:
    """Return for how many seconds what `settings.pairing` says still holds; 0: not, or unknown."""
    pairing = view.settings.pairing if view.settings else None
    if pairing is None or view.hub_ms is None:
        return 0
    return min(CODE_S, max(0, -(-(pairing.until - view.hub_ms) // 1000)))


class Step(StrEnum):
    """How far an enrolment is, as a person at the kiosk sees it."""

    WAITING = "waiting"
    JOINING = "joining"
    COMPARING = "comparing"
    ISSUING = "issuing"
    STORING = "storing"
    TESTING = "testing"
    DONE = "done"
    FAILED = "failed"


class EnrolmentView(Struct, frozen=True):
    """One picture of an enrolment.

    `number` is there in `COMPARING`: the six digits. `text` says in `WAITING` what is wrong with
    the port, if anything, in `DONE` how the connection test went (`passed`), and in `FAILED` why.
    `again`: the kiosk will run, or wait for a desk anew, without being told to.
    """

    device: str
    hall: str
    port: str
    step: Step = Step.WAITING
    number: str = ""
    text: str = ""
    passed: bool = False
    again: bool = False
