"""What goes over the interface, besides the case itself: one struct per body."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Self, get_args

import msgspec
from msgspec import Meta

from hub.counter.desk import Status
from hub.rules.case import CaseFacts
from hub.rules.days import CHINA
from protocol.messages import Code, Label, Name, Part, Pem, Serial, ServiceNumber, Staff

# What a label may hold (no control characters, no direction marks), and not blanks alone.
_SAYS_SOMETHING = r"^(?=[\s\S]*\S)" + get_args(Label)[1].pattern.removeprefix("^")

Device = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}(?![\s\S])")]


class CaseKey(Part, frozen=True, kw_only=True):
    """What names one service of a case."""

    serial: Serial
    service_number: ServiceNumber


class WindowKey(Part, frozen=True, kw_only=True):
    """What names a window."""

    window: Name


class InvitationRequest(Part, frozen=True, kw_only=True):
    """What a window system says to invite: for which service, by whom, for how long."""

    serial: Serial
    service_number: ServiceNumber
    case: CaseFacts | None = None
    staff: Staff | None = None
    timeout_s: Annotated[int, Meta(ge=1, le=600)] | None = None


class PauseRequest(Part, frozen=True, kw_only=True):
    """Why a window closes, as citizens read it: one line that says something."""

    reason: Annotated[str, Meta(min_length=1, max_length=60, pattern=_SAYS_SOMETHING)]


class DeviceKey(Part, frozen=True, kw_only=True):
    """What names a kiosk."""

    device: Device


class PairingCode(Part, frozen=True, kw_only=True):
    """What a clerk reads off the kiosk."""

    code: Code


class Confirmation(Part, frozen=True, kw_only=True):
    """Which kiosk shows the window's name, as the answer to the code said."""

    device: Device


class Move(Part, frozen=True, kw_only=True):
    """Where a kiosk is to serve from now on."""

    to: Name


class NewCertificate(Part, frozen=True, kw_only=True):
    """A kiosk's certificate with its CA's (PEM)."""

    chain: Pem


class InvitationStatus(Status, frozen=True, kw_only=True):
    """A status, when it ends in Beijing time, and whether its kiosk is seen now."""

    deadline: str
    device_online: bool

    @classmethod
    def of(cls, status: Status, presence: Callable[[str], bool]) -> Self:
        """Add to a status what a window system wants to know at the moment."""
        # In UTC first: a naive step through local time would depend on the hub's zone.
        deadline = datetime.fromtimestamp(status.deadline_at / 1000, UTC).astimezone(CHINA)
        return cls(
            **msgspec.structs.asdict(status),
            deadline=deadline.isoformat(timespec="milliseconds"),
            device_online=presence(status.device),
        )


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the hub can do its work, and if not, why, in Chinese."""

    ready: bool
    reasons: tuple[str, ...] = ()


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    alive: bool = True
