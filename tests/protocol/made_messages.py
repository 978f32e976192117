"""Valid messages of every kind, made by hypothesis out of what the rules allow."""

import re

from hypothesis import strategies as st

from protocol.catalogue import CURRENT, load
from protocol.messages import (
    Expired,
    Invitation,
    Rated,
    Receipt,
    Refusal,
    Resend,
    Settings,
    Shown,
    Slot,
    Staff,
    Stamp,
    State,
    Window,
    Withdrawn,
)

UNSEEN = (
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
"""Direction marks (Unicode's Bidi_Control), line separators, byte order mark."""

NO_WIDTH = "\u00ad\u200b\u200c\u200d\u2060"
"""What takes no place: in a citizen's own words it is taken out, elsewhere refused."""

BLANK = "\u034f\u115f\u1160\u180e\u2061\u2065\u2800\u3164\ufe00\ufe0f\uffa0"
"""What may stand beside characters that can be seen, but makes no name."""

_BLANK = "[\u034f\u115f\u1160\u180e\u2061-\u2065\u2800\u3164\ufe00-\ufe0f\uffa0]"
MOST = 1 << 53


def plain(least, most, also=""):
    """Text as it may stand on the screen."""
    seen = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters=UNSEEN + NO_WIDTH)
    return st.text(seen | st.sampled_from(also) if also else seen, min_size=least, max_size=most)


identifiers = st.integers(0, (1 << 128) - 1).map(lambda number: f"{number:032x}")
millis = st.integers(0, MOST)
names = plain(1, 40).filter(
    lambda text: any(not (sign.isspace() or re.match(_BLANK, sign)) for sign in text)
)
labels = plain(0, 40)
words = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=40)
devices = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
serials = plain(1, 64).filter(
    lambda text: not any(sign.isspace() or sign in "/?#%\\" for sign in text)
)
segments = plain(1, 40).filter(lambda text: "/" not in text and text not in (".", ".."))
windows = st.builds(Window, name=segments, label=labels)
staff = st.builds(Staff, name=names, number=labels, post=labels)
stamps = st.builds(
    Stamp,
    boot=identifiers,
    mono_ms=millis,
    offset_ms=st.none() | st.integers(-MOST, MOST),
    uncertainty_ms=st.none() | millis,
)
ttls = st.integers(1_000, 600_000)
invitations = st.builds(
    Invitation,
    id=identifiers,
    serial=serials,
    service_number=st.integers(1, 99),
    matter=plain(1, 200),
    window=windows,
    staff=staff,
    issued_at=millis,
    ttl_ms=ttls,
    seal=st.just("") | identifiers,
)
whose = {
    "id": identifiers,
    "device": devices,
    "seq": st.integers(1, MOST),
    "invitation": identifiers,
    "stamp": stamps,
}


@st.composite
def ends(draw, kind, fixed, **more):
    """An outcome, with the invitation that was asked or without."""
    asked = draw(st.none() | invitations)
    named = {} if asked is None else {"invitation": st.just(asked.id)}
    return draw(st.builds(kind, **{**whose, **named, **fixed}, asked=st.just(asked), **more))


@st.composite
def ratings(draw, **fixed):
    """A rating with some of the catalogue's reasons for its level."""
    level = draw(st.integers(1, 5))
    codes = [reason.code for reason in load().reasons(level)]
    chosen = draw(st.lists(st.sampled_from(codes), unique=True, max_size=8))
    return draw(
        ends(
            Rated,
            fixed,
            level=st.just(level),
            reasons=st.just(tuple(chosen)),
            comment=plain(0, 150, also="\n"),
            catalogue=st.just(CURRENT),
            elapsed_ms=millis,
        )
    )


def outcomes(**fixed):
    """Any outcome; fields that are given are taken as they are."""
    return st.one_of(
        ratings(**fixed),
        ends(Expired, fixed, elapsed_ms=millis),
        ends(
            Withdrawn,
            fixed,
            reason=st.sampled_from(["withdrawn", "superseded", "never_shown", "kiosk_failed"]),
        ),
    )


def several(each):
    """None to some of them, as messages hold them."""
    return st.lists(each, max_size=5).map(tuple)


messages = st.one_of(
    st.builds(
        Slot,
        version=millis,
        invitation=st.none() | invitations,
        unsettled=several(identifiers),
    ),
    st.builds(Shown, invitation=identifiers, stamp=stamps),
    st.builds(
        State,
        boot=identifiers,
        connection=millis,
        online=st.booleans(),
        mono_ms=millis,
        screen=words,
        outbox=millis,
        refused=millis,
        software=labels,
        storage=words,
        resent=st.none() | millis,
    ),
    st.builds(
        Settings,
        version=millis,
        hall_name=names,
        window=windows,
        staff=st.none() | staff,
        catalogue=st.just(CURRENT),
        paused=st.none() | plain(1, 60),
        reasons_ms=ttls,
        thanks_ms=ttls,
        announcement=plain(0, 120),
        resend=st.none() | st.builds(Resend, since=millis, after=millis),
    ),
    st.builds(
        Receipt,
        hub_at=millis,
        committed=several(identifiers),
        refused=several(st.builds(Refusal, id=identifiers, reason=words)),
        boot=st.none() | identifiers,
        echo_ms=st.none() | millis,
    ),
    outcomes(),
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=15,
)


@st.composite
def spoiled(draw, original):
    """Bytes that differ from `original` by a few flips, cuts and insertions."""
    data = bytearray(draw(original) if isinstance(original, st.SearchStrategy) else original)
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.integers(0, max(0, len(data) - 1)))
        what = draw(st.sampled_from(["flip", "cut", "insert", "truncate"]))
        if what == "flip" and data:
            data[where] ^= draw(st.integers(1, 255))
        elif what == "cut":
            del data[where : where + draw(st.integers(1, 20))]
        elif what == "insert":
            data[where:where] = draw(st.binary(min_size=1, max_size=8))
        else:
            del data[where:]
    return bytes(data)
