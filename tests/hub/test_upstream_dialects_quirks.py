import re

import pytest
from upstream_cities import ACCESS, NAMES, papers, quirks_file, speak
from upstream_world import a_case, a_rating, an_invitation

from hub.rules.records import CITIZEN, FIELDS, PRESSED, rating_record, service_record
from hub.upstream.access import Access
from hub.upstream.dialects import DialectError
from hub.upstream.quirks import SECTIONS, Fields, Omit, QuirksError, load
from hub.upstream.shaping import Unwritable, shape

SERVICE = service_record(
    a_case(status="3", finished_at="2026-11-21 10:00:00", task_handle_item="T" * 33)
)
RATING = rating_record(a_case(), an_invitation(), a_rating(level=2, reasons=("209", "207")), 1)


def faults(folder, name, *changes):
    (folder / "q.toml").write_text(quirks_file(name, *changes), encoding="utf-8")
    with pytest.raises(QuirksError) as caught:
        load(name, folder / "q.toml")
    return [line.removeprefix(f"{folder / 'q.toml'}：") for line in str(caught.value).split("\n")]


@pytest.mark.parametrize("name", NAMES)
def test_each_pattern_loads_and_changes_nothing_by_itself(name):
    """What ships is whole, and leaves the record as the interface has it."""
    quirks = load(name)
    assert quirks.dialect == name
    for section in ("answer", "sm2", "sm4", "envelope", "token"):
        assert (getattr(quirks, section) is not None) == (section in SECTIONS[name])
    assert shape("service", SERVICE, quirks.fields) == SERVICE
    assert shape("rating", RATING, quirks.fields) == RATING


@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_shows_every_key_that_its_dialect_has(name):
    """Whoever copies it has all there is before them, in use or as a comment."""
    quirks, text = load(name), quirks_file(name)
    assert "# 报文格式：" in text
    for section in ("addresses", "fields", *SECTIONS[name]):
        part = getattr(quirks, section)
        for key in part.__struct_fields__:
            assert re.search(rf"(^|fields\.|# ){key}( =|\])", text, re.MULTILINE), key


def test_all_fields_are_known():
    """The list by which a quirks file is checked is that of the records."""
    assert set(SERVICE) | set(RATING) == FIELDS
    assert set(CITIZEN) | set(PRESSED) <= FIELDS


def test_a_city_gets_its_own_names_codes_and_times():
    """Source, reversed codes, short area code, times, separator, names, constants, omissions."""
    fields = Fields(
        data_source="133",
        area_code_digits=6,
        time_format="yyyyMMddHHmmss",
        reason_separator=";",
        codes={"projectType": {"1": "2", "2": "1"}, "pf": {"4": "9"}},
        omit=Omit(service=("taskHandleItem",), rating=("isdefault", "mobile")),
        rename={"orgcode": "orgCode", "satisfaction": "level"},
        constants={"version": "1.0"},
    )
    service, rating = shape("service", SERVICE, fields), shape("rating", RATING, fields)
    assert service == {
        **{k: v for k, v in SERVICE.items() if k not in {"orgcode", "taskHandleItem"}},
        "orgCode": "ORG1",
        "dataSource": "133",
        "areaCode": "120116",
        "acceptDate": "20261120090000",
        "serviceTime": "20261120090500",
        "resultDate": "20261121100000",
        "projectType": "1",
        "version": "1.0",
    }
    assert rating["evalDetail"] == "209;207"
    assert rating["level"] == "2"
    assert rating["pf"] == "9"
    assert not {"isdefault", "mobile", "satisfaction"} & rating.keys()


def test_what_has_no_code_is_not_guessed():
    """Neither passed on as it is nor cut off."""
    with pytest.raises(Unwritable, match=r"codes\.proStatus 没有规定“3”"):
        shape("service", SERVICE, Fields(codes={"proStatus": {"1": "a"}}))
    long = SERVICE | {"areaCode": "120116001002"}
    with pytest.raises(Unwritable, match="区划代码 120116001002 超过 6 位"):
        shape("service", long, Fields(area_code_digits=6))


def test_every_fault_of_a_file_is_said_at_once_with_its_place(tmp_path):
    """Spelling, kinds, choices, missing parts: nothing is passed over."""
    found = faults(
        tmp_path,
        "form",
        ('order = "C1C3C2"', 'order = "C3"'),
        ("prefix_04 = true", 'prefix_04 = "yes"'),
        ('signature = "rs"', 'signatur = "rs"'),
        ("area_code_digits = 12", "area_code_digits = 13"),
        ('service = "/service"', 'service = "service"'),
        ('refused = { code = ["-1"] }', "refused = { code = [] }"),
    )
    assert len(found) == 6
    assert any(line.startswith("sm2.order：只能是") for line in found)
    assert any(line.startswith("sm2.prefix_04：") for line in found)
    assert "sm2.signatur：没有这一项，请检查拼写" in found
    assert "fields.area_code_digits：不能大于 12" in found
    assert any(line.startswith("addresses.service：") for line in found)
    assert any(line.startswith("answer：refused 须写明") for line in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('exists_words = ["已存在"', 'exists_words = ["存在"', "“不存在”也会被当成已存在"),
        ('exists_words = ["已存在"', 'exists_words = [""', "“不存在”也会被当成已存在"),
        ("not_the_record_words = [", 'not_the_record_words = ["",', "不能有空的词"),
        ('refused = { code = ["-1"] }', 'refused = { code = ["200"] }', "既是成功又是其他"),
        ("exists = { }", 'exists = { code = ["200"] }', "既是成功又是其他"),
        ('success = { success = ["true"], code = ["200"] }', "success = { }", "success 须写明"),
    ],
)
def test_words_that_would_make_a_success_of_anything_are_refused(old, new, said, tmp_path):
    """Nothing is a success but what the file plainly says."""
    assert any(said in line for line in faults(tmp_path, "form", (old, new)))


