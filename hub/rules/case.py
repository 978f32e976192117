"""One matter handled for one applicant (办件), with what the city wants to know of it.

Field lists and code values: the service record of the rating interface (domain page, 3).
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from protocol.messages import Label, Matter, Name, Part, PlainText, Serial, ServiceNumber
from protocol.strict import Fault, Misfit

Moment = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?![\s\S])")
]
"""Local time `yyyy-MM-dd HH:mm:ss`, Asia/Shanghai."""

TaskCode = Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{31}(?![\s\S])")]
HandleItem = Annotated[str, Meta(pattern=r"^([0-9A-Za-z]{33})?(?![\s\S])")]
AreaCode = Annotated[str, Meta(pattern=r"^[0-9]{6}([0-9]{6})?(?![\s\S])")]
Mobile = Annotated[str, Meta(pattern=r"^(1[0-9]{10})?(?![\s\S])")]

_YEARS = (2000, 2099)


class Person(Part, frozen=True, kw_only=True):
    """Who applied, or who came in their place: the citizen's data, sealed at rest."""

    name: Name
    certificate_type: Annotated[str, Meta(pattern=r"^[0-9]{3}(?![\s\S])")] = "111"
    certificate_number: Name


class Applicant(Person, frozen=True, kw_only=True):
    """The applicant; `kind` is userProp (1 自然人 … 9 其他组织)."""

    kind: Literal["1", "2", "3", "4", "5", "6", "9"] = "1"
    mobile: Mobile = ""


class CaseFacts(Part, frozen=True, kw_only=True):
    """What window systems know of a case, besides its key, which stands in the address."""

    matter: Matter
    task_code: TaskCode
    task_handle_item: HandleItem = ""
    task_type: Literal["01", "05", "07", "08", "09", "10", "20", "99"]
    status: Literal["1", "2", "3"]
    org_code: Name
    org_name: PlainText
    area_code: AreaCode
    accepted_at: Moment
    finished_at: Moment | None = None
    service_name: Name
    service_time: Moment
    promise: Literal["1", "2"] = "2"
    manager: Label = ""
    applicant: Applicant
    agent: Person | None = None

    def __post_init__(self) -> None:
        """A finished case says when; an unfinished one cannot (resultDate, status 3 only)."""
        if (self.status == "3") != (self.finished_at is not None):
            raise Misfit("finished_at", "办结（status 3）的办件必须填写，其他状态不得填写")
        for field in ("accepted_at", "finished_at", "service_time"):
            moment = getattr(self, field)
            try:
                if moment is not None:
                    datetime.strptime(moment, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - checks only
            except ValueError:
                raise Misfit(field, f"“{moment}”不是存在的时间") from None


class Case(CaseFacts, frozen=True, kw_only=True):
    """A case with its key."""

    serial: Serial
    service_number: ServiceNumber


def doubts(facts: CaseFacts, place: str = "") -> list[Fault]:
    """Return what cannot be of the times of a case, `place` before each name.

    Asked where a case is registered, not where one is read: what is kept was taken as it was. A
    service (咨询, 申报) may come before the acceptance, so only the end is compared with it.
    """
    moments = {
        name: getattr(facts, name) for name in ("accepted_at", "finished_at", "service_time")
    }
    faults = [
        Fault(place + name, f"“{moment}”的年份不对，应在 {_YEARS[0]} 至 {_YEARS[1]} 年之间")
        for name, moment in moments.items()
        if moment is not None and not _YEARS[0] <= int(moment[:4]) <= _YEARS[1]
    ]
    if not faults and facts.finished_at is not None and facts.finished_at < facts.accepted_at:
        faults.append(Fault(place + "finished_at", "办结时间早于受理时间，请核对"))
    return faults
