"""The outcomes that a kiosk signs, made of what the session ordered."""

from collections.abc import Callable

from msgspec.structs import replace

from device.events import Close, Draft
from protocol.messages import AnyOutcome, Expired, Invitation, Rated, Stamp, Withdrawn

Build = Callable[[int, str], AnyOutcome]
"""Makes the outcome once its number and its id are known."""


def rated(
    draft: Draft,
    device: str,
    stamp: Stamp,
    catalogue: str,
    asked: Invitation | None,
    *,
    asked_before: int,
) -> Build:
    """Return the rating that a draft stands for; `stamp` is the moment of the tap.

    `asked` is the invitation as the screen got it, `asked_before` how many of its service were
    shown before it.
    """
    signals = replace(draft.signals, asked_before=asked_before)
    return lambda seq, name: Rated(
        id=name,
        device=device,
        seq=seq,
        invitation=draft.invitation,
        stamp=stamp,
        asked=asked,
        signals=signals,
        level=draft.level,  # type: ignore[arg-type]  # checked by the session's tap
        reasons=draft.reasons,
        comment=draft.comment,
        catalogue=catalogue,
        elapsed_ms=draft.elapsed_ms,
    )


def closed(
    close: Close, device: str, stamp: Stamp, asked: Invitation | None, *, asked_before: int
) -> Build:
    """Return the outcome of an invitation that nobody rated; `asked` None: it was never shown."""
    signals = close.signals and replace(close.signals, asked_before=asked_before)
    if close.kind == "expired":
        return lambda seq, name: Expired(
            id=name,
            device=device,
            seq=seq,
            invitation=close.invitation,
            stamp=stamp,
            asked=asked,
            signals=signals,
            elapsed_ms=close.elapsed_ms,
        )
    return lambda seq, name: Withdrawn(
        id=name,
        device=device,
        seq=seq,
        invitation=close.invitation,
        stamp=stamp,
        asked=asked,
        signals=signals,
        reason=close.reason,
    )
