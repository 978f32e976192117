"""What a session is: its states, its fields, and how it refuses. The rules are in `session`."""

from enum import StrEnum

from msgspec import Struct

from device.events import Draft, Effect, Offer
from protocol.messages import Invitation

ARM_MS = 400
UNDO_MS = 8_000


class Screen(StrEnum):
    """The states of a session; each has a screen of its own."""

    IDLE = "idle"
    INVITED = "invited"
    SAVING = "saving"
    REASONS = "reasons"
    THANKS = "thanks"
    PAUSED = "paused"
    OUT_OF_SERVICE = "out_of_service"


class Refused(Exception):
    """An event that has no meaning in this state; `cause` is a stable word for counting."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Session(Struct, frozen=True):
    """Everything the screen needs to know about the citizen in front of it.

    `kept`: the tap is on disk. `saved` is the last revision that is; `submitted`: the citizen
    is done and waits, for milliseconds, until their last word is on disk too.
    """

    screen: Screen = Screen.IDLE
    invitation: Invitation | None = None
    shown_ms: int = 0
    deadline_ms: int | None = None
    draft: Draft | None = None
    kept: bool = False
    revision: int = 0
    saved: int = 0
    submitted: bool = False
    waiting: Offer | None = None
    pause: str | None = None
    reasons_ms: int = 60_000
    thanks_ms: int = 8_000


Result = tuple[Session, tuple[Effect, ...]]


def current(session: Session) -> tuple[Invitation, Draft]:
    """Return what a citizen is answering; for states in which there always is a draft."""
    if session.invitation is None or session.draft is None:
        raise AssertionError(f"no draft in {session.screen}")
    return session.invitation, session.draft
