"""The typefaces: the Simplified Chinese ones, taken out once."""

import threading

import pytest
from fontTools.ttLib import TTFont

from device.ui.fonts import FAMILY, FontMissing, simplified_chinese


def test_the_faces_are_simplified_chinese(tmp_path):
    """Both files hold the Simplified Chinese face, and rare signs that names contain."""
    for path, weight in zip(simplified_chinese(tmp_path), ("Regular", "Bold"), strict=True):
        with TTFont(path, lazy=True) as font:
            assert font["name"].getDebugName(1) == FAMILY
            assert weight in path.name
            assert {ord(sign) for sign in "𠮷㛃䶮评价"} <= font.getBestCmap().keys()


def test_they_are_made_once(tmp_path):
    """A second start finds them, and leaves nothing else behind."""
    first = simplified_chinese(tmp_path)
    times = [path.stat().st_mtime_ns for path in first]
    assert simplified_chinese(tmp_path) == first
    assert [path.stat().st_mtime_ns for path in first] == times
    assert sorted(tmp_path.iterdir()) == sorted(first)


def test_two_may_start_at_once(tmp_path):
    """Concurrent starts end with two whole files and no drafts."""
    threads = [threading.Thread(target=simplified_chinese, args=(tmp_path,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = sorted(tmp_path.iterdir())
    assert made == sorted(simplified_chinese(tmp_path))
    for path in made:
        with TTFont(path, lazy=True) as font:
            assert font["name"].getDebugName(1) == FAMILY


def test_a_missing_font_says_what_to_install(tmp_path):
    """Without the Debian package the error names it."""
    with pytest.raises(FontMissing, match="apt install fonts-noto-cjk"):
        simplified_chinese(tmp_path / "cache", source=tmp_path / "nowhere")


def test_a_damaged_font_says_what_to_install(tmp_path):
    """A broken collection is named, and leaves no file that a later start would trust."""
    source, cache = tmp_path / "source", tmp_path / "cache"
    source.mkdir()
    for weight in ("Regular", "Bold"):
        (source / f"NotoSansCJK-{weight}.ttc").write_bytes(b"ttcf\0\1\0\0\0\0\0\1\0\0\0\20junk")
    with pytest.raises(FontMissing, match="fonts-noto-cjk"):
        simplified_chinese(cache, source=source)
    assert list(cache.iterdir()) == []
