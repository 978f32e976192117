"""Whatever is sent as a photograph becomes a small upright JPEG of pixels alone, or is refused."""

import asyncio
import io
import random
import re
import subprocess
import sys
import threading

import pytest
from PIL import Image

from hub.counter import picture
from hub.counter.picture import PictureUnfit, portrait
from protocol.messages import PICTURE_LIMIT

RED, BLUE = (255, 0, 0), (0, 0, 255)
ORIENTATION, CAMERA, GPS = 0x112, 0x10F, 0x8825
NOISE = random.Random(7).randbytes(720 * 960 * 3)


def file(image, form="JPEG", **more):
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def plain(mode="RGB", size=(600, 800), colour=0):
    return Image.new(mode, size, colour)


def opened(data):
    with Image.open(io.BytesIO(data)) as found:
        found.load()
        return found


def near(found, wanted):
    return all(abs(a - b) < 24 for a, b in zip(found, wanted, strict=True))


def halves(size=(800, 600)):
    """Red on the left, blue on the right."""
    image = plain(size=size, colour=BLUE)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    return image


def test_a_photograph_is_cut_to_three_by_four_about_its_middle():
    """Whatever its form; what is beside is left out, nothing is stretched."""
    image = plain(size=(1200, 600), colour=BLUE)
    image.paste(RED, (375, 0, 825, 600))
    made = opened(portrait(file(image)))
    assert (made.size, made.mode, made.format) == (picture.SIZE, "RGB", "JPEG")
    assert all(near(made.getpixel((x, y)), RED) for x in (8, 180, 351) for y in (8, 470))
    tall = plain(size=(600, 3000), colour=BLUE)
    tall.paste(RED, (0, 1100, 600, 1900))
    made = opened(portrait(file(tall, "PNG")))
    assert all(near(made.getpixel((180, y)), RED) for y in (4, 240, 475))


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_camera_s_turning_is_made_good(turned):
    """As the eight orientations of EXIF say (table of tag 0x0112): red at the top, blue below."""
    upright = plain(size=(600, 800), colour=BLUE)
    upright.paste(RED, (0, 0, 600, 400))
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    stored = upright.transpose(back[turned]) if turned > 1 else upright
    made = opened(portrait(file(stored, exif=exif)))
    assert near(made.getpixel((180, 20)), RED)
    assert near(made.getpixel((180, 460)), BLUE)


def test_no_word_of_the_file_goes_along():
    """Neither place nor camera, comment, colour profile or thumbnail: pixels alone."""
    exif = Image.Exif()
    exif[CAMERA] = "secret-camera"
    exif[GPS] = {1: "N", 2: (39.0, 0.0, 0.0)}
    data = file(
        halves(),
        exif=exif,
        comment=b"secret-comment",
        icc_profile=b"secret-profile",
        dpi=(300, 300),
    )
    assert data.count(b"secret") == 3
    made = portrait(data)
    assert b"secret" not in made
    assert b"Exif" not in made
    # Application segments but JFIF's own (APP1 … APP15) and comments.
    assert not re.search(rb"\xff[\xe1-\xef\xfe]", made[:600])
    text = file(halves(), "PNG", pnginfo=_texts("secret-text"))
    assert b"secret" in text
    assert b"secret" not in portrait(text)


def _texts(said):
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

    found = PngInfo()
    found.add_text("Comment", said)
    return found


@pytest.mark.parametrize(
    ("image", "form", "wanted"),
    [
        (plain("CMYK", colour=(0, 255, 255, 0)), "JPEG", RED),
        (plain("L", colour=90), "JPEG", (90, 90, 90)),
        (plain("1", colour=1), "PNG", (255, 255, 255)),
        (plain("I;16", colour=40_000), "PNG", (156, 156, 156)),
        (plain("LA", colour=(0, 0)), "PNG", (255, 255, 255)),
        (plain("RGBA", colour=(0, 0, 0, 0)), "PNG", (255, 255, 255)),
        (plain("RGBA", colour=(255, 0, 0, 255)), "PNG", RED),
        (plain("RGB", colour=RED).quantize(4), "PNG", RED),
    ],
    ids=lambda each: each.mode if isinstance(each, Image.Image) else None,
)
def test_every_kind_of_colour_becomes_what_it_looks_like(image, form, wanted):
    """Print colours, grey of 8 and 16 bits, palettes; what is transparent is paper."""
    assert near(opened(portrait(file(image, form))).getpixel((100, 100)), wanted)


def test_a_telephone_s_several_pictures_in_one_are_its_first():
    """MPO, as telephones write it for depth: no animation."""
    assert opened(portrait(file(halves(), "MPO", save_all=True, append_images=[plain()]))).size


def test_it_always_fits_into_a_message():
    """Noise is the worst that there is to a JPEG."""
    made = portrait(file(Image.frombytes("RGB", (720, 960), NOISE), quality=100))
    assert 10_000 < len(made) <= PICTURE_LIMIT


