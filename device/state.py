"""What a session is: its states, its fields, and how it refuses. The rules are in `session`."""

from enum import StrEnum

from msgspec import Struct

from device.events import Draft, Effect, Offer
from protocol.messages import Invitation, Signals

ARM_MS = 400
READ_MS = 700
"""How long the screen after the tap stands, in ms, before a finger on it means anything.

One figure for every level and in 长者模式 too: nobody has read a reason in that time, and the
second half of a double tap has come down by then, a slow one of 600 ms between its fingers
included. A second and more would make a button look dead to who knows the way.
"""
UNDO_MS = 8_000


class Screen(StrEnum):
    """The states of a session; each has a screen of its own."""

    IDLE = "idle"
    INVITED = "invited"
    SAVING = "saving"
    THANKS = "thanks"
    ENDING = "ending"
    PAUSED = "paused"
    OUT_OF_SERVICE = "out_of_service"


class Ending(StrEnum):
    """How a session ended; what is shown of it depends on nothing else, least of all the level.

    `SKIPPED` is a rating of any level without reasons and words.
    """

    RATED = "rated"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


ENDING_MS = {
    Ending.RATED: 3_000,
    Ending.SKIPPED: 3_000,
    Ending.EXPIRED: 3_000,
    Ending.WITHDRAWN: 3_000,
    Ending.SUPERSEDED: 1_500,
}
"""How long an ending is shown, in ms; behind a superseded one the next invitation waits."""


class Refused(Exception):
    """An event that has no meaning in this state; `cause` is a stable word for counting."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Session(Struct, frozen=True):
    """Everything the screen needs to know about the citizen in front of it.

    `kept`: the tap is on disk. `saved` is the last revision that is; `submitted`: the citizen
    is done and waits, for milliseconds, until their last word is on disk too. `ending` is
    shown when everything else of a citizen is gone already. `english` and `elder` are this
    citizen's wishes, `link` is the address of their own page. `thanks_ms` is how long the screen
    after the tap stays, `reasons_ms` how long once the citizen has begun to add something: both
    for every level. `touches` and `undone` are what `Signals` counts, for the invitation that is
    on the screen.
    """

    screen: Screen = Screen.IDLE
    invitation: Invitation | None = None
    link: str = ""
    shown_ms: int = 0
    deadline_ms: int | None = None
    draft: Draft | None = None
    kept: bool = False
    revision: int = 0
    saved: int = 0
    submitted: bool = False
    ending: Ending | None = None
    english: bool = False
    elder: bool = False
    touches: int = 0
    undone: int = 0
    waiting: Offer | None = None
    pause: str | None = None
    reasons_ms: int = 60_000
    thanks_ms: int = 20_000

    @property
    def signals(self) -> Signals:
        """What there is to tell of an invitation on which no tap counts."""
        return Signals(touches=self.touches, undone=self.undone)


Result = tuple[Session, tuple[Effect, ...]]


def current(session: Session) -> tuple[Invitation, Draft]:
    """Return what a citizen is answering; for states in which there always is a draft."""
    if session.invitation is None or session.draft is None:
        raise AssertionError(f"no draft in {session.screen}")
    return session.invitation, session.draft


def service(invitation: Invitation) -> str:
    """Return what names the service that an invitation is for, and no other."""
    return f"{invitation.serial}/{invitation.service_number}"  # no "/" stands in a serial
