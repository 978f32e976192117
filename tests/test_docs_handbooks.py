"""The Chinese handbooks can be typed as they stand: one way to call the programs, told once."""

import re
import tomllib

import pytest
from pages import OPERATIONS, PAGES, ROOT, name_of, text

HANDBOOKS = [
    page for page in PAGES if page.name.endswith(".zh-CN.md") and page.name != "README.zh-CN.md"
] + [ROOT / "udev" / "README.zh-CN.md"]
_SHELL = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
AS_PINGYI = "sudo -u pingyi "


def commands(page):
    """Each line of a shell block that calls one of our programs."""
    lines = "\n".join(_SHELL.findall(text(page))).splitlines()
    ours = [line.strip() for line in lines if re.search(r"(?<![\w.-])pingyi-\w+ [a-z-]", line)]
    return [line for line in ours if not re.match(r"(sudo )?(systemctl|journalctl|install) ", line)]


@pytest.mark.parametrize("page", HANDBOOKS, ids=name_of)
def test_programs_are_called_by_name_and_as_the_user_who_owns_the_data(page):
    """No path of a virtual environment; the auditor's own computer and the desk need no user."""
    linked = "/opt/pingyi/.venv/bin/pingyi-* /usr/local/bin/"
    assert ".venv/bin" not in text(page).replace(linked, "")
    for line in commands(page):
        if line.startswith("pingyi-provision ") or "verify --export" in line:
            continue
        assert line.startswith(AS_PINGYI), line


def test_the_installation_puts_every_program_where_the_handbooks_expect_it():
    """By links in a folder that `sudo` searches too (secure_path of Debian)."""
    section = text(OPERATIONS).split("\n## 安装")[1].split("\n## ")[0]
    assert "sudo ln -sf /opt/pingyi/.venv/bin/pingyi-* /usr/local/bin/" in section
    with (ROOT / "pyproject.toml").open("rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    assert all(name.startswith("pingyi-") for name in scripts)


def test_no_handbook_names_a_user_that_the_installation_does_not_make():
    """The units run as `pingyi`; it is made by the file for systemd-sysusers alone."""
    made = (ROOT / "udev" / "units" / "pingyi.sysusers.conf").read_text(encoding="utf-8")
    assert re.search(r"^u pingyi ", made, re.MULTILINE)
    for page in HANDBOOKS:
        assert "useradd" not in text(page), page.name
        users = re.findall(r"usermod -aG \S+ ([a-z]+)", text(page))
        assert set(users) <= {"pingyi"}, page.name
