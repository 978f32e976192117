"""How long citizens' data are kept, and when a clock is not believed (PIPL, articles 19 and 47).

What a person has written is erased with the signed bytes that hold it; its hash stays.
"""

import binascii
from base64 import urlsafe_b64decode
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.rules.afterwards import Added
from hub.rules.days import DAY_MS
from protocol.messages import Part

Days = Annotated[int, Meta(ge=0, le=36_500)]

STRIDE_MS = 31 * DAY_MS
"""How far the hub's clock may have gone since it was last known to be right."""

BACK_MS = 3_600_000
"""How far it may have gone back."""

_ADDED = b'{"text":"'
_FED = b'{"origin":"'


class Retention(Part, frozen=True, kw_only=True):
    """For how many days each class is kept; 0: for good.

    `citizens_days` after the city has accepted the last record of a case: name, certificate,
    mobile of applicant and agent. `comments_days` after the city has accepted a rating, or what
    was added to it: what the citizen wrote. `evidence_days` after it came: what was refused. In
    one run at most `per_run` of each class are erased, so that a fault shows before it has done
    all its harm.
    """

    citizens_days: Days = 0
    comments_days: Days = 0
    evidence_days: Days = 0
    per_run: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000


def clock_doubt(now: int, ran_at: int | None, newest_entry: int | None) -> str | None:
    """Say why `now` is not to be believed, in Chinese, or None; all in ms since 1970.

    By what the hub has seen itself: its last run, and the newest entry of its ledger.
    """
    for known, what in ((ran_at, "上次清理"), (newest_entry, "台账最新一条")):
        if known is None:
            continue
        if now - known > STRIDE_MS:
            days = (now - known) // DAY_MS
            return f"服务器时钟比{what}晚了 {days} 天，可能不准"
        if known - now > BACK_MS:
            return f"服务器时钟比{what}还早，可能不准"
    return None


def payload_of(body: bytes) -> dict[str, Any] | None:
    """Return what a device's JWS says, or the one that a closing of the hub holds; not verified."""
    try:
        if body.startswith(b"{"):
            body = msgspec.json.decode(body)["jws"].encode()
        said = msgspec.json.decode(_decoded(body.split(b".")[1]))
    except (msgspec.MsgspecError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    return said if isinstance(said, dict) else None


def words_of(body: bytes) -> str:
    """Return what the citizen has written in an entry's body, or nothing."""
    added = _added(body) or _fed(body)
    if added:
        return added
    said = payload_of(body)
    comment = None if said is None else said.get("comment")
    return comment if isinstance(comment, str) else ""


def own_part(body: bytes) -> bytes:
    """Return what no other body shares: the end, with the signature, and the words themselves.

    Of the base64 text of the payload that is the part in which the words lie. What was added
    later is nothing but words.
    """
    if _fed(body) and payload_of(body) is None:
        return _fed(body).encode()
    if _added(body):
        return body[len(_ADDED) :] if len(body) > 2 * len(_ADDED) + 16 else body
    end = body[-96:]
    words = words_of(body)
    jws = body
    if body.startswith(b"{") and words:
        jws = msgspec.json.decode(body)["jws"].encode()
    if not words:
        return end
    text = jws.split(b".")[1]
    raw, spoken = _decoded(text), words.encode()
    at = raw.find(spoken)
    if at < 0:
        return end
    return end + text[-(-at * 4 // 3) : (at + len(spoken)) * 4 // 3]


def _added(body: bytes) -> str:
    if not body.startswith(_ADDED):
        return ""
    try:
        return msgspec.json.decode(body, type=Added).text
    except (msgspec.MsgspecError, ValueError):
        return ""


def _fed(body: bytes) -> str:
    """Return the words in a rating that another hall has fed: some came by phone, unsigned."""
    if not body.startswith(_FED):
        return ""
    try:
        found = msgspec.json.decode(body).get("own", {}).get("writingEvaluation", "")
    except (msgspec.MsgspecError, ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""


def _decoded(text: bytes) -> bytes:
    try:
        return urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError from error
