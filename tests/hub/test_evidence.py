"""What is put forward as evidence is opened before it is kept: whole, bounded, in clear words."""

import asyncio
import io
import random
import struct
import threading
import time
import zlib

import pytest
from PIL import Image
from rulings_world import JPEG, PDF, PNG, RulingHall

from hub import evidence
from hub.errors import DocumentUnfit
from hub.evidence import END_REGION, PIXELS_LIMIT, Examiner, examined
from hub.rules.documents import LIMIT

NOISE = random.Random(7).randbytes(400 * 300 * 3)


def file(form, size=(400, 300), **more):
    out = io.BytesIO()
    image = Image.frombytes("RGB", size, NOISE) if size == (400, 300) else Image.new("1", size)
    image.save(out, form, **more)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, lines=b""):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def refused(data):
    with pytest.raises(DocumentUnfit) as error:
        examined(data)
    text = str(error.value)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in text)
    return text


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PDF, "pdf"),
        (JPEG, "jpeg"),
        (PNG, "png"),
        (file("JPEG", progressive=True), "jpeg"),
        (file("JPEG") + b"\0" * 2000, "jpeg"),
        (file("PNG"), "png"),
        (PDF + b"\r\n" + bytes(50_000), "pdf"),
        (PDF + b"%" + b"x" * (END_REGION - 20), "pdf"),
        (file("PNG", (4960, 7016)), "png"),
    ],
)
def test_what_is_whole_is_taken(data, kind):
    """Also what a mail program has filled up, and an A4 page at 600 dpi."""
    assert examined(data) == kind


@pytest.mark.parametrize(
    "data",
    [
        JPEG[:3],
        JPEG[:-40],
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9",
        file("JPEG")[:5000],
        file("PNG")[:5000],
        PNG[:8],
        PNG[:-30],
        png(10, 10),
        file("PNG")[:60] + b"\0\0\0\0" + file("PNG")[64:],
        b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(4000),
        b"\xff\xd8\xff" + random.Random(2).randbytes(4000),
        b"\x89PNG\r\n\x1a\n" + PDF,
    ],
)
def test_a_picture_that_does_not_open_is_refused(data):
    """Cut off, altered, or only its first bytes: nobody could look at it later."""
    assert "打不开" in refused(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "只收 PDF"),
        (b"GIF89a", "只收 PDF"),
        (b" " + PDF, "只收 PDF"),
        (b"%PDF-", "没有结尾"),
        (PDF[:-8], "没有结尾"),
        (PDF + b"x" * END_REGION, "没有结尾"),
        (PDF + bytes(LIMIT), "10 MB"),
        (file("JPEG") + b"\xff\xda" * 65, "不是正常的图片"),
    ],
)
def test_what_is_no_document_is_refused_with_what_to_do(data, says):
    """Kind, end, size, and a picture made to keep a decoder busy."""
    assert says in refused(data)


@pytest.mark.parametrize("size", [(20_000, 20_000), (60_000, 60_000), (1, PIXELS_LIMIT + 1)])
def test_a_small_file_that_unfolds_to_gigabytes_is_refused_at_once(size):
    """By what its head says, before a pixel is decoded."""
    began = time.process_time()
    assert "万像素" in refused(png(*size))
    assert time.process_time() - began < 1


def test_every_cut_of_a_picture_is_refused_or_whole():
    """At no byte does anything but `DocumentUnfit` come of it."""
    for whole in (JPEG, PNG):
        for end in range(len(whole)):
            try:
                examined(whole[:end])
            except DocumentUnfit:
                continue
            with Image.open(io.BytesIO(whole[:end])) as opened:
                opened.load()


def test_the_loop_goes_on_while_a_picture_is_looked_at_and_one_at_a_time(monkeypatch):
    """Two at once would hold twice the memory; nobody else waits for either."""
    inside, most, ticks = 0, 0, 0
    lock = threading.Lock()
    there, go_on = threading.Event(), threading.Event()
    real = evidence.examined

    def slowly(data):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        there.set()
        assert go_on.wait(10)
        kind = real(data)
        with lock:
            inside -= 1
        return kind

    monkeypatch.setattr(evidence, "examined", slowly)

    async def story():
        nonlocal ticks
        examiner = Examiner()
        asked = [asyncio.create_task(examiner.kind(each)) for each in (JPEG, PNG, PDF)]
        await asyncio.to_thread(there.wait, 10)
        for _ in range(100):
            await asyncio.sleep(0)
            ticks += 1
        go_on.set()
        return await asyncio.gather(*asked)

    assert asyncio.run(story()) == ["jpeg", "png", "pdf"]
    assert (most, ticks) == (1, 100)


def test_nothing_of_a_refused_document_is_kept(tmp_path):
    """Neither a row nor an act: it never was put in."""
    with RulingHall(tmp_path) as hall:
        for data in (JPEG[:-40], PNG[:-30], PDF[:-8]):
            with pytest.raises(DocumentUnfit):
                hall.keep(data)
        assert hall.rows("SELECT * FROM documents") == []
        assert hall.acts("keep_document") == []
