"""The records that the city wants, made of what the hub keeps (domain page, 3). Pure.

Every value is a string, numbers too ("1", "4"): the fields are codes and texts in the city's
tables, none is reckoned with. `taskHandleItem` stands only where there is one, `resultDate`
only in a finished case (status 3), the three `handleUser…` fields only where an agent came;
every other field always stands, empty (`""`) where nothing is known.
"""

import json
from datetime import UTC, datetime, timedelta, timezone

from hub.rules.afterwards import Added
from hub.rules.case import Case
from protocol.messages import Invitation, Rated, Stamp

Record = dict[str, str]

# A fixed offset: China has kept it all year since 1991, and a bare machine may lack the zone file.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

KEYS = ("projectNo", "serviceNumber", "assessNumber")
"""What a record is known by."""

TIMES = ("acceptDate", "resultDate", "serviceTime", "assessTime")
"""The fields that are moments, `yyyy-MM-dd HH:mm:ss` in Asia/Shanghai."""

PRESSED = ("satisfaction", "evalDetail", "writingEvaluation", "assessTime", "isdefault")
"""The fields that say what a person pressed, and that a person did."""

CITIZEN = (
    "userName",
    "certKey",
    "mobile",
    "handleUserName",
    "handleUserPageCode",
    "writingEvaluation",
)
"""The fields that are about the citizen, or in the citizen's own words."""


FIELDS = frozenset(
    (
        "taskCode",
        "taskHandleItem",
        "taskName",
        "taskType",
        "projectNo",
        "proStatus",
        "orgcode",
        "orgName",
        "areaCode",
        "acceptDate",
        "resultDate",
        "userProp",
        "userName",
        "userPageType",
        "certKey",
        "handleUserName",
        "handleUserPageType",
        "handleUserPageCode",
        "mobile",
        "serviceName",
        "serviceNumber",
        "serviceTime",
        "projectType",
        "proManager",
        "dataSource",
        "pf",
        "satisfaction",
        "evalDetail",
        "writingEvaluation",
        "assessTime",
        "appStatus",
        "isdefault",
        "EffectivEvalua",
        "assessNumber",
    )
)
"""Every field that a record can have."""


def service_record(case: Case, *, data_source: str = "112") -> Record:
    """Return the service record (办件服务数据), key (projectNo, serviceNumber)."""
    record = {"taskCode": case.task_code}
    if case.task_handle_item:
        record["taskHandleItem"] = case.task_handle_item
    record |= {
        "taskName": case.matter,
        "taskType": case.task_type,
        "projectNo": case.serial,
        "proStatus": case.status,
        "orgcode": case.org_code,
        "orgName": case.org_name,
        "areaCode": case.area_code.ljust(12, "0"),
        "acceptDate": case.accepted_at,
    }
    if case.finished_at is not None:
        record["resultDate"] = case.finished_at
    record |= {
        "userProp": case.applicant.kind,
        "userName": case.applicant.name,
        "userPageType": case.applicant.certificate_type,
        "certKey": case.applicant.certificate_number,
    }
    if case.agent is not None:
        record |= {
            "handleUserName": case.agent.name,
            "handleUserPageType": case.agent.certificate_type,
            "handleUserPageCode": case.agent.certificate_number,
        }
    return record | {
        "mobile": case.applicant.mobile,
        "serviceName": case.service_name,
        "serviceNumber": str(case.service_number),
        "serviceTime": case.service_time,
        "projectType": case.promise,
        "proManager": case.manager,
        "dataSource": data_source,
    }


def rating_record(
    case: Case,
    invitation: Invitation,
    rated: Rated,
    recorded_at: int,
    *,
    comment: str = "",
    data_source: str = "112",
) -> Record:
    """Return the rating (评价数据) of one service of a case: the case's fields and the rating's.

    The matter and the clerk are those that the citizen was shown, whatever the window system
    says of the case since. `comment`: what the citizen wrote on their own page where they
    pressed nothing more on the kiosk; a bad rating must have a reason or words by then, nothing
    is made up for one that has not. pf is 4 (大厅平板/评价器), or 5 (其他终端) from a button pad.
    Constant are appStatus 1 (无需审核), isdefault 0 (a person rated), EffectivEvalua 1 (valid) and
    assessNumber 1 (first rating).
    """
    pad = rated.signals is not None and rated.signals.input == "pad"
    return service_record(case, data_source=data_source) | {
        "taskName": invitation.matter,
        "proManager": invitation.staff.name,
        "pf": "5" if pad else "4",
        "satisfaction": str(rated.level),
        "evalDetail": ",".join(rated.reasons),
        "writingEvaluation": rated.comment or comment,
        "assessTime": local_time(rated_at(rated.stamp, recorded_at)),
        "appStatus": "1",
        "isdefault": "0",
        "EffectivEvalua": "1",
        "assessNumber": "1",
    }


def ruling_record(rating: Record) -> Record:
    """Return a rating that was reviewed (appStatus 2) and is not valid any more."""
    return rating | {"appStatus": "2", "EffectivEvalua": "0"}


def addition_record(rating: Record, added: Added, at: int) -> Record:
    """Return the one addition to a rating (追评, assessNumber 2), written by phone (pf 3, QR).

    The level stands as it was given; `at`: when it was written, ms since 1970.
    """
    return rating | {
        "pf": "3",
        "evalDetail": "",
        "writingEvaluation": added.text,
        "assessTime": local_time(at),
        "assessNumber": "2",
    }


def rated_at(stamp: Stamp, recorded_at: int) -> int:
    """Return when a rating was given, in ms since 1970 on the hub's clock.

    A kiosk that no hub had answered since its start cannot say; then it is the hub's own
    time of record, as it is where the kiosk's figures lie outside of any calendar, or after
    the time of record: the hub's clock has been put back since.
    """
    if stamp.offset_ms is None:
        return recorded_at
    at = stamp.mono_ms + stamp.offset_ms
    return (
        at if 0 <= at < 253_402_300_800_000 - 8 * 3_600_000 and at <= recorded_at else recorded_at
    )


def local_time(at: int) -> str:
    """Return `yyyy-MM-dd HH:mm:ss` in Asia/Shanghai for milliseconds since 1970."""
    moment = (_EPOCH + timedelta(milliseconds=at)).astimezone(SHANGHAI)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def masked(record: Record) -> Record:
    """Return a record fit to be kept in clear: what is about the citizen is struck."""
    return {
        field: "＊＊＊" if value and field in CITIZEN else value for field, value in record.items()
    }


def of_citizen(record: Record) -> list[str]:
    """Return what must not be repeated in clear, longest first.

    The values about the citizen, as they are and as JSON writes them, and what stands between
    blanks in them: whoever repeats a text may set its lines anew.
    """
    values = {record[field] for field in CITIZEN if record.get(field)}
    escaped = {json.dumps(value, ensure_ascii=False)[1:-1] for value in values}
    parts = {part for value in values | escaped for part in value.split() if len(part) > 1}
    return sorted(values | escaped | parts, key=len, reverse=True)


def without_citizen(words: str, record: Record) -> str:
    """Return the city's words fit to be kept in clear: what they repeat of the citizen is struck.

    At most 200 characters, one line.
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in words)
    for value in of_citizen(record):
        plain = plain.replace(value, "＊＊＊")
    return " ".join(plain.split())[:200]
