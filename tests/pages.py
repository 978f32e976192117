"""The pages that this repository is explained by, and how tests read them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (
    ROOT / "README.md",
    ROOT / "README.zh-CN.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "udev").glob("*.md")),
)
READMES = PAGES[:2]
OPERATIONS = ROOT / "docs" / "operations.zh-CN.md"
ENROLMENT = ROOT / "docs" / "enrolment.zh-CN.md"
KEYPADS = ROOT / "docs" / "keypads.zh-CN.md"
PROTOCOL = ROOT / "docs" / "protocol.md"

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def text(page):
    return page.read_text(encoding="utf-8")


def prose(page):
    """A page without its code blocks."""
    return _FENCED.sub("", text(page))


def block(page, first_line):
    """The one code block of a page whose first line is `# first_line`, without that line."""
    found = [each.split("\n", 2) for each in _FENCED.findall(text(page))]
    bodies = [rest[: -len("```")] for _, first, rest in found if first == f"# {first_line}"]
    assert len(bodies) == 1, f"{page.name}: {len(bodies)} blocks named {first_line}"
    return bodies[0]


def name_of(page):
    return page.relative_to(ROOT).as_posix()
