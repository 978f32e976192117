"""Renders every screen × size × language × mode from the real Kivy tree, with a page of them.

    python -m tests.device.screens DIRECTORY

Exits with 1, naming the pictures, if anything in one is clipped, covered or off the screen.
"""

import html
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.device import ui_facts, ui_play

GROUPS = (
    ("ui_driver.py", "pictures", "中文，白天"),
    ("ui_driver.py", "english", "English"),
    ("ui_driver.py", "elders", "长者模式，中文与英文"),
    ("ui_driver.py", "evening", "傍晚配色"),
    ("ui_driver.py", "rotation", "大厅的图片"),
    ("ui_portrait.py", "sound", "工作人员照片"),
    ("ui_pairing.py", "pairings", "配对"),
    ("ui_enrolment.py", "pictures", "入网"),
)
STYLE = """
body { font: 16px/1.5 sans-serif; margin: 24px; background: #eee; color: #1b2430 }
section { display: flex; flex-wrap: wrap; gap: 16px }
figure { margin: 0 } figcaption { font-size: 13px }
img { height: 240px; border: 1px solid #999; background: #fff }
.bad figcaption { color: #b00; font-weight: bold }
"""


def render(out: Path, script: str, scenario: str, size: tuple[int, int]) -> list[dict]:
    """Run one program at one size, and return the facts of its pictures."""
    folder = out / f"{size[0]}x{size[1]}-{script.removesuffix('.py')}-{scenario}"
    folder.mkdir(parents=True, exist_ok=True)
    gallery = folder / f"gallery-{size[0]}"
    for left in gallery.glob("*") if gallery.exists() else ():
        left.unlink()
    if gallery.exists():
        gallery.rmdir()
    facts = ui_play.run(script, scenario, size, folder, timeout=300)
    for font in folder.glob("*.otf"):  # 40 MB that no picture needs any more
        font.unlink()
    return [fact for fact in facts if "png" in fact]


def page(out: Path, found: dict[tuple[str, str], list[dict]]) -> list[str]:
    """Write index.html; return the names of the pictures with a fault."""
    bad, parts = [], []
    for (size, title), facts in found.items():
        parts.append(f"<h2>{size} · {html.escape(title)}</h2><section>")
        for fact in facts:
            faults = ui_facts.faults(fact)
            if faults:
                bad.append(f"{size} {fact['name']}: {', '.join(faults)}")
            file = Path(fact["png"]).relative_to(out).as_posix()
            parts.append(
                f'<figure class="{"bad" if faults else ""}"><a href="{file}">'
                f'<img loading="lazy" src="{file}" alt=""></a>'
                f"<figcaption>{html.escape(' '.join([fact['name'], *faults]))}</figcaption>"
                "</figure>"
            )
        parts.append("</section>")
    count = sum(map(len, found.values()))
    head = f"<!doctype html><meta charset=utf-8><title>评价器画面</title><style>{STYLE}</style>"
    text = f"{head}<h1>评价器画面：{count} 幅，{len(bad)} 幅有问题</h1>" + "\n".join(parts)
    (out / "index.html").write_text(text, encoding="utf-8")
    return bad


def main() -> None:
    """Render all of it, as many processes at a time as there are cores."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/screens").resolve()
    out.mkdir(parents=True, exist_ok=True)
    jobs = [
        (script, scenario, title, size)
        for size in ui_play.SIZES
        for script, scenario, title in GROUPS
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        facts = pool.map(lambda job: render(out, job[0], job[1], job[3]), jobs)
        found = {
            (f"{size[0]} × {size[1]}", title): each
            for (_, _, title, size), each in zip(jobs, facts, strict=True)
        }
    bad = page(out, found)
    print(f"{sum(map(len, found.values()))} pictures: {out / 'index.html'}")
    if bad:
        raise SystemExit("\n".join(bad))


if __name__ == "__main__":
    main()
