"""The five faces, drawn: a disc, two eyes and a mouth, and for the worst level brows."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import atan2, cos, pi, sin

from kivy.graphics import Mesh, SmoothEllipse, SmoothLine

from device.ui.theme import FACES, Role

Point = tuple[float, float]

Paint = Callable[[Role], object]
"""Takes up a colour on the open canvas, for all that is drawn after it."""


def face(paint: Paint, level: int, centre: Point, radius: float) -> None:
    """Add the face of `level` (5..1) to the open canvas; lengths in pixels."""
    x, y = centre
    paint(FACES[level])
    _disc(centre, radius)
    paint(Role.FACE_INK)
    eye = 0.115 * radius
    for side in (-1, 1):
        _disc((x + side * 0.34 * radius, y + 0.17 * radius), eye)
    width = 0.1 * radius
    if level == 5:
        _laugh((x, y - 0.14 * radius), 0.44 * radius)
    elif level == 4:
        _stroke(_arc((x, y + 0.10 * radius), 0.52 * radius, (205, 335)), width)
    elif level == 3:
        _stroke([(x - 0.4 * radius, y - 0.3 * radius), (x + 0.4 * radius, y - 0.3 * radius)], width)
    else:
        _stroke(_arc((x, y - 0.74 * radius), 0.5 * radius, (35, 145)), width)
    if level == 1:
        for side in (-1, 1):
            outer = (x + side * 0.52 * radius, y + 0.46 * radius)
            _stroke([outer, (x + side * 0.2 * radius, y + 0.34 * radius)], width)


def tick(paint: Paint, centre: Point, radius: float) -> None:
    """Add the neutral tick, the same for every level, to the open canvas."""
    x, y = centre
    paint(Role.MIST)
    _disc(centre, radius)
    paint(Role.TICK)
    joints = [(-0.42, -0.02), (-0.12, -0.32), (0.44, 0.32)]
    _stroke([(x + a * radius, y + b * radius) for a, b in joints], 0.17 * radius)


def dash(paint: Paint, centre: Point, radius: float) -> None:
    """Add the neutral dash of an ending without a rating; it weighs as much as the tick."""
    x, y = centre
    paint(Role.MIST)
    _disc(centre, radius)
    paint(Role.TICK)
    _stroke([(x - 0.42 * radius, y), (x + 0.42 * radius, y)], 0.2 * radius)


def line_up(paint: Paint, centre: Point, radius: float) -> None:
    """Add the quiet dot that says that the hub is there."""
    paint(Role.UP)
    _disc(centre, radius)


def warning(paint: Paint, centre: Point, radius: float) -> None:
    """Add a calm exclamation mark in a disc to the open canvas."""
    x, y = centre
    paint(Role.AMBER)
    _disc(centre, radius)
    paint(Role.FACE_INK)
    _stroke([(x, y + 0.48 * radius), (x, y - 0.08 * radius)], 0.18 * radius)
    _disc((x, y - 0.44 * radius), 0.12 * radius)


def pause(paint: Paint, centre: Point, radius: float) -> None:
    """Add a pause sign to the open canvas."""
    x, y = centre
    paint(Role.TEAL_DEEP)
    _disc(centre, radius)
    paint(Role.LIGHT)
    for side in (-1, 1):
        at = x + side * 0.24 * radius
        _stroke([(at, y + 0.36 * radius), (at, y - 0.36 * radius)], 0.17 * radius)


def dot(paint: Paint, centre: Point, radius: float, *, dark: bool) -> None:
    """Add the dot that stands before a notice on a light or dark ground to the open canvas."""
    paint(Role.AMBER if dark else Role.RUST)
    _disc(centre, radius)


def moon(paint: Paint, centre: Point, radius: float) -> None:
    """Add a large quiet disc of the ground's own colour, a little lighter, to the canvas."""
    paint(Role.TEAL_SOFT)
    SmoothEllipse(
        pos=(centre[0] - radius, centre[1] - radius), size=(2 * radius, 2 * radius), segments=180
    )


