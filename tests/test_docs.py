"""The pages say what is so: links, commands, configuration, addresses, generated parts."""

import re
import struct
import tomllib

import click
import msgspec
import pytest
from pages import (
    ENROLMENT,
    KEYPADS,
    OPERATIONS,
    PAGES,
    PROTOCOL,
    READMES,
    ROOT,
    block,
    name_of,
    prose,
    text,
)

from demo.__main__ import main as demo_command
from device import config as kiosk_config
from device.__main__ import main as kiosk_command
from device.session import TABLE
from hub import config as hub_config
from hub.__main__ import main as hub_command
from hub.web import api, counters, feed, ledger
from provisioning.__main__ import main as provision_command
from scripts import refresh_docs

COMMANDS = {
    "demo": demo_command,
    "hub": hub_command,
    "kiosk": kiosk_command,
    "provision": provision_command,
}
A_TEST = re.compile(r"tests/[\w/]+\.py")
# A developer's folders, a package registry, what was left open.
STRAY = re.compile(r"(?<!\w)/(work|tmp|root|home|Users)/|py(pi|thonhosted)\.|TODO|FIXME|PROMISE")

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)
each_readme = pytest.mark.parametrize("page", READMES, ids=name_of)


@each_page
def test_every_internal_link_leads_somewhere(page):
    """What a page links to, or names as a test, is in the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", prose(page))
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [test for test in A_TEST.findall(text(page)) if not (ROOT / test).is_file()]
    assert not missing


@each_page
def test_no_page_speaks_of_the_machine_it_was_written_on(page):
    """No paths of a developer's machine, no hosts of package registries, no open ends."""
    assert not STRAY.findall(text(page))


@each_page
def test_what_a_page_takes_from_the_code_is_fresh(page):
    """Run scripts/refresh_docs.py when this fails."""
    assert refresh_docs.refreshed(text(page)) == text(page)


def test_the_diagram_walks_the_whole_table():
    """The walk that draws the session's diagram meets every pair of the table, and no other."""
    assert set(refresh_docs.edges()) == set(TABLE)


@each_readme
def test_the_pictures_are_there_and_small(page):
    """Pictures of a README are PNGs of 1024x600 in the repository, below 120 kB."""
    pictures = sorted(set(re.findall(r"docs/images/[\w-]+\.png", text(page))))
    assert len(pictures) >= 2
    for picture in pictures:
        data = (ROOT / picture).read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", data[16:24]) == (1024, 600)
        assert len(data) < 120_000


def test_both_readmes_have_the_same_form():
    """Headings, code blocks, tables and links of the two languages stand in the same order."""

    def form(page):
        marks = re.findall(
            r"^(#+ |```\w+$|\|---)|\]\(((?!README)[^)]+)\)", text(page), re.MULTILINE
        )
        return [mark.strip() or link for mark, link in marks]

    assert form(READMES[0]) == form(READMES[1])
    for first_line in ("hub.toml", "kiosk.toml", "curl", "case.json"):
        assert block(READMES[0], first_line) == block(READMES[1], first_line)


def test_every_command_and_option_is_explained():
    """README or a manual names each console script, command and option."""
    pages = "".join(map(text, (READMES[0], OPERATIONS, ENROLMENT, KEYPADS)))
    with (ROOT / "pyproject.toml").open("rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    assert sorted(scripts) == [f"pingyi-{name}" for name in sorted(COMMANDS)]
    wanted = []
    for name, command in COMMANDS.items():
        several = isinstance(command, click.Group)
        each = command.commands.values() if several else [command]
        wanted += [f"pingyi-{name} {one.name}" if several else f"pingyi-{name}" for one in each]
        wanted += [option.opts[0] for one in each for option in one.params]
    assert not [word for word in wanted if word not in pages]


def keys(kind, prefix=""):
    """Every key of a configuration file with the default it has, as the manual writes it."""
    for field in msgspec.structs.fields(kind):
        kinds = (field.type, *getattr(field.type, "__args__", ()))
        nested = [one for one in kinds if isinstance(one, type) and issubclass(one, msgspec.Struct)]
        many = getattr(field.type, "__origin__", None) is tuple
        place = prefix + field.name
        if not nested:
            yield place, None if field.required else field.default
        for part in nested:
            yield from keys(part, place + ("[]." if many else "."))


@pytest.mark.parametrize(
    ("kind", "heading"),
    [(hub_config.HubConfig, "服务器配置"), (kiosk_config.KioskConfig, "评价器配置")],
    ids=["hub", "kiosk"],
)
def test_every_key_of_the_configuration_is_explained(kind, heading):
    """The manual has a row for each key, with its default, and for no other."""
    section = text(OPERATIONS).split(f"\n## {heading}")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+?) \|", section, re.MULTILINE))
    wanted = dict(keys(kind))
    assert set(wanted) == {row for row in rows if row not in ("upstream", "hub", "enrolment")}
    for place, default in wanted.items():
        if isinstance(default, bool | int | float) or (isinstance(default, str) and default):
            assert rows[place] == f"`{str(default).lower()}`", place
        else:
            assert not rows[place].startswith("`"), place


def test_every_address_of_the_interface_is_listed():
    """The protocol page has a row for each method and address, and for no other."""
    rows = re.findall(r"^\| ((?:`[A-Z]+ /[^`]+`(?:, )?)+) \|", text(PROTOCOL), re.MULTILINE)
    listed = {address for row in rows for address in re.findall(r"`([^`]+)`", row)}
    guarded = (*api.API, *counters.API, *feed.API)
    served = {
        f"{method} {'/api/v1' if handler in guarded else ''}{path.replace(':str', '')}"
        for handler in (*guarded, *api.MACHINES, *ledger.PUBLIC)
        for path in handler.paths
        for method in handler.http_methods
    }
    assert listed == served
