"""Everything that can go wrong in a request, as RFC 9457 problem details in Chinese.

`KINDS` is the list integrators program against: the word in `type` never changes.
"""

import logging
import sqlite3
import traceback
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from hub.errors import DeskError, TooManyTries
from hub.store.database import Swallowed
from hub.store.vault import VaultError
from hub.store.writer import Busy, Stopped
from hub.web.wording import hint
from protocol.strict import WHOLE, Faults

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:pingyi:problem:"
FAULTS_LISTED = 100
RETRY_AFTER_S = 2

KINDS = {
    "bad_request": (400, "请求有误"),
    "malformed_address": (400, "地址无法读取"),
    "malformed_body": (400, "请求正文无法读取"),
    "unauthorized": (401, "未通过身份验证"),
    "forbidden": (403, "没有权限"),
    "kiosk_works": (403, "评价器工作正常，无权更换"),
    "staff_unknown": (403, "不能签到或签退"),
    "own_rating": (403, "不能认定对本人的评价"),
    "unknown_route": (404, "没有这个地址"),
    "unknown_window": (404, "没有这个窗口"),
    "unknown_case": (404, "没有这个办件"),
    "unknown_invitation": (404, "没有这个评价邀请"),
    "unknown_entry": (404, "台账中没有这一条"),
    "unknown_rating": (404, "没有这个评价"),
    "unknown_document": (404, "没有这个证据文件"),
    "nothing_open": (404, "没有进行中的评价邀请"),
    "wrong_code": (404, "配对码不对"),
    "nothing_to_confirm": (404, "没有等待确认的配对"),
    "no_request": (404, "没有续期申请"),
    "method_not_allowed": (405, "该地址不支持这种请求方法"),
    "case_fixed": (409, "事项名称不能再改"),
    "already_rated": (409, "该次服务已经评价"),
    "open_elsewhere": (409, "正在另一台评价器上评价"),
    "window_paused": (409, "窗口已暂停"),
    "nobody_signed_on": (409, "窗口没有工作人员"),
    "another_clerk": (409, "签到的不是该工作人员"),
    "not_paired": (409, "窗口没有评价器"),
    "window_taken": (409, "窗口已有评价器"),
    "certificate_unfit": (409, "证书不能用"),
    "already_ruled": (409, "该评价已经认定"),
    "not_counted": (409, "该评价本来就不计入"),
    "rating_erased": (409, "评价内容已删除"),
    "rating_altered": (409, "评价与签名不符"),
    "of_another_hall": (409, "其他大厅的办件"),
    "body_too_large": (413, "请求正文过大"),
    "unsupported_media_type": (415, "不支持的正文格式"),
    "invalid_fields": (422, "字段填写有误"),
    "document_unfit": (422, "文件不能作为证据"),
    "feed_refused": (422, "报送的记录不能接收"),
    "too_many_tries": (429, "尝试次数过多"),
    "internal": (500, "服务内部错误"),
    "busy": (503, "服务繁忙"),
    "sealed": (503, "加密的数据打不开"),
    "storage_full": (507, "存储空间不足"),
}
_SEALED = (
    "本次没有完成：服务器的密钥文件用不了，或加密的数据被改动，原因已记入服务日志。"
    "请信息化管理员处理后再试"
)
_ALTERED = "数据文件可能被改动过，原因已记入服务日志。请信息化管理员用 pingyi-hub verify 核查"
_BY_STATUS = {
    404: ("unknown_route", "请核对地址；全部地址见 /api/v1/openapi.json"),
    405: ("method_not_allowed", "请核对请求方法；允许的方法见响应头 Allow"),
    413: ("body_too_large", "请求正文最多 64 KiB"),
}


