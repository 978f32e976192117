"""How the kiosk looks, as data: colours and sizes. Lengths are design units.

A design unit is a pixel on a 1280 x 800 (or 800 x 1280) screen; other screens scale.
Every pair of a text and its ground in `READ` has a contrast of 7:1 or more (WCAG 2 AAA).
"""

Colour = tuple[float, float, float, float]


def colour(code: str) -> Colour:
    """Return "#rrggbb" as red, green, blue and opacity, each 0 to 1."""
    red, green, blue = (int(code[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue, 1.0


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""

    def luminance(of: Colour) -> float:
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in of[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


PAPER = colour("#F6F3EC")
WHITE = colour("#FFFFFF")
INK = colour("#1B2430")
QUIET = colour("#454E5B")
EDGE = colour("#D8D1C2")
SHADE = colour("#E6E0D2")
TEAL = colour("#1B5763")
TEAL_DEEP = colour("#154650")
TEAL_SOFT = colour("#1E5C68")
MIST = colour("#DCE6E6")
MIST_TEAL = colour("#F4F8F7")
STONE = colour("#9DB0B6")
AMBER = colour("#F0C36A")
RUST = colour("#B4561B")
SUNK = colour("#EFEBE1")

FACES = {
    5: colour("#7CC6A4"),
    4: colour("#A8D5A2"),
    3: colour("#EAD48A"),
    2: colour("#EDB07A"),
    1: colour("#E58F84"),
}

READ = (
    (INK, PAPER),
    (INK, WHITE),
    (INK, SHADE),
    (INK, SUNK),
    (INK, AMBER),
    (QUIET, PAPER),
    (QUIET, WHITE),
    (TEAL, WHITE),
    (WHITE, TEAL),
    (WHITE, TEAL_SOFT),
    (WHITE, TEAL_DEEP),
    (MIST_TEAL, TEAL),
    (MIST_TEAL, TEAL_SOFT),
)

# The only sizes there are: each costs Kivy memory for good. Tuples step down until it fits.
LABEL = 22
TEXT = 27
WORD = 32
HEAD = 38
BIG = 52
SIZES = (150, 112, 80, 64, BIG, HEAD, WORD, TEXT, LABEL)


def down(size: int, to: int = LABEL) -> tuple[int, ...]:
    """Return the sizes from `size` down to `to`, for a text that must fit its box."""
    return tuple(step for step in SIZES if to <= step <= size)


RADIUS = 22
GAP = 18
MARGIN = 40
SINK = 4
FADE_S = 0.12
