"""The messages, one struct each, and what a valid one holds.

Every message carries `v`, its version. Fields that are not listed are refused. Times are
milliseconds: `*_ms` on a monotonic clock or a duration, `*_at` since 1970 in UTC on the hub's.
"""

import re
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from protocol.catalogue import LEVELS

VERSION = 1

# No control characters, no direction marks and nothing of no width: they have no place in what a
# citizen reads, and two names that look the same are one name.
_MARKS = r"\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff"
_PLAIN = rf"^[^\x00-\x1f{_MARKS}]*(?![\s\S])"
# (`(?![\s\S])` is the end: `$` would let a line feed through in Python, `\Z` is no ECMA.)
# A name has at least one character that can be seen.
_BLANK = r"\s\u034f\u115f\u1160\u180e\u2061-\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
_NAME = rf"^(?=[\s\S]*[^{_BLANK}])[^\x00-\x1f{_MARKS}]*(?![\s\S])"
# In a citizen's own words a line feed may stand; marks of no width are taken out (`readable`), but
# what older kiosks have signed with one in it stays readable.
_BREAKS = r"\x00-\x09\x0b-\x1f"
_DIRECTIONS = r"\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
_LINES = rf"^[^{_BREAKS}{_DIRECTIONS}]*(?![\s\S])"
# What stands in an address: no sign that means something there, and neither "." nor "..".
_NO_DOTS = r"(?!\.{1,2}(?![\s\S]))"
_WORD = rf"^{_NO_DOTS}[^\s/?#%\\\x00-\x1f{_MARKS}]*(?![\s\S])"
_SEGMENT = rf"^{_NO_DOTS}[^/\x00-\x1f{_MARKS}]*(?![\s\S])"
_NOT_COMMENT = re.compile(rf"[{_BREAKS}{_MARKS}\ud800-\udfff]")

Identifier = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}(?![\s\S])")]
Serial = Annotated[str, Meta(min_length=1, max_length=64, pattern=_WORD)]
ServiceNumber = Annotated[int, Meta(ge=1, le=99)]
Matter = Annotated[str, Meta(min_length=1, max_length=200, pattern=_NAME)]
Label = Annotated[str, Meta(max_length=40, pattern=_PLAIN)]
Name = Annotated[str, Meta(min_length=1, max_length=40, pattern=_NAME)]
WindowName = Annotated[str, Meta(min_length=1, max_length=40, pattern=_SEGMENT)]
PlainText = Annotated[str, Meta(min_length=1, max_length=100, pattern=_PLAIN)]
Announcement = Annotated[str, Meta(min_length=1, max_length=120, pattern=_PLAIN)]
Announcements = Annotated[tuple[Announcement, ...], Meta(max_length=8)]
Comment = Annotated[str, Meta(max_length=150, pattern=_LINES)]
Level = Literal[1, 2, 3, 4, 5]
ReasonCode = Annotated[str, Meta(pattern=r"^[1-5][0-9]{2}(?![\s\S])")]
Millis = Annotated[int, Meta(ge=0, le=1 << 53)]
Offset = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
CatalogueVersion = Annotated[
    str, Meta(min_length=1, max_length=32, pattern=r"^[0-9A-Za-z.-]+(?![\s\S])")
]
Word = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[a-z_]+(?![\s\S])")]
Ttl = Annotated[int, Meta(ge=1_000, le=600_000)]
Pem = Annotated[str, Meta(min_length=1, max_length=2_600, pattern=r"^[ -~\n]+(?![\s\S])")]
Code = Annotated[str, Meta(pattern=r"^[0-9]{6}(?![\s\S])")]
Link = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[!-~]+(?![\s\S])")]
Seal = Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?(?![\s\S])")]
Digest = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?(?![\s\S])")]
Input = Literal["screen", "pad"]

PICTURE_LIMIT = 45_000
"""How many bytes a portrait may have: as base64 it has to go into one message."""


