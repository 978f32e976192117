"""How the kiosk looks, as data: colours by role for day and evening, sizes, spacing, motion.

Lengths are design units: a design unit is a pixel on a 1280 x 800 (or 800 x 1280) screen; other
screens scale. Every text has a contrast of 7:1 or more to its ground (WCAG 2 AAA), by day and
in the evening; a test measures it of every pair that is drawn.
"""

from enum import StrEnum

Colour = tuple[float, float, float, float]


def colour(code: str) -> Colour:
    """Return "#rrggbb" as red, green, blue and opacity, each 0 to 1."""
    red, green, blue = (int(code[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue, 1.0


def luminance(of: Colour) -> float:
    """Return the relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in of[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


class Role(StrEnum):
    """What a colour is for; which one it is, the palette says."""

    PAPER = "paper"
    CARD = "card"
    INK = "ink"
    QUIET = "quiet"
    EDGE = "edge"
    SHADE = "shade"
    SUNK = "sunk"
    STONE = "stone"
    PILL = "pill"
    ACTION = "action"
    ACTION_DEEP = "action_deep"
    ACTION_INK = "action_ink"
    TEAL = "teal"
    TEAL_DEEP = "teal_deep"
    TEAL_SOFT = "teal_soft"
    LIGHT = "light"
    MIST_TEAL = "mist_teal"
    MIST = "mist"
    TICK = "tick"
    AMBER = "amber"
    RUST = "rust"
    UP = "up"
    FACE_INK = "face_ink"
    FACE_5 = "face_5"
    FACE_4 = "face_4"
    FACE_3 = "face_3"
    FACE_2 = "face_2"
    FACE_1 = "face_1"
    PICTURE = "picture"
    CODE_LIGHT = "code_light"
    CODE_DARK = "code_dark"


FACES = {
    5: Role.FACE_5,
    4: Role.FACE_4,
    3: Role.FACE_3,
    2: Role.FACE_2,
    1: Role.FACE_1,
}

Palette = dict[Role, Colour]

_DAY = {
    "paper": "#F6F3EC",
    "card": "#FFFFFF",
    "ink": "#1B2430",
    "quiet": "#454E5B",
    "edge": "#D8D1C2",
    "shade": "#E6E0D2",
    "sunk": "#EFEBE1",
    "stone": "#9DB0B6",
    "pill": "#E6E0D2",
    "action": "#1B5763",
    "action_deep": "#154650",
    "action_ink": "#FFFFFF",
    "teal": "#1B5763",
    "teal_deep": "#154650",
    "teal_soft": "#1E5C68",
    "light": "#FFFFFF",
    "mist_teal": "#F4F8F7",
    "mist": "#DCE6E6",
    "tick": "#1B5763",
    "amber": "#F0C36A",
    "rust": "#B4561B",
    "up": "#8FD3B0",
    "face_ink": "#1B2430",
    "face_5": "#7CC6A4",
    "face_4": "#A8D5A2",
    "face_3": "#EAD48A",
    "face_2": "#EDB07A",
    "face_1": "#E58F84",
    "picture": "#FFFFFF",
    "code_light": "#FFFFFF",
    "code_dark": "#1B2430",
}
# A hall at dusk. The paper is dimmed to half, not turned black: on a black ground the text itself
# would be the light, and its amount could tell one level's reasons from another's across the room.
_EVENING = _DAY | {
    "paper": "#B4AFA3",
    "card": "#C6C2B8",
    "ink": "#12161C",
    "quiet": "#1E2228",
    "edge": "#9A9587",
    "shade": "#9E998C",
    "sunk": "#BAB6AB",
    "stone": "#66787F",
    "pill": "#ABA699",
    "action": "#0F3D47",
    "action_deep": "#0A2C33",
    "action_ink": "#EDE9E0",
    "teal": "#10323A",
    "teal_deep": "#0A242A",
    "teal_soft": "#123740",
    "light": "#EDE9E0",
    "mist_teal": "#D8E0DF",
    "mist": "#A5B5B6",
    "tick": "#0F3D47",
    "amber": "#D9AE5C",
    "rust": "#8A3A0C",
    "face_ink": "#12161C",
    "face_5": "#5FA184",
    "face_4": "#8BB386",
    "face_3": "#C9B36C",
    "face_2": "#CB8F58",
    "face_1": "#C2746A",
    "picture": "#C4C4C4",
    "code_light": "#DDD9CF",
    "code_dark": "#12161C",
}


def _palette(codes: dict[str, str]) -> Palette:
    return {role: colour(codes[role]) for role in Role}


DAY = _palette(_DAY)
EVENING = _palette(_EVENING)

# The only sizes there are: each costs Kivy memory for good. Tuples step down until it fits.
SMALL = 18
LABEL = 22
TEXT = 27
WORD = 32
HEAD = 38
BIG = 52
HUGE = 64
CODE = 180
SIZES = (CODE, 150, 112, 80, HUGE, BIG, HEAD, WORD, TEXT, LABEL, SMALL)


def down(size: int, to: int = LABEL) -> tuple[int, ...]:
    """Return the sizes from `size` down to `to`, for a text that must fit its box."""
    return tuple(step for step in SIZES if to <= step <= size)


def up(size: int) -> int:
    """Return the next larger size, which 长者模式 takes."""
    return SIZES[max(0, SIZES.index(size) - 1)]


RADIUS = 22
CARD_RADIUS = 28
GAP = 18
MARGIN = 40
SINK = 4
FADE_S = 0.12
TURN_MS = 12_000
"""How long an announcement or a picture stands on the screen at rest."""

TARGET_MM = 20
"""What a finger can press is at least so wide and high."""
