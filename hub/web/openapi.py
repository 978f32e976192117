"""The OpenAPI 3.1 page, made of the very structs that are accepted and answered."""

from typing import Any

import msgspec

from hub.rules.documents import MEDIA_TYPES
from hub.web.operations import EXAMPLES, OPERATIONS, PARAMETERS, Operation
from hub.web.problems import KINDS, MEDIA_TYPE, Problem
from hub.web.wording import meaning, struct_meaning

_REF = "#/components/schemas/{name}"
_KINDS_OF_ALL = ("unauthorized", "internal", "busy")
_KINDS_OF_BODIES = (
    "malformed_body",
    "body_too_large",
    "unsupported_media_type",
    "invalid_fields",
    "storage_full",
    "sealed",
)
_FILES: dict[str, Any] = {kind: {} for kind in MEDIA_TYPES.values()}
_ABOUT = (
    "供窗口业务系统、入网台和下级大厅调用："
    "签到、登记办件、邀请评价、撤回、暂停窗口、配对、续期、查询、汇总。\n\n"
    "- 每次调用带请求头 Authorization: Bearer <接口密钥>，密钥由信息化管理员发放，"
    "只能做它被允许的事：各操作说明中写有所需的权限。\n"
    "- 正文一律为 UTF-8 的 JSON，最多 64 KiB；不认识的字段会被拒绝，不会被忽略。\n"
    "- 出错时返回 application/problem+json（RFC 9457），按 type 判断种类；"
    "字段有误时 errors 一次列出全部。\n"
    "- 没收到应答时可以原样重发：同一办件同一次服务的邀请仍在进行时，返回原来的那一个。\n"
    "- 任何应答都不含评价等级：窗口人员看不到群众给出的评价。"
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
                    "description": "信息化管理员发放的接口密钥",
                }
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    guarded = operation.path.startswith("/api/")
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        **({"description": f"所需权限：{operation.scope}"} if operation.scope else {}),
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": meaning(name),
                "schema": msgspec.json.schema(kind),
            }
            for name, kind in PARAMETERS.items()
            if f"{{{name}}}" in operation.path
        ],
        "security": [{"key": []}] if guarded else [],
        "responses": _answers(operation) | _problems(operation, guarded=guarded),
    }
    if operation.takes is bytes:
        found["requestBody"] = {"required": True, "content": _FILES}
    elif operation.takes is not None:
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


def _answers(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, (description, kind) in operation.answers.items():
        answer: dict[str, Any] = {"description": description}
        if kind is bytes:
            answer["content"] = _FILES
        elif kind is not None:
            media_type = "text/plain" if kind is str else "application/json"
            answer["content"] = {media_type: {"schema": _schema(kind)}}
        if operation.name == "invite":
            answer["headers"] = {
                "Location": {"description": "评价邀请的地址", "schema": {"type": "string"}}
            }
        found[str(status)] = answer
    return found


def _problems(operation: Operation, *, guarded: bool) -> dict[str, Any]:
    kinds = operation.kinds + (_KINDS_OF_ALL if guarded else ("internal",))
    if operation.scope is not None:
        kinds += ("forbidden",)
    if "{" in operation.path:
        kinds += ("malformed_address",)
    if operation.takes is bytes:
        kinds += ("storage_full", "sealed")
    elif operation.takes is not None:
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
        [kind for kind in kinds if kind not in (None, bytes)], ref_template=_REF
    )
    for name, schema in schemas.items():
        schema["description"] = struct_meaning(name)
        for field, property_ in schema["properties"].items():
            property_["description"] = meaning(field, name)
    return schemas