class Bad(msgspec.Struct, frozen=True):
    """One field that is wrong; `$` is the body as a whole."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that is not a success (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[Bad, ...] = ()


class Refused(Exception):
    """A request that is turned down; `kind` is a key of `KINDS`, `detail` says what to do."""

    def __init__(self, kind: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}


def problem(kind: str, detail: str, errors: tuple[Bad, ...] = ()) -> Problem:
    """Build the body for a kind."""
    status, title = KINDS[kind]
    return Problem(
        type=TYPE_PREFIX + kind, title=title, status=status, detail=detail, errors=errors
    )


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer any error with a problem; what nobody foresaw is logged without its data."""
    body, headers = translate(error)
    log_unforeseen(request, error, body)
    return Response(
        body,
        status_code=body.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **headers},
    )


def log_unforeseen(request: Request[Any, Any, Any], error: Exception, body: Problem) -> None:
    """Log an error that nobody foresaw: frames only, its text might quote what a citizen wrote.

    What the hub itself says of its keys and its file quotes nobody.
    """
    if isinstance(error, VaultError | Swallowed):
        log.critical("request=failed method=%s why=%s", request.method, error)
    elif body.status == 500:
        log.error(
            "request failed: method=%s route=%s error=%s\n%s",
            request.method,
            request.scope.get("path_template", "-"),
            type(error).__name__,
            "".join(traceback.format_tb(error.__traceback__)),
        )


def translate(error: Exception) -> tuple[Problem, dict[str, str]]:
    """Return the problem that an error is, and the headers that go with it."""
    match error:
        case Refused():
            found = problem(error.kind, error.detail), error.headers
        case Faults():
            found = _fields(error), {}
        case TooManyTries():
            found = problem(error.code, str(error)), {"Retry-After": str(error.wait_s)}
        case DeskError() if error.code in KINDS:
            found = problem(error.code, str(error)), {}
        case Busy():
            found = _busy("等待写入的请求过多，本次未受理，请稍后重试")
        case Stopped():
            found = _busy("服务正在停止，本次未受理，请稍后重试")
        case sqlite3.Error() | VaultError() | Swallowed():
            found = _storage(error)
        case HTTPException():
            found = _http(error)
        case _:
            found = _internal(), {}
    return found


def _fields(error: Faults) -> Problem:
    bad = [
        Bad("$" if fault.place == WHOLE else fault.place, fault.message + hint(fault.place))
        for fault in error.faults
    ]
    listed = bad[:FAULTS_LISTED]
    if len(bad) > len(listed):
        listed.append(Bad("", f"另有 {len(bad) - len(listed)} 处未列出"))
    return problem("invalid_fields", f"共 {len(bad)} 处有误，逐项见 errors", tuple(listed))


def _busy(detail: str) -> tuple[Problem, dict[str, str]]:
    return problem("busy", detail), {"Retry-After": str(RETRY_AFTER_S)}


def _storage(error: sqlite3.Error | VaultError | Swallowed) -> tuple[Problem, dict[str, str]]:
    if isinstance(error, VaultError):
        return problem("sealed", _SEALED), {}
    if isinstance(error, Swallowed):
        return problem("internal", f"本次没有保存：{_ALTERED}"), {}
    if "sealed by a key that was dropped" in str(error):  # our own trigger's words
        return problem("sealed", _SEALED), {}
    code = getattr(error, "sqlite_errorcode", None)
    # Extended result codes carry the primary one in their low byte.
    primary = None if code is None else code & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        detail = "本次未保存：磁盘已满。请信息化管理员清理磁盘空间，之后重发本次请求"
        return problem("storage_full", detail), {}
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _busy("数据库正被占用，本次未保存，请稍后重试")
    return _internal(), {}


def _http(error: HTTPException) -> tuple[Problem, dict[str, str]]:
    headers = dict(error.headers or {})
    if error.status_code in _BY_STATUS:
        kind, detail = _BY_STATUS[error.status_code]
        return problem(kind, detail), headers
    if error.status_code < 500:
        return problem("bad_request", "请求头或请求行有误，请核对 HTTP 报文"), headers
    return _internal(), {}


def _internal() -> Problem:
    return problem(
        "internal", "请求未能完成，原因已记入服务日志；可稍后重试，仍不行请联系信息化管理员"
    )