def test_what_does_not_fit_even_so_is_refused(monkeypatch):
    """Nothing over the limit is ever returned."""
    monkeypatch.setattr(picture, "PICTURE_LIMIT", 5_000)
    with pytest.raises(PictureUnfit, match="细碎"):
        portrait(file(Image.frombytes("RGB", (720, 960), NOISE)))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "先选择文件"),
        (b"no picture at all", "打不开"),
        (b"\xff\xd8\xff\xe0" + bytes(2_000), "打不开"),
        (b"\x89PNG\r\n\x1a\n" + bytes(2_000), "打不开"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "打不开"),
        (file(plain(), "GIF"), "打不开"),
        (file(plain(), "TIFF"), "打不开"),
        (file(plain(), "WEBP"), "打不开"),
        (file(plain(), "ICO"), "打不开"),
        (file(halves())[:3_000], "打不开"),
        (file(halves(), "PNG")[:1_000], "打不开"),
        (file(plain(), "PNG", save_all=True, append_images=[plain(colour=RED)]), "动图"),
        (file(plain(size=(179, 800))), "太小"),
        (file(plain(size=(800, 239))), "太小"),
        (file(plain("1", (6_400, 6_400)), "PNG"), "4000 万像素"),
        (file(plain("1", (10_000, 10_000)), "PNG"), "4000 万像素"),
        (file(plain("1", (30_000, 30_000)), "PNG"), "4000 万像素"),
        (file(plain("L", (9_000, 9_000))), "4000 万像素"),
        (bytes(picture.UPLOAD_LIMIT + 1), "超过 20 MB"),
        (file(plain()) + b"\xff\xda" * 65, "不是正常的照片"),
    ],
)
def test_what_is_no_photograph_is_refused(data, said):
    """Other forms, halves, bombs of pixels or scans: in words that say what to do."""
    with pytest.raises(PictureUnfit, match=said) as caught:
        portrait(data)
    assert re.search("请", str(caught.value))


def test_the_smallest_that_is_taken():
    """180 by 240, and every pixel of it used."""
    assert opened(portrait(file(plain(size=(180, 240), colour=RED)))).size == picture.SIZE


def test_a_spoiled_photograph_never_raises_anything_else():
    """Bytes changed at random, or cut: a portrait or a refusal, whatever a decoder raises."""
    rng = random.Random(11)
    small = Image.frombytes("RGB", (240, 320), NOISE[: 240 * 320 * 3])
    outcomes = set()
    for form in ("JPEG", "PNG"):
        whole = file(small, form)
        for _ in range(120):
            spoiled = bytearray(
                whole[: rng.randint(1, len(whole))] if rng.random() < 0.2 else whole
            )
            for _ in range(rng.randint(1, 6)):
                spoiled[rng.randrange(min(len(spoiled), 900))] = rng.randrange(256)
            try:
                made = portrait(bytes(spoiled))
            except PictureUnfit:
                outcomes.add("refused")
            else:
                assert opened(made).size == picture.SIZE
                outcomes.add("made")
    assert outcomes == {"made", "refused"}


def test_portraits_are_made_one_at_a_time(monkeypatch):
    """However many come at once: nothing is read before its turn, and a bad one stops nobody."""
    lock, at_once = threading.Lock(), []

    def counted(data):
        assert lock.acquire(blocking=False)
        try:
            return portrait(data)
        finally:
            lock.release()

    async def give(data):
        assert not lock.locked()
        at_once.append(data)
        return data

    async def all_at_once():
        studio = picture.Studio()
        given = [file(halves()), b"no picture", file(halves(), "PNG")] * 3
        work = (studio.portrait(lambda data=data: give(data)) for data in given)
        return await asyncio.gather(*work, return_exceptions=True)

    monkeypatch.setattr(picture, "portrait", counted)
    found = asyncio.run(all_at_once())
    assert len(at_once) == len(found) == 9
    kinds = [type(each) for each in found]
    assert kinds == [bytes, PictureUnfit, bytes] * 3


def test_the_largest_photograph_takes_bounded_memory():
    """40 million pixels with transparency, the dearest there is: below half a gigabyte."""
    told = subprocess.run(
        [sys.executable, "-c", _LARGEST], check=True, capture_output=True, text=True, timeout=60
    )
    assert int(told.stdout) < 500_000


_LARGEST = """
import io, re, struct, zlib
from pathlib import Path
from hub.counter.picture import portrait

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

packer, rows = zlib.compressobj(1), []
for _ in range(8000):
    rows.append(packer.compress(bytes(1 + 5000 * 4)))
rows.append(packer.flush())
header = chunk(b"IHDR", struct.pack(">IIBBBBB", 5000, 8000, 8, 6, 0, 0, 0))
portrait(b"\\x89PNG\\r\\n\\x1a\\n" + header + chunk(b"IDAT", b"".join(rows)) + chunk(b"IEND", b""))
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
