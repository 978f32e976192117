"""The form of a model file (TOML): every key, its unit and what holds without it."""

from typing import Annotated, Literal

from msgspec import Meta, field

from device.keypad import checksums
from protocol.messages import Part

Level = Annotated[int, Meta(ge=1, le=5)]
Line = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+\Z")]


class LineSheet(Part, frozen=True, kw_only=True):
    """How the serial line is set: baud, data bits, parity, stop bits."""

    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200]
    bits: Literal[7, 8]
    parity: Literal["none", "even", "odd"]
    stop: Literal[1, 2]


class FrameSheet(Part, frozen=True, kw_only=True):
    """What a pad sends for a key.

    `gap_ms`: a longer silence inside of a frame makes it a half one. `quiet_ms`: the line has to
    be silent so long before and after a frame; 0 = it need not be.
    """

    pattern: Annotated[str, Meta(min_length=1, max_length=600)]
    checksum: checksums.Kind
    gap_ms: Annotated[int, Meta(ge=5, le=1000)] = 100
    quiet_ms: Annotated[int, Meta(ge=0, le=1000)] = 0


class IndicatorSheet(Part, frozen=True, kw_only=True):
    """The bytes (hexadecimal) that set a pad's lamps; empty = the pad has no such command.

    One command for each state and none for each level: whoever watches the pad learns nothing.
    """

    idle: str = ""
    invited: str = ""
    accepted: str = ""


class Sheet(Part, frozen=True, kw_only=True):
    """A whole model file.

    `protocol`: "pattern", described here under `frame`, or "open", our own frame. `levels` says
    which levels the pad has, and must agree with `keys` (code to level); `ignored` names the
    codes that are known and are no rating. `repeat_ms`: the same key again within that time is
    the same press. `alive_ms`: the pad says something at least so often; 0 = it need not.
    """

    name: Line
    protocol: Literal["pattern", "open"]
    levels: Annotated[tuple[Level, ...], Meta(min_length=2, max_length=5)]
    line: LineSheet
    frame: FrameSheet | None = None
    keys: Annotated[dict[str, Level], Meta(min_length=2, max_length=64)]
    ignored: Annotated[dict[str, Line], Meta(max_length=64)] = field(default_factory=dict)
    indicators: IndicatorSheet = IndicatorSheet()
    repeat_ms: Annotated[int, Meta(ge=50, le=5000)] = 150
    alive_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
