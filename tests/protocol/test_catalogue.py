"""The national list of levels and reasons ships unaltered, and an alteration is found."""

import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from made_messages import spoiled

from protocol import catalogue
from protocol.errors import CatalogueError

FILE = resources.files("protocol").joinpath("data", f"catalogue-{catalogue.CURRENT}.json")
BYTES = FILE.read_bytes()


def levels():
    return json.loads(BYTES)["levels"]


def altered(change):
    """The shipped file with one change to its content, its checksum left as it was."""
    data = json.loads(BYTES)
    change(data["levels"])
    return json.dumps(data, ensure_ascii=False).encode()


def test_there_are_forty_reasons_eight_for_each_level():
    """Five levels, best first, of eight reasons each (domain table 2)."""
    found = catalogue.load()
    assert [entry.level for entry in found.levels] == [5, 4, 3, 2, 1]
    assert {entry.level: entry.name for entry in found.levels} == catalogue.LEVELS
    assert [len(entry.reasons) for entry in found.levels] == [8] * 5


@pytest.mark.parametrize("level", [5, 4, 3, 2, 1])
def test_three_reasons_are_shown_first(level):
    """The first three of each level are shown at once, the others on request."""
    firsts = [reason.first for reason in catalogue.load().reasons(level)]
    assert firsts == [True] * 3 + [False] * 5


@pytest.mark.parametrize("first", [510, 406, 307, 207, 108])
def test_a_code_begins_with_its_level(first):
    """Codes run on from the first of their level (domain table 2); its first digit is it."""
    codes = [reason.code for reason in catalogue.load().reasons(first // 100)]
    assert codes == [str(code) for code in range(first, first + 8)]
    assert {code[0] for code in codes} == {str(first)[0]}


def test_every_reason_reads_differently():
    """No level holds the same words twice."""
    for entry in catalogue.load().levels:
        assert len({reason.text for reason in entry.reasons}) == 8


@pytest.mark.parametrize("place", [(row, column) for row in range(5) for column in range(8)])
@pytest.mark.parametrize("field", ["code", "text", "first"])
def test_a_change_of_any_reason_is_found(place, field):
    """Neither code nor words nor place on the first page can be changed unseen."""
    row, column = place

    def change(rows):
        reason = rows[row]["reasons"][column]
        reason[field] = not reason[field] if field == "first" else reason[field] + "0"

    with pytest.raises(CatalogueError, match="校验和"):
        catalogue.parse(altered(change))


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.reverse(),
        lambda rows: rows.pop(),
        lambda rows: rows[0]["reasons"].pop(),
        lambda rows: rows[0]["reasons"].reverse(),
        lambda rows: rows[0]["reasons"].append({"code": "518", "text": "自行增加"}),
        lambda rows: rows[4].update(name="非常满意"),
        lambda rows: rows[4].update(level=5),
    ],
)
def test_order_and_number_are_part_of_the_list(change):
    """Adding, dropping and moving entries is found as well."""
    with pytest.raises(CatalogueError, match="校验和"):
        catalogue.parse(altered(change))


def test_layout_is_not_content():
    """Another indentation of the same list is the same list."""
    assert catalogue.parse(json.dumps(json.loads(BYTES)).encode()) == catalogue.load()


@effort(max_examples=100)
@given(spoiled(BYTES) | st.binary(max_size=100))
def test_a_damaged_file_is_refused_or_unchanged_in_content(data):
    """Damage raises `CatalogueError` and nothing else, or touched no reason."""
    try:
        found = catalogue.parse(data)
    except CatalogueError:
        return
    assert found.levels == catalogue.load().levels


@pytest.mark.parametrize("version", ["2020.9", "../data/catalogue-2021.1", "", "2021.1/", "\x00"])
def test_an_unknown_version_is_refused(version):
    """Only a list that ships can be asked for, and never by a path."""
    with pytest.raises(CatalogueError):
        catalogue.load(version)


def test_reasons_belong_to_their_level():
    """A code is known for its own level only, and no level is made up."""
    assert catalogue.load().has(5, ("510", "517"))
    assert not catalogue.load().has(5, ("510", "110"))
    assert not catalogue.load().has(5, ("599",))
    with pytest.raises(CatalogueError):
        catalogue.load().reasons(0)
