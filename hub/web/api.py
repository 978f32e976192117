"""The routes for window systems and machines. They translate; `hub.counter.desk` decides."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from hub.counter.desk import CaseStatus, Desk
from hub.rules.access import Scope
from hub.rules.case import Case, CaseFacts, doubts
from hub.web import body
from hub.web.problems import Refused
from hub.web.values import (
    Alive,
    CaseKey,
    Health,
    InvitationRequest,
    InvitationStatus,
    PauseRequest,
    WindowKey,
)
from protocol import strict

Http = Request[Any, Any, Any]
TheDesk = NamedDependency[SkipValidation[Desk]]
Presence = NamedDependency[SkipValidation[Callable[[str], bool]]]
HealthCheck = NamedDependency[SkipValidation[Callable[[], Health]]]
Page = NamedDependency[SkipValidation[bytes]]


@put("/cases/{serial:str}/{service_number:str}", scope=Scope.CASES)
async def put_case(request: Http, desk: TheDesk) -> Response[CaseStatus]:
    """Keep a case or its newer version: 201 if it was new, else 200."""
    address, data = body.address(request), await body.read(request)
    reading = body.Reading()
    key = reading.take(address, CaseKey)
    facts = reading.take(data, CaseFacts)
    if key is None or facts is None:
        raise reading.end()
    new = await desk.put_case(_case(key, facts), request.state.caller)
    return Response(await _status(desk, key), status_code=201 if new else 200)


@get("/cases/{serial:str}/{service_number:str}", scope=Scope.CASES)
async def get_case(request: Http, desk: TheDesk) -> CaseStatus:
    """Tell how a service stands, without the citizen's data."""
    return await _status(desk, strict.convert(body.address(request), CaseKey))


@post("/windows/{window:str}/invitations", scope=Scope.INVITE)
async def invite(request: Http, desk: TheDesk, presence: Presence) -> Response[InvitationStatus]:
    """Invite: 201 with a new invitation, 200 with the same one that is running already."""
    address, data = body.address(request), await body.read(request)
    reading = body.Reading()
    at = reading.take(address, WindowKey)
    asked = reading.take(data, InvitationRequest)
    if at is None or asked is None:
        raise reading.end()
    key = CaseKey(serial=asked.serial, service_number=asked.service_number)
    invited = await desk.invite(
        at.window,
        asked.serial,
        asked.service_number,
        case=None if asked.case is None else _case(key, asked.case, "case."),
        staff=asked.staff,
        ttl_ms=None if asked.timeout_s is None else asked.timeout_s * 1000,
        caller=request.state.caller,
    )
    return Response(
        InvitationStatus.of(invited.status, presence),
        status_code=201 if invited.new else 200,
        headers={"Location": f"/api/v1/invitations/{invited.status.id}"},
    )


@delete("/windows/{window:str}/invitations/current", status_code=200, scope=Scope.INVITE)
async def withdraw(request: Http, desk: TheDesk, presence: Presence) -> InvitationStatus:
    """Take back what is open at a window."""
    status = await desk.withdraw(_window(request))
    if status is None:
        raise Refused("nothing_open", "该窗口没有进行中的评价邀请，无需撤回")
    return InvitationStatus.of(status, presence)


@get("/invitations/{id:str}", scope=Scope.INVITE)
async def get_invitation(request: Http, desk: TheDesk, presence: Presence) -> InvitationStatus:
    """Tell how an invitation stands; never which level was given."""
    status = await desk.invitation(str(body.address(request)["id"]))
    if status is None:
        raise Refused("unknown_invitation", "没有这个编号的评价邀请，请核对编号")
    return InvitationStatus.of(status, presence)


@put("/windows/{window:str}/pause", status_code=204, scope=Scope.PAUSE)
async def pause(request: Http, desk: TheDesk) -> None:
    """Close a window for citizens, with the reason they read."""
    address, data = body.address(request), await body.read(request)
    reading = body.Reading()
    at = reading.take(address, WindowKey)
    asked = reading.take(data, PauseRequest)
    if at is None or asked is None:
        raise reading.end()
    await desk.pause(at.window, asked.reason, request.state.caller)


@delete("/windows/{window:str}/pause", status_code=204, scope=Scope.PAUSE)
async def resume(request: Http, desk: TheDesk) -> None:
    """Open a window again; nothing happens if it is open."""
    await desk.pause(_window(request), None, request.state.caller)


@get("/openapi.json")
async def openapi(page: Page) -> Response[bytes]:
    """Describe all of this to integrators (OpenAPI 3.1)."""
    return Response(page, media_type="application/json")


@get("/healthz")
async def healthz() -> Alive:
    """Tell that the process lives."""
    return Alive()


@get("/readyz")
async def readyz(health: HealthCheck) -> Response[Health]:
    """Tell whether the hub can do its work: 200, or 503 with the reasons."""
    found = health()
    return Response(found, status_code=200 if found.ready else 503)


def _window(request: Http) -> str:
    return strict.convert(body.address(request), WindowKey).window


def _case(key: CaseKey, facts: CaseFacts, place: str = "") -> Case:
    if faults := doubts(facts, place):
        raise strict.Faults(faults)
    return Case(**msgspec.structs.asdict(key), **msgspec.structs.asdict(facts))


async def _status(desk: Desk, key: CaseKey) -> CaseStatus:
    status = await desk.case(key.serial, key.service_number)
    if status is None:
        raise Refused(
            "unknown_case", f"办件 {key.serial}/{key.service_number} 尚未登记，请先登记办件"
        )
    return status


API = [put_case, get_case, invite, withdraw, get_invitation, pause, resume, openapi]
MACHINES = [healthz, readyz]
