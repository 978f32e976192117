from upstream_world import NOW, a_case, a_rating, an_invitation

from hub.rules.records import (
    local_time,
    masked,
    rated_at,
    rating_record,
    service_record,
    without_citizen,
)
from protocol.messages import Stamp

SERVICE = {
    "taskCode": "T" * 31,
    "taskName": "示例事项",
    "taskType": "01",
    "projectNo": "SL0001",
    "proStatus": "2",
    "orgcode": "ORG1",
    "orgName": "示例局",
    "areaCode": "120116000000",
    "acceptDate": "2026-11-20 09:00:00",
    "userProp": "1",
    "userName": "示例甲",
    "userPageType": "111",
    "certKey": "ID-JIA",
    "handleUserName": "示例乙",
    "handleUserPageType": "111",
    "handleUserPageCode": "ID-YI",
    "mobile": "13000000000",
    "serviceName": "申报",
    "serviceNumber": "1",
    "serviceTime": "2026-11-20 09:05:00",
    "projectType": "2",
    "proManager": "",
    "dataSource": "112",
}


def test_a_service_record_has_the_fields_of_the_interface():
    """Names, order of meaning and string values of domain page 3."""
    assert service_record(a_case()) == SERVICE


def test_fields_that_depend_on_the_case_stand_only_where_they_apply():
    """Agent, end of the case and handling item are left out where there is none."""
    record = service_record(
        a_case(
            agent=None,
            status="3",
            finished_at="2026-11-21 10:00:00",
            task_handle_item="T" * 33,
            area_code="120116001002",
        ),
        data_source="133",
    )
    assert not [name for name in record if name.startswith("handle")]
    assert record["resultDate"] == "2026-11-21 10:00:00"
    assert record["taskHandleItem"] == "T" * 33
    assert record["areaCode"] == "120116001002"
    assert record["dataSource"] == "133"


def test_a_rating_is_the_case_and_what_the_citizen_pressed():
    """Matter and clerk are those that were shown; the order of the reasons is the citizen's."""
    rated = a_rating(level=2, reasons=("209", "207"), comment="示例：\n请改进")
    shown = an_invitation(matter="所示事项")
    assert rating_record(a_case(), shown, rated, NOW + 9_000) == SERVICE | {
        "taskName": "所示事项",
        "proManager": "示例丙",
        "pf": "4",
        "satisfaction": "2",
        "evalDetail": "209,207",
        "writingEvaluation": "示例：\n请改进",
        "assessTime": local_time(NOW + 5_000),
        "appStatus": "1",
        "isdefault": "0",
        "EffectivEvalua": "1",
        "assessNumber": "1",
    }


def test_times_are_those_of_shanghai():
    """1 January 1970, 00:00 UTC was eight in the morning."""
    assert local_time(0) == "1970-01-01 08:00:00"
    assert local_time(253_402_271_999_999) == "9999-12-31 23:59:59"


def test_a_kiosk_that_did_not_know_the_time_gets_the_hubs():
    """Without an offset, or with one that leads out of the calendar, the time of record counts."""
    boot = "0" * 32
    assert rated_at(Stamp(boot=boot, mono_ms=5, offset_ms=NOW), NOW + 9) == NOW + 5
    assert rated_at(Stamp(boot=boot, mono_ms=5, offset_ms=NOW), 7) == 7  # put back since
    assert rated_at(Stamp(boot=boot, mono_ms=5), 7) == 7
    assert rated_at(Stamp(boot=boot, mono_ms=5, offset_ms=-6), 7) == 7
    assert rated_at(Stamp(boot=boot, mono_ms=1 << 53, offset_ms=1 << 53), 7) == 7


def test_a_masked_record_says_nothing_of_the_citizen():
    """Names, papers, telephone and words are struck; what the case is, stays."""
    record = rating_record(
        a_case(), an_invitation(), a_rating(level=1, reasons=("110",), comment="示例：等太久"), 1
    )
    struck = masked(record)
    assert struck.keys() == record.keys()
    assert struck["projectNo"] == "SL0001"
    for never in ("示例甲", "示例乙", "ID-JIA", "ID-YI", "13000000000", "等太久"):
        assert never not in str(struck)
    assert masked({"mobile": ""}) == {"mobile": ""}


def test_what_is_repeated_of_a_comment_is_struck_however_its_lines_are_set():
    """As it was, in one line, with the quotation marks of JSON, or a line of it alone."""
    comment = '示例："太慢"\n排队两次'
    record = {"writingEvaluation": comment, "userName": "示例甲"}
    for words in (comment, '示例："太慢" 排队两次', r"示例：\"太慢\"\n排队两次", "排队两次"):
        kept = without_citizen(f"字段有误：{words}。示例甲", record)
        assert kept.startswith("字段有误：＊＊＊")
        assert "太慢" not in kept
        assert "排队" not in kept
        assert "甲" not in kept