def dots(paint: Paint, centre: Point, radius: float) -> None:
    """Add three quiet dots, for waiting, to the open canvas."""
    x, y = centre
    paint(Role.MIST_TEAL)
    for place in (-1, 0, 1):
        _disc((x + place * 3.2 * radius, y), radius)


def bust(paint: Paint, left: float, bottom: float, wide: float, high: float) -> None:
    """Add the head and shoulders that stand for a portrait, within a box, to the canvas."""
    x = left + wide / 2
    paint(Role.STONE)
    _disc((x, bottom + 0.62 * high), 0.235 * wide)
    reach, top = 0.4 * wide, 0.36 * high
    _fill([(x + reach * a, bottom + top * b) for a, b in _arc((0, 0), 1, (0, 180))])


def _disc(centre: Point, radius: float) -> None:
    SmoothEllipse(
        pos=(centre[0] - radius, centre[1] - radius), size=(2 * radius, 2 * radius), segments=64
    )


def _arc(centre: Point, radius: float, degrees: tuple[float, float]) -> list[Point]:
    """Return a part of a circle, from and to degrees counted from the right, leftwards."""
    steps = 32
    start, end = (pi * angle / 180 for angle in degrees)
    angles = [start + (end - start) * n / steps for n in range(steps + 1)]
    return [(centre[0] + radius * cos(a), centre[1] + radius * sin(a)) for a in angles]


def _laugh(centre: Point, half: float) -> None:
    """Draw an open mouth: the lower half of a disc with round corners."""
    x, y = centre
    corner = 0.16 * half
    right = _arc((x + half - corner, y - corner), corner, (0, 90))
    left = _arc((x - half + corner, y - corner), corner, (90, 180))
    lower = _arc((x, y - corner), half, (180, 360))
    _fill([*right, *left, *lower])


def _stroke(points: Sequence[Point], width: float) -> None:
    """Draw a line with round ends; one of few points as straight pieces, joined roundly."""
    if len(points) < 4:
        for start, end in pairwise(points):
            _band([start, end], width / 2)
    else:
        _band(points, width / 2)


def _band(points: Sequence[Point], half: float) -> None:
    """Fill the band that reaches `half` to each side of a smooth curve, and round its ends."""
    half -= 0.6  # the soft edge adds it again
    one: list[Point] = []
    other: list[Point] = []
    for number, (x, y) in enumerate(points):
        before, after = points[max(0, number - 1)], points[min(len(points) - 1, number + 1)]
        angle = atan2(after[1] - before[1], after[0] - before[0]) + pi / 2
        one.append((x + half * cos(angle), y + half * sin(angle)))
        other.append((x - half * cos(angle), y - half * sin(angle)))
    strip = [
        value for pair in zip(one, other, strict=True) for x, y in pair for value in (x, y, 0, 0)
    ]
    Mesh(vertices=strip, indices=list(range(2 * len(points))), mode="triangle_strip")
    first, last = (_cap(points, half, end=end) for end in (False, True))
    for cap in (first, last):
        _mesh(cap)
    _edge([*one, *last, *reversed(other), *first])


def _cap(points: Sequence[Point], half: float, *, end: bool) -> list[Point]:
    (x, y), (to_x, to_y) = (points[-1], points[-2]) if end else (points[0], points[1])
    away = atan2(y - to_y, x - to_x) * 180 / pi
    return _arc((x, y), half, (away + 90, away - 90))


def _fill(edge: Sequence[Point]) -> None:
    """Fill a convex shape."""
    _mesh(edge)
    _edge(edge)


def _mesh(edge: Sequence[Point]) -> None:
    vertices = [value for x, y in edge for value in (x, y, 0, 0)]
    Mesh(vertices=vertices, indices=list(range(len(edge))), mode="triangle_fan")


def _edge(edge: Sequence[Point]) -> None:
    """Smooth an edge, which a mesh leaves jagged, by a soft line a pixel wide."""
    flat = [value for point in (*edge, edge[0]) for value in point]
    SmoothLine(points=flat, width=1, overdraw_width=2.4)
