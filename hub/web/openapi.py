"""The OpenAPI 3.1 page, made of the very structs that are accepted and answered."""

from typing import Any, NamedTuple

import msgspec

from hub.desk import CaseStatus
from hub.rules.case import CaseFacts
from hub.web.problems import KINDS, MEDIA_TYPE, Problem
from hub.web.values import Alive, Health, InvitationRequest, InvitationStatus, PauseRequest
from hub.web.wording import meaning, struct_meaning
from protocol.messages import Identifier, Name, Serial, ServiceNumber

_REF = "#/components/schemas/{name}"
_KINDS_OF_ALL = ("unauthorized", "internal", "busy")
_KINDS_OF_BODIES = (
    "malformed_body",
    "body_too_large",
    "unsupported_media_type",
    "invalid_fields",
    "storage_full",
)
_PARAMETERS: dict[str, Any] = {
    "serial": Serial,
    "service_number": ServiceNumber,
    "window": Name,
    "id": Identifier,
}
_ABOUT = (
    "供窗口业务系统调用：登记办件、邀请评价、撤回、暂停窗口、查询进展。\n\n"
    "- 每次调用带请求头 Authorization: Bearer <接口密钥>，密钥由大厅管理员发放。\n"
    "- 正文一律为 UTF-8 的 JSON，最多 64 KiB；不认识的字段会被拒绝，不会被忽略。\n"
    "- 出错时返回 application/problem+json（RFC 9457），按 type 判断种类；"
    "字段有误时 errors 一次列出全部。\n"
    "- 没收到应答时可以原样重发：同一办件同一次服务的邀请仍在进行时，返回原来的那一个。\n"
    "- 任何应答都不含评价等级：窗口人员看不到群众给出的评价。"
)


class _Operation(NamedTuple):
    method: str
    path: str
    name: str
    summary: str
    answers: dict[int, tuple[str, Any]]
    takes: Any = None
    kinds: tuple[str, ...] = ()


EXAMPLES: dict[Any, dict[str, Any]] = {
    CaseFacts: {
        "matter": "示例事项",
        "task_code": "11120000MB0000000X400000000000A",
        "task_type": "01",
        "status": "2",
        "org_code": "11120000MB0000000X",
        "org_name": "示例部门",
        "area_code": "120000",
        "accepted_at": "2026-01-31 09:30:00",
        "service_name": "申报",
        "service_time": "2026-01-31 09:30:00",
        "applicant": {"name": "示例甲", "certificate_number": "000000000000000000"},
    },
    InvitationRequest: {
        "serial": "示例20260131001",
        "service_number": 1,
        "staff": {"name": "示例乙", "number": "0001"},
        "timeout_s": 60,
    },
    PauseRequest: {"reason": "系统维护，请到相邻窗口办理"},
}

_CASE = "/api/v1/cases/{serial}/{service_number}"
_WINDOW = "/api/v1/windows/{window}"
_CASE_ANSWER = ("办件的评价情况，不含办事人信息", CaseStatus)

