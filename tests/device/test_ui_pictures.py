"""Pictures before they are drawn: their size by their head, cut to a shape, and halved."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.ui.pictures import NotShown, Pixels, crop, halve, promised
from tests.device.ui_facts import a_lying_png, a_png


@st.composite
def pictures(draw):
    wide, high = draw(st.integers(2, 9)), draw(st.integers(2, 9))
    form = draw(st.sampled_from(["rgb", "rgba"]))
    many = wide * high * len(form)
    return Pixels(wide, high, form, draw(st.binary(min_size=many, max_size=many)))


@given(pictures())
def test_half_a_picture_is_the_mean_of_each_four(whole):
    """Each channel for itself; the row and column that are left over stay away."""
    half, depth = halve(whole), len(whole.form)
    assert (half.width, half.height) == (whole.width // 2, whole.height // 2)
    assert len(half.data) == half.width * half.height * depth
    for at, value in enumerate(half.data):
        pixel, channel = divmod(at, depth)
        y, x = divmod(pixel, half.width)
        four = [
            whole.data[((2 * y + down) * whole.width + 2 * x + right) * depth + channel]
            for down in (0, 1)
            for right in (0, 1)
        ]
        assert 0 <= sum(four) / 4 - value <= 1  # rounded down, twice


@given(pictures(), st.integers(0, 5))
def test_a_part_is_cut_out_whole_rows_and_all(whole, gap):
    """Rows may lie further apart than they are long; the part has the shape, as far as it can."""
    depth = len(whole.form)
    row = whole.width * depth
    rows = [whole.data[at : at + row] for at in range(0, len(whole.data), row)]
    apart = whole._replace(data=bytes(gap).join(rows))
    part = crop(apart, row + gap, 3 / 4)
    assert len(part.data) == part.width * part.height * depth
    assert part.width == whole.width or part.height == whole.height
    assert abs(part.width - 0.75 * part.height) <= 1
    left = (whole.width - part.width) // 2 * depth
    first = (whole.height - part.height) // 4
    assert part.data[: part.width * depth] == rows[first][left : left + part.width * depth]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "neither"),
        (b"<html>", "neither"),
        (b"\x89PNG\r\n\x1a\n", "neither"),
        (b"\xff\xd8" + b"\xff" * 5000, "neither"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 900, "neither"),
        (a_png(1, 1, (0, 0, 0)).replace(b"IHDR" + bytes(3) + b"\x01", b"IHDR" + bytes(4)), "0 x 1"),
        (a_lying_png(), "30000 x 30000"),
    ],
)
def test_what_promises_too_much_or_nothing_is_refused(data, cause):
    """From the head alone, whatever stands there."""
    with pytest.raises(NotShown, match=cause):
        promised(BytesIO(data))
