"""What the stand-in city asks of a record (domain page, 2 and 3); written apart from the hub."""

import re
from collections.abc import Callable
from datetime import datetime

from protocol import catalogue
from protocol.errors import CatalogueError


class Refusal(Exception):
    """A record that the city does not take; `code` is a short word, the text its reason."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


Rule = Callable[[str], bool]


def _form(pattern: str) -> Rule:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


def _text(longest: int, *, shortest: int = 1) -> Rule:
    return lambda value: shortest <= len(value) <= longest


def _one_of(*values: str) -> Rule:
    return lambda value: value in values


def _time(value: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value, re.ASCII):
        return False
    try:
        datetime.strptime(value, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the zone is agreed
    except ValueError:
        return False
    return True


_SERVICE: dict[str, Rule] = {
    "taskCode": _form(r"[0-9A-Za-z]{31}"),
    "taskName": _text(200),
    "taskType": _one_of("01", "05", "07", "08", "09", "10", "20", "99"),
    "projectNo": _text(64),
    "proStatus": _one_of("1", "2", "3"),
    "orgcode": _text(40),
    "orgName": _text(100),
    "areaCode": _form(r"[0-9]{12}"),
    "acceptDate": _time,
    "userProp": _one_of("1", "2", "3", "4", "5", "6", "9"),
    "userName": _text(100),
    "userPageType": _form(r"[0-9]{3}"),
    "certKey": _text(40),
    "mobile": _form(r"(1[0-9]{10})?"),
    "serviceName": _text(40),
    "serviceNumber": _form(r"[1-9][0-9]?"),
    "serviceTime": _time,
    "projectType": _one_of("1", "2"),
    "proManager": _text(40, shortest=0),
    "dataSource": _form(r"1[0-9]{2}"),
}

_AGENT: dict[str, Rule] = {
    "handleUserName": _text(100),
    "handleUserPageType": _form(r"[0-9]{3}"),
    "handleUserPageCode": _text(40),
}

_OPTIONAL: dict[str, Rule] = {
    "taskHandleItem": _form(r"[0-9A-Za-z]{33}"),
    "resultDate": _time,
    **_AGENT,
}

_RATING: dict[str, Rule] = {
    "pf": _one_of("1", "2", "3", "4", "5", "6", "7"),
    "satisfaction": _one_of("1", "2", "3", "4", "5"),
    "evalDetail": _form(r"([1-5][0-9]{2}(,[1-5][0-9]{2})*)?"),
    "writingEvaluation": _text(150, shortest=0),
    "assessTime": _time,
    "appStatus": _one_of("1", "2", "3"),
    "isdefault": _one_of("0", "1"),
    "EffectivEvalua": _one_of("0", "1"),
    "assessNumber": _one_of("1", "2"),
}


def check_service(record: dict[str, str]) -> None:
    """Take a service record or raise `Refusal`."""
    _fields(record, _SERVICE, _OPTIONAL)
    if (record["proStatus"] == "3") != ("resultDate" in record):
        raise Refusal("value", "办结时间（resultDate）只在办结（proStatus 3）时填写，且必须填写")
    if not record.get("taskHandleItem", record["taskCode"]).startswith(record["taskCode"]):
        raise Refusal("value", "业务办理项编码（taskHandleItem）前 31 位与事项编码不一致")
    if len(record.keys() & _AGENT.keys()) not in (0, len(_AGENT)):
        raise Refusal("missing", "代办人信息不完整")


def check_rating(record: dict[str, str]) -> None:
    """Take a rating or raise `Refusal`; the case's fields are checked like a service record's."""
    _fields(record, _SERVICE | _RATING, _OPTIONAL)
    check_service({name: value for name, value in record.items() if name not in _RATING})
    level = int(record["satisfaction"])
    codes = tuple(record["evalDetail"].split(",")) if record["evalDetail"] else ()
    try:
        known = catalogue.load().has(level, codes) and len(set(codes)) == len(codes)
    except CatalogueError:
        known = False
    if not known:
        raise Refusal("value", "评价原因（evalDetail）不在该等级的目录中，或有重复")
    if level < 3 and not codes and not record["writingEvaluation"].strip():
        raise Refusal("value", "差评必须填写原因或文字")


def _fields(record: dict[str, str], required: dict[str, Rule], optional: dict[str, Rule]) -> None:
    for name in required:
        if name not in record:
            raise Refusal("missing", f"缺少字段 {name}")
    for name, value in record.items():
        rule = required.get(name) or optional.get(name)
        if rule is None:
            raise Refusal("unknown", f"未知字段 {name[:40]}")
        if not isinstance(value, str) or not rule(value):
            raise Refusal("value", f"字段 {name} 的值不符合要求")