def readable(text: str) -> str:
    """Return what of a citizen's own words can stand in a `Comment`: all that can be seen."""
    return _NOT_COMMENT.sub("", text)


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A piece of a message."""


class Message(Part, frozen=True, kw_only=True):
    """What all messages share: the version of their form."""

    v: Annotated[int, Meta(ge=VERSION, le=VERSION)] = VERSION


class Stamp(Part, frozen=True, kw_only=True):
    """When something happened, as honestly as a kiosk without a clock battery can say.

    `mono_ms` counts from the boot named by `boot`; `offset_ms` added to it gives the hub's
    time, within `uncertainty_ms`; both are None while no hub has answered since that boot.
    """

    boot: Identifier
    mono_ms: Millis
    offset_ms: Offset | None = None
    uncertainty_ms: Millis | None = None


class Staff(Part, frozen=True, kw_only=True):
    """The clerk as the citizen sees them (窗口工作人员)."""

    name: Name
    number: Label = ""
    post: Label = ""


class Window(Part, frozen=True, kw_only=True):
    """The counter (窗口): `name` is what is painted above it, `label` what is done there."""

    name: WindowName
    label: Label = ""


class Invitation(Part, frozen=True, kw_only=True):
    """A single-use offer to rate one service of one case (评价邀请).

    It holds only what the citizen may see on the screen; `ttl_ms` counts from its showing.
    `seal` is the hub's own mark on all of it and on the device that it is for: a hub that has
    lost its memory knows by it what it has once issued. To others it means nothing.
    """

    id: Identifier
    serial: Serial
    service_number: ServiceNumber
    matter: Matter
    window: Window
    staff: Staff
    issued_at: Millis
    ttl_ms: Ttl
    seal: Seal = ""


class Slot(Message, frozen=True, kw_only=True):
    """Leaf `invitation`: what a device should be showing now, or nothing.

    A device ignores a `version` below the highest it has seen. `unsettled` names the older
    invitations of this device that the hub still counts as open: the device answers for
    each one that it never showed. `link` is the address of the citizen's own page for this
    invitation, for a QR; empty where the hub has no public address. It is for the citizen alone,
    so it stands here and not in the invitation, which goes into the ledger.
    """

    version: Count
    invitation: Invitation | None = None
    link: Annotated[str, Meta(max_length=200, pattern=r"^[!-~]*(?![\s\S])")] = ""
    unsettled: Annotated[tuple[Identifier, ...], Meta(max_length=1000)] = ()


class Shown(Message, frozen=True, kw_only=True):
    """Leaf `shown`: the screen really shows this invitation since `stamp`."""

    invitation: Identifier
    stamp: Stamp


class State(Message, frozen=True, kw_only=True):
    """Leaf `state`: birth, heartbeat and, as the will, death of one connection.

    `connection` counts the connections of a boot, so that the late will of an old
    connection cannot unseat a newer birth. An enrolled device says with each birth by which
    `certificate` (PEM, its own without its CA's) it holds its key: the hub learns it from there.

    `outbox` counts the outcomes that wait. `storage` says how the place for them stands: "ok",
    "low" (somebody should see to it), "full" (the kiosk asks nobody any more). `resent` returns
    the `since` of a `Resend` that is fulfilled: all that was to be said again is answered for.
    """

    boot: Identifier
    connection: Count
    online: bool
    mono_ms: Millis = 0
    screen: Word = "starting"
    outbox: Count = 0
    refused: Count = 0
    software: Label = ""
    certificate: Pem | None = None
    storage: Word = "ok"
    resent: Millis | None = None


class Renewal(Message, frozen=True, kw_only=True):
    """Leaf `renewal`: the device asks for a new certificate of its key (`request`: PKCS #10)."""

    request: Pem


class Certificate(Message, frozen=True, kw_only=True):
    """Leaf `certificate`: what was asked for, the device's certificate with its CA's (PEM)."""

    chain: Pem


class Pairing(Part, frozen=True, kw_only=True):
    """How an unpaired kiosk gets its window (配对): a clerk types the code that it shows.

    `code` is shown until `until` by the hub's time; `qr` is what stands in the QR beside it.
    `window` is what a clerk has typed the code for and is asked to confirm.
    """

    code: Code
    until: Millis
    qr: Link
    window: Window | None = None


class Resend(Part, frozen=True, kw_only=True):
    """A hub that was restored asks again for what its backup has not.

    `since` (ms since 1970) is when it was restored, and the name of this recovery; the ledger
    has the device's numbers up to `after`.
    """

    since: Millis
    after: Count


class Settings(Message, frozen=True, kw_only=True):
    """Leaf `settings`: how this kiosk is to present itself.

    `window` None: it is not paired, and shows `pairing`. `paused` is the reason that citizens
    read while the window is closed, or None. `elder`: everything larger and calmer (长者模式);
    `english`: the citizen may change the language. `portrait` is the digest of the photograph
    of `staff` (leaf `portrait`), empty: there is none. `resend` stands only in what a restored hub
    says, until the device has answered it.
    """

    version: Count
    hall_name: Name
    window: Window | None = None
    pairing: Pairing | None = None
    staff: Staff | None = None
    catalogue: CatalogueVersion
    paused: Annotated[str, Meta(min_length=1, max_length=60, pattern=_PLAIN)] | None = None
    reasons_ms: Ttl = 60_000
    thanks_ms: Ttl = 20_000
    elder: bool = False
    english: bool = True
    announcement: Annotated[str, Meta(max_length=120, pattern=_PLAIN)] = ""
    announcements: Announcements = ()
    portrait: Digest = ""
    resend: Resend | None = None


class Portrait(Message, frozen=True, kw_only=True):
    """Leaf `portrait`: the photograph of the clerk at this window; an empty payload: there is none.

    `digest` is the SHA-256 of `picture` in hex, a JPEG or PNG. It is shown only while
    `Settings.portrait` names it, so that no face stays beside another's name.
    """

    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?![\s\S])")]
    picture: Annotated[bytes, Meta(min_length=1, max_length=PICTURE_LIMIT)]


class Refusal(Part, frozen=True, kw_only=True):
    """An outcome that will never count, and why (a stable word)."""

    id: Identifier
    reason: Word


class Receipt(Message, frozen=True, kw_only=True):
    """Leaf `receipt`: the hub's word (回执) that these outcomes are committed or refused.

    The device takes both kinds out of its outbox. `echo_ms` returns the `mono_ms` of the
    `state` that is answered, with which the device reckons its offset to `hub_at`.
    """

    hub_at: Millis
    committed: Annotated[tuple[Identifier, ...], Meta(max_length=1000)] = ()
    refused: Annotated[tuple[Refusal, ...], Meta(max_length=200)] = ()
    boot: Identifier | None = None
    echo_ms: Millis | None = None


class Signals(Part, frozen=True, kw_only=True):
    """What the kiosk measured around one answer, for whoever looks for steered ratings.

    `input` is where the tap came from. `touches` counts what was touched or pressed before it
    and rated nothing, `undone` the taps that were taken back (选错了，重选). `asked_before` counts
    the invitations of this very service that this kiosk has shown since its start, before this
    one. `withdrawn_ms` is how long after the tap the hub asked for the invitation back while the
    citizen was still there, None where it did not.
    """

    input: Input | None = None
    touches: Count = 0
    undone: Count = 0
    asked_before: Count = 0
    withdrawn_ms: Millis | None = None


class Outcome(Message, frozen=True, kw_only=True, tag_field="kind"):
    """How one invitation ended (结果), the content of a signed message.

    `seq` numbers the outcomes of a device without gaps, from 1. `elapsed_ms` is the time
    from shown to the end, measured on the kiosk's monotonic clock. `asked` is the invitation
    as it reached the screen, so that its words are signed with the answer; None where none
    did, and from devices older than this field; the same goes for `signals`.
    """

    id: Identifier
    device: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}(?![\s\S])")]
    seq: Annotated[int, Meta(ge=1, le=1 << 53)]
    invitation: Identifier
    stamp: Stamp
    asked: Invitation | None = None
    signals: Signals | None = None

    def __post_init__(self) -> None:
        """Refuse an answer to another invitation than the one it names."""
        if self.asked is not None and self.asked.id != self.invitation:
            raise ValueError(f"{self.invitation} is answered, {self.asked.id} was asked")


