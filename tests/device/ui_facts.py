"""What is measured of the real window: used by the programs that run one for a test."""

import struct
import zlib
from collections import Counter

LINEAR = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in range(256)]


def grey(path):
    """Return a picture that the kiosk saved as rows of brightness, for a decoder of codes."""
    data = path.read_bytes()
    wide, high = struct.unpack(">II", data[16:24])
    body, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            body += data[at + 8 : at + 8 + length]
        at += 12 + length
    rows, step = zlib.decompress(body), 3 * wide + 1
    green = b"".join(rows[row * step + 2 : (row + 1) * step : 3] for row in range(high))
    return memoryview(green).cast("B", (high, wide))


def a_png(wide, high, colour):
    """A picture of one colour."""
    row = b"\0" + bytes(colour) * wide
    return _png(wide, high, zlib.compress(row * high, 9))


def a_lying_png():
    """A small file whose head promises 900 million pixels."""
    return _png(30_000, 30_000, zlib.compress(b"\0" * 1000))


def _png(wide, high, data):
    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def of(app, name, path):
    """Save a picture and return what is wrong and right with it."""
    from device.ui.app import png  # noqa: PLC0415 - a window opens with it

    wide, high, rows = app.pixels()
    path.write_bytes(png(wide, high, rows))
    screen = app.screen
    texts = screen.texts()
    return {
        "name": name,
        "png": str(path),
        "size": [wide, high],
        "colours": len({rows[at : at + 3] for at in range(0, len(rows), 3 * 97)}),
        "spilt": [
            list(text.lines)
            for text in texts
            if text.texture_size[0] > text.width + 1 or text.texture_size[1] > text.height + 1
        ],
        "outside": [
            list(text.lines) for text in texts if not inside(area(text), (0, 0, wide, high))
        ],
        "overlaps": overlaps(screen),
        "crossed": crossed(texts),
        "texts": lines(screen),
        "straddling": straddling(screen),
        "cut_lines": cut_lines(screen.find("comment")),
        "cut_hint": cut_hint(screen.find("comment")),
        "keys": sorted(screen._sheet.keys),
        "key_sizes": {
            key: [round(button.width), round(button.height)]
            for key, button in screen._sheet.keys.items()
        },
        "reaches": {
            key: list(button.reach)
            for key, button in screen._sheet.keys.items()
            if hasattr(button, "reach")
        },
        "millimetre": screen.panel.millimetre(wide, high),
        "pairs": sorted(pairs(screen)),
        "boxes": boxes(screen),
        "luminance": luminance(rows) if name.startswith(("thanks", "ending")) else None,
    }


def pairs(screen):
    """Every colour that is read, with that of the card, button or ground under it."""
    found = set()
    under = []
    for widget in screen._sheet.walk(restrict=True):
        if hasattr(widget, "colour"):
            left, bottom, right, top = area(widget)
            middle = (left + right) / 2, (bottom + top) / 2
            grounds = [fill for fill, place in under if holds(place, middle)]
            found.add((str(widget.colour), str(grounds[-1] if grounds else screen.ground)))
        elif hasattr(widget, "fill"):
            under.append((widget.fill, area(widget)))
    return found


def holds(place, point):
    return place[0] <= point[0] <= place[2] and place[1] <= point[1] <= place[3]


def boxes(screen):
    """Where cards and buttons stand, and in which colours: what is seen from far away."""
    return sorted(
        [str(widget.fill), *map(round, area(widget))]
        for widget in screen._sheet.walk(restrict=True)
        if hasattr(widget, "fill")
    )


def luminance(rows):
    """The mean relative luminance of a picture, 0 to 1 (WCAG 2.2)."""
    weights = (0.2126, 0.7152, 0.0722)
    total = 0.0
    for channel, weight in enumerate(weights):
        counts = Counter(rows[channel::3])
        linear = sum(LINEAR[value] * count for value, count in counts.items())
        total += weight * linear / (len(rows) // 3)
    return total


def lines(screen):
    return ["".join(text.lines) for text in screen.texts()]


def cut_lines(field):
    """Heights of the lines of the citizen's own words that are not seen whole."""
    if field is None or not field.text:
        return []
    drawn = [each for each in field.canvas.children if each in field._lines_rects]
    assert drawn
    return [each.size[1] for each in drawn if each.size[1] != field.line_height]


def cut_hint(field):
    """What the field says while it is empty, if it has not room for all of it."""
    if field is None or field.text:
        return []
    room = field.height - field.padding[1] - field.padding[3]
    said = list(field._hint_text_lines)
    assert "".join(said)
    return said if len(said) * field._step > room + field.line_spacing + 1 else []


def area(widget):
    """Left, bottom, right and top of what is seen of a widget."""
    (left, bottom), (wide, high) = (
        (widget.texture_pos, widget.texture_size)
        if hasattr(widget, "texture_pos")
        else (widget.pos, widget.size)
    )
    return left, bottom, left + wide, bottom + high


def inside(one, other):
    return one[0] >= other[0] and one[1] >= other[1] and one[2] <= other[2] and one[3] <= other[3]


def overlaps(screen):
    """Pairs of buttons, or of texts and a button they are not written on, that collide."""
    buttons = list(screen._sheet.keys.values())
    loose = [text for text in screen.texts() if text.parent not in buttons]
    return [
        [named(one), named(other)]
        for number, one in enumerate(buttons)
        for other in [*buttons[number + 1 :], *loose]
        if collide(area(one), area(other))
    ]


def straddling(screen):
    """Texts that stand partly on a card and partly beside it."""
    cards = [area(card) for card in screen._sheet.walk() if type(card).__name__ == "Card"]
    return [
        "".join(text.lines)
        for text in screen.texts()
        for card in cards
        if collide(area(text), card) and not inside(area(text), card)
    ]


def faults(fact):
    """What is wrong with a picture: never anything."""
    kinds = ("spilt", "outside", "overlaps", "crossed", "straddling", "cut_lines", "cut_hint")
    return {kind: fact[kind] for kind in kinds if fact[kind]}


def crossed(texts):
    """Pairs of texts that lie on each other; the room above and below their signs may."""
    return [
        ["".join(one.lines), "".join(other.lines)]
        for number, one in enumerate(texts)
        for other in texts[number + 1 :]
        if collide(area(one), area(other), room=4)
    ]


def collide(one, other, room=0):
    beside = one[0] >= other[2] or other[0] >= one[2]
    above = one[1] + room >= other[3] - room or other[1] + room >= one[3] - room
    return not beside and not above


def named(widget):
    return getattr(widget, "key", "") or "".join(widget.lines)