OPERATIONS = (
    _Operation(
        "put",
        _CASE,
        "putCase",
        "登记办件，或更新已登记的办件",
        {200: ("已更新", CaseStatus), 201: ("已登记", CaseStatus)},
        CaseFacts,
    ),
    _Operation(
        "get",
        _CASE,
        "getCase",
        "查询办件的评价情况",
        {200: _CASE_ANSWER},
        kinds=("unknown_case", "invalid_fields"),
    ),
    _Operation(
        "post",
        _WINDOW + "/invitations",
        "invite",
        "邀请评价；该窗口原有的邀请随之撤回",
        {200: ("同一邀请已在进行", InvitationStatus), 201: ("已发出邀请", InvitationStatus)},
        InvitationRequest,
        (
            "unknown_window",
            "unknown_case",
            "case_fixed",
            "already_rated",
            "open_elsewhere",
            "window_paused",
            "nobody_signed_on",
        ),
    ),
    _Operation(
        "delete",
        _WINDOW + "/invitations/current",
        "withdraw",
        "撤回进行中的评价邀请；办事人已经按下的不受影响，以评价器的结果为准",
        {200: ("已要求撤回", InvitationStatus)},
        kinds=("unknown_window", "nothing_open", "invalid_fields", "storage_full"),
    ),
    _Operation(
        "get",
        "/api/v1/invitations/{id}",
        "getInvitation",
        "查询评价邀请的进展",
        {200: ("评价邀请的进展，不含评价等级", InvitationStatus)},
        kinds=("unknown_invitation",),
    ),
    _Operation(
        "put",
        _WINDOW + "/pause",
        "pause",
        "暂停窗口，评价器显示原因",
        {204: ("已暂停", None)},
        PauseRequest,
        ("unknown_window",),
    ),
    _Operation(
        "delete",
        _WINDOW + "/pause",
        "resume",
        "恢复窗口",
        {204: ("已恢复", None)},
        kinds=("unknown_window", "invalid_fields", "storage_full"),
    ),
    _Operation(
        "get",
        "/api/v1/openapi.json",
        "openapi",
        "本说明",
        {200: ("OpenAPI 3.1 文档", dict[str, Any])},
    ),
    _Operation(
        "get",
        "/healthz",
        "healthz",
        "进程是否在运行",
        {200: ("在运行", Alive)},
    ),
    _Operation(
        "get",
        "/readyz",
        "readyz",
        "能否正常工作",
        {200: ("可以", Health), 503: ("不可以，附原因", Health)},
    ),
)


def page() -> bytes:
    """Return the page as JSON."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2)


def document() -> dict[str, Any]:
    """Return the page as plain data."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "评议：窗口评价接口", "version": "v1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "大厅管理员发放的接口密钥",
                }
            },
        },
    }


def _operation(operation: _Operation) -> dict[str, Any]:
    guarded = operation.path.startswith("/api/")
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": meaning(name),
                "schema": msgspec.json.schema(kind),
            }
            for name, kind in _PARAMETERS.items()
            if f"{{{name}}}" in operation.path
        ],
        "security": [{"key": []}] if guarded else [],
        "responses": _answers(operation) | _problems(operation, guarded=guarded),
    }
    if operation.takes is not None:
        found["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _schema(operation.takes),
                    "example": EXAMPLES[operation.takes],
                }
            },
        }
    return found


def _answers(operation: _Operation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, (description, kind) in operation.answers.items():
        answer: dict[str, Any] = {"description": description}
        if kind is not None:
            answer["content"] = {"application/json": {"schema": _schema(kind)}}
        if operation.name == "invite":
            answer["headers"] = {
                "Location": {"description": "评价邀请的地址", "schema": {"type": "string"}}
            }
        found[str(status)] = answer
    return found


def _problems(operation: _Operation, *, guarded: bool) -> dict[str, Any]:
    kinds = operation.kinds + (_KINDS_OF_ALL if guarded else ("internal",))
    if "{" in operation.path:
        kinds += ("malformed_address",)
    if operation.takes is not None:
        kinds += _KINDS_OF_BODIES
    by_status: dict[str, list[str]] = {}
    for kind, (status, title) in KINDS.items():
        if kind in kinds:
            by_status.setdefault(str(status), []).append(f"{kind}（{title}）")
    return {
        status: {
            "description": "、".join(texts),
            "content": {MEDIA_TYPE: {"schema": _schema(Problem)}},
        }
        for status, texts in by_status.items()
    }


def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


def _schemas() -> dict[str, Any]:
    kinds: list[Any] = [Problem]
    for operation in OPERATIONS:
        kinds += [operation.takes, *(kind for _, kind in operation.answers.values())]
    _, schemas = msgspec.json.schema_components(
        [kind for kind in kinds if kind is not None], ref_template=_REF
    )
    for name, schema in schemas.items():
        schema["description"] = struct_meaning(name)
        for field, property_ in schema["properties"].items():
            property_["description"] = meaning(field, name)
    return schemas
