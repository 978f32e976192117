"""What can happen in front of a citizen, and what then has to be done: the words of `session`."""

from typing import Literal

from msgspec import Struct

from protocol.messages import Input, Invitation, Signals

# ---------------------------------------------------------------- what can happen


class Event(Struct, frozen=True):
    """Something that happened at `now`, in milliseconds on the kiosk's monotonic clock."""

    now: int


class Offer(Event, frozen=True):
    """The hub wants this invitation shown, for at most `ttl_ms` from now; None = nothing.

    `link` is the address of the citizen's own page for it, "" where there is none.
    """

    invitation: Invitation | None
    ttl_ms: int = 0
    link: str = ""


class Tap(Event, frozen=True):
    """The citizen pressed a level, 5..1, on the screen of `invitation`.

    `now` is when the finger came down: what it saw then is what it meant.
    """

    invitation: str
    level: int
    input: Input = "screen"


class Touch(Event, frozen=True):
    """A finger came down on the screen, or `count` keys of a pad were pressed that rate nothing.

    The finger of a `Tap` comes down too: it is told first, and taken off again by its tap.
    """

    count: int = 1


class Pressed(Event, frozen=True, kw_only=True):
    """A press on the screen after the tap; `down` is when its finger came down, None: at `now`."""

    down: int | None = None


class Choose(Pressed, frozen=True):
    """The citizen pressed a reason: it is taken, or put back if it was taken."""

    code: str


class Write(Event, frozen=True):
    """The citizen's own words, as they stand now (at most 150 characters)."""

    text: str


class Submit(Pressed, frozen=True):
    """The citizen is done; a bad level has a reason or words by now."""


class Skip(Pressed, frozen=True):
    """The citizen gives no reason for a bad level: it is kept, marked incomplete.

    What was chosen or written before is taken back.
    """


class Stay(Event, frozen=True):
    """The citizen is still reading: the countdown starts anew.

    `moved`: what can be pressed has changed its places under the finger (展开 was pressed).
    """

    moved: bool = False


class Speak(Event, frozen=True):
    """The citizen wants this screen in English, or in Chinese again; for this session only."""

    english: bool


class Enlarge(Event, frozen=True):
    """The citizen wants 长者模式, or the usual size again; for this session only."""

    elder: bool


class Undo(Pressed, frozen=True):
    """A slip of the finger: 选错了，重选. Only within `UNDO_MS` of the tap."""


class Tick(Event, frozen=True):
    """Time has passed; only a deadline that is over makes it an event of the table."""


class Saved(Event, frozen=True):
    """The outbox has the draft of this revision on disk."""

    revision: int


class SaveFailed(Event, frozen=True):
    """The outbox could not write: disk full, read-only or broken."""


class Recovered(Event, frozen=True):
    """The outbox can write again."""


class Pause(Event, frozen=True):
    """The hub says why this window is not serving; None = it is serving again."""

    reason: str | None


# ---------------------------------------------------------------- what has to be done


class Keep(Struct, frozen=True):
    """Put the draft on disk, signed, not to be sent yet; answer each with Saved or SaveFailed."""

    draft: "Draft"


class Release(Struct, frozen=True):
    """The draft on disk is final: it may be sent. `draft`: this one is to be kept first."""

    invitation: str
    draft: "Draft | None" = None


class Discard(Struct, frozen=True):
    """Take the draft off the disk again: it was undone before anything was sent."""

    invitation: str


class Close(Struct, frozen=True):
    """Keep, as final, an outcome that is not a rating; `signals` None: it was never shown."""

    invitation: str
    kind: Literal["expired", "withdrawn"]
    elapsed_ms: int = 0
    reason: Literal["withdrawn", "superseded", "never_shown", "kiosk_failed"] = "withdrawn"
    signals: Signals | None = None


Effect = Keep | Release | Discard | Close


class Draft(Struct, frozen=True):
    """What one citizen has pressed so far; `revision` grows with every press, and never back.

    `signals` is what the session has seen around it; it does not know of earlier invitations.
    """

    invitation: str
    level: int
    elapsed_ms: int
    tapped_ms: int
    revision: int = 0
    reasons: tuple[str, ...] = ()
    comment: str = ""
    signals: Signals = Signals()
