"""The outcomes that a kiosk signs, made of what the session ordered."""

from collections.abc import Callable

from device.events import Close, Draft
from protocol.messages import AnyOutcome, Expired, Invitation, Rated, Stamp, Withdrawn

Build = Callable[[int, str], AnyOutcome]
"""Makes the outcome once its number and its id are known."""


def rated(
    draft: Draft, device: str, stamp: Stamp, catalogue: str, asked: Invitation | None
) -> Build:
    """Return the rating that a draft stands for; `stamp` is the moment of the tap.

    `asked` is the invitation as the screen got it.
    """
    return lambda seq, name: Rated(
        id=name,
        device=device,
        seq=seq,
        invitation=draft.invitation,
        stamp=stamp,
        asked=asked,
        level=draft.level,  # type: ignore[arg-type]  # checked by the session's tap
        reasons=draft.reasons,
        comment=draft.comment,
        catalogue=catalogue,
        elapsed_ms=draft.elapsed_ms,
    )


def closed(close: Close, device: str, stamp: Stamp, asked: Invitation | None) -> Build:
    """Return the outcome of an invitation that nobody rated; `asked` None: it was never shown."""
    if close.kind == "expired":
        return lambda seq, name: Expired(
            id=name,
            device=device,
            seq=seq,
            invitation=close.invitation,
            stamp=stamp,
            asked=asked,
            elapsed_ms=close.elapsed_ms,
        )
    return lambda seq, name: Withdrawn(
        id=name,
        device=device,
        seq=seq,
        invitation=close.invitation,
        stamp=stamp,
        asked=asked,
        reason=close.reason,
    )