def test_no_file_may_alter_what_a_person_pressed(tmp_path):
    """Two levels in one, a level without a place, constants for the hub's own fields."""
    more = """
[fields.codes]
satisfaction = { "5" = "1", "4" = "1", "3" = "2", "2" = "3", "1" = "4" }
isdefault = { "0" = "1" }
userName = { "示例甲" = "示例乙" }
serviceNumber = { "1" = "2" }
nonsense = { "1" = "2" }
[fields.constants]
satisfaction = "5"
[fields.omit]
rating = ["satisfaction", "projectNo"]
[fields.rename]
orgcode = "orgName"
"""
    found = faults(
        tmp_path, "flat", ('reason_separator = ","\n', 'reason_separator = ","\n' + more)
    )
    places = sorted(line.partition("：")[0] for line in found)
    assert places == [
        "fields.codes",
        "fields.codes.isdefault",
        "fields.codes.satisfaction",
        "fields.codes.serviceNumber",
        "fields.codes.userName",
        "fields.constants.satisfaction",
        "fields.omit.rating",
        "fields.omit.rating",
        "fields.rename",
    ]


@pytest.mark.parametrize("form", ["yyyy-MM-dd", "yyyyMMddHHmmssSSS", "yyyyMMddHHmmss dd", "now"])
def test_a_time_format_has_each_part_once(form, tmp_path):
    """A moment is not sent without its hour, nor with letters that mean something elsewhere."""
    found = faults(
        tmp_path, "flat", ('time_format = "yyyy-MM-dd HH:mm:ss"', f'time_format = "{form}"')
    )
    assert found
    assert all(line.startswith("fields.time_format：") for line in found)


def test_a_file_for_another_dialect_is_refused(tmp_path):
    """And so is a section that the dialect does not use, or one that it lacks."""
    (tmp_path / "q.toml").write_text(quirks_file("flat"), encoding="utf-8")
    with pytest.raises(QuirksError, match=r"这是 flat 的文件，hub\.toml 中选的是 form"):
        load("form", tmp_path / "q.toml")
    assert faults(tmp_path, "flat", ("[answer]", "[sm4]\n[answer]")) == [
        "sm4：报文格式 flat 不用这一节，请删去"
    ]
    text = quirks_file("form")
    (tmp_path / "q.toml").write_text(text[: text.index("[sm2]")], encoding="utf-8")
    with pytest.raises(QuirksError, match="sm2：缺少此节"):
        load("form", tmp_path / "q.toml")


def test_a_file_that_cannot_be_read_is_said_so(tmp_path):
    """Missing, not TOML, not UTF-8."""
    with pytest.raises(QuirksError, match="找不到报文格式文件"):
        load("form", tmp_path / "none.toml")
    for content in (b"dialect = ", b"\xff\xfe"):
        (tmp_path / "q.toml").write_bytes(content)
        with pytest.raises(QuirksError, match="无法读取"):
            load("form", tmp_path / "q.toml")


def test_every_missing_or_unusable_secret_is_said_at_once(tmp_path):
    """Missing entries, missing files, files that others may read or change, no keys."""
    papers(tmp_path)
    with pytest.raises(DialectError) as caught:
        speak("form", "http://city.example", tmp_path, access=Access())
    assert str(caught.value).split("\n") == [
        f"hub.toml：upstream.access.{key}：缺少此项：所选的报文格式要用它"
        for key in ("app_mark", "app_word", "city_key")
    ]
    (tmp_path / "word").chmod(0o644)
    (tmp_path / "city.pub").chmod(0o666)
    with pytest.raises(DialectError) as caught:
        read_again(tmp_path, "form", ACCESS)
    assert "chmod 600" in str(caught.value)
    assert "chmod 644" in str(caught.value)
    (tmp_path / "body.key").write_text("too short")
    with pytest.raises(DialectError, match="SM4 密钥应为") as caught:
        read_again(tmp_path, "token", Access(app_mark="m", app_word="none", body_key="body.key"))
    assert "无法读取" in str(caught.value)
    assert "too short" not in str(caught.value)


def read_again(folder, name, access):
    """Build a dialect from the files as they lie there."""
    from hub.upstream.dialects import dialect_of  # noqa: PLC0415

    return dialect_of(name, "http://city.example", base=folder, access=access, now=lambda: 0)


@pytest.mark.parametrize(
    ("name", "changes", "wanted"),
    [
        ("plain", [], Access()),
        ("flat", [], Access()),
        (
            "envelope",
            [('sign = "encrypt"', 'sign = "sign"'), ('seal = "records"', 'seal = "none"')],
            Access(app_mark="m", app_word="word", hall_key="hall.key"),
        ),
        (
            "token",
            [('sign_field = "sign"', 'sign_field = ""')],
            Access(app_mark="m", body_key="body.key"),
        ),
    ],
)
def test_only_what_the_file_makes_use_of_is_asked_for(name, changes, wanted, tmp_path):
    """No key has to be invented for an operation that does not take place."""
    speak(name, "http://city.example", tmp_path, *changes, access=wanted)