class Rated(Outcome, frozen=True, kw_only=True, tag="rated"):
    """A person pressed a level (domain table 2: 5 非常满意 … 1 非常不满意)."""

    level: Level
    reasons: Annotated[tuple[ReasonCode, ...], Meta(max_length=10)] = ()
    comment: Comment = ""
    catalogue: CatalogueVersion
    elapsed_ms: Millis
    bad: ClassVar[frozenset[int]] = frozenset({1, 2})

    def __post_init__(self) -> None:
        """Refuse reasons of another level, and any reason twice."""
        super().__post_init__()
        if any(code[0] != str(self.level) for code in self.reasons):
            raise ValueError(f"reasons {self.reasons} do not belong to level {self.level}")
        if len(set(self.reasons)) != len(self.reasons):
            raise ValueError(f"a reason stands twice in {self.reasons}")

    @property
    def complete(self) -> bool:
        """Whether a bad rating says why, as the rule asks; a good one always is complete."""
        return self.level not in self.bad or bool(self.reasons) or bool(self.comment.strip())


class Expired(Outcome, frozen=True, kw_only=True, tag="expired"):
    """Nobody answered in time: 未评, never a rating."""

    elapsed_ms: Millis


class Withdrawn(Outcome, frozen=True, kw_only=True, tag="withdrawn"):
    """The invitation was taken back before anybody answered."""

    reason: Literal["withdrawn", "superseded", "never_shown", "kiosk_failed"]


AnyOutcome = Rated | Expired | Withdrawn

assert set(LEVELS) == {1, 2, 3, 4, 5}  # noqa: S101 - Level above spells them for the schema
