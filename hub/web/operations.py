"""Every operation of the interface as integrators read of it, with an example of each body."""

from typing import Any, NamedTuple

from hub.counter.bindings import WindowStatus
from hub.counter.desk import CaseStatus
from hub.counter.pairing import Candidate
from hub.rules.access import Scope
from hub.rules.case import CaseFacts
from hub.rules.proof import FeedRequest
from hub.store.bindings import Binding
from hub.store.certificates import Request
from hub.web.feed import FeedAnswer
from hub.web.ledger import ConsistencyProof, InclusionProof
from hub.web.rulings import DocumentDigest, KeptDocument, RulingRequest, RulingStatus
from hub.web.values import (
    Alive,
    Confirmation,
    Device,
    Health,
    InvitationRequest,
    InvitationStatus,
    Move,
    NewCertificate,
    PairingCode,
    PauseRequest,
)
from protocol.messages import Count, Identifier, Name, Serial, ServiceNumber, Staff

PARAMETERS: dict[str, Any] = {
    "serial": Serial,
    "service_number": ServiceNumber,
    "window": Name,
    "id": Identifier,
    "device": Device,
    "position": Count,
    "before": Count,
    "digest": DocumentDigest,
}


class Operation(NamedTuple):
    """One operation: the body it takes, its good answers by status, what may go wrong."""

    method: str
    path: str
    name: str
    summary: str
    answers: dict[int, tuple[str, Any]]
    takes: Any = None
    kinds: tuple[str, ...] = ()
    scope: Scope | None = None


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
    PairingCode: {"code": "000000"},
    Confirmation: {"device": "kiosk-01"},
    Move: {"to": "2号窗口"},
    RulingRequest: {"reason": "经核实，办事人误按，已电话确认", "evidence": ["0" * 64]},
    FeedRequest: {
        "kind": "service",
        "record": {
            "taskCode": "11120000MB0000000X400000000000A",
            "taskName": "示例事项",
            "taskType": "01",
            "projectNo": "示例20260131001",
            "proStatus": "2",
            "orgcode": "11120000MB0000000X",
            "orgName": "示例部门",
            "areaCode": "120000000000",
            "acceptDate": "2026-01-31 09:30:00",
            "userProp": "1",
            "userName": "示例甲",
            "userPageType": "111",
            "certKey": "000000000000000000",
            "mobile": "",
            "serviceName": "申报",
            "serviceNumber": "1",
            "serviceTime": "2026-01-31 09:30:00",
            "projectType": "2",
            "proManager": "",
            "dataSource": "112",
        },
        "proof": None,
    },
    Staff: {"name": "示例乙", "number": "0001", "post": "综合窗口"},
    NewCertificate: {"chain": 2 * "-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n"},
}

_CASE = "/api/v1/cases/{serial}/{service_number}"
_WINDOW = "/api/v1/windows/{window}"
_GONE = ("unknown_window", "invalid_fields", "storage_full")
_STANDS: dict[int, tuple[str, Any]] = {200: ("窗口现在的情况", WindowStatus)}
_CASE_ANSWER = ("办件的评价情况，不含办事人信息", CaseStatus)

OPERATIONS = (
    Operation(
        "put",
        _CASE,
        "putCase",
        "登记办件，或更新已登记的办件",
        {200: ("已更新", CaseStatus), 201: ("已登记", CaseStatus)},
        CaseFacts,
        ("of_another_hall",),
        scope=Scope.CASES,
    ),
    Operation(
        "get",
        _CASE,
        "getCase",
        "查询办件的评价情况",
        {200: _CASE_ANSWER},
        kinds=("unknown_case", "invalid_fields"),
        scope=Scope.CASES,
    ),
    Operation(
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
            "not_paired",
            "nobody_signed_on",
            "another_clerk",
            "of_another_hall",
        ),
        scope=Scope.INVITE,
    ),
    Operation(
        "delete",
        _WINDOW + "/invitations/current",
        "withdraw",
        "撤回进行中的评价邀请；办事人已经按下的不受影响，以评价器的结果为准",
        {200: ("已要求撤回", InvitationStatus)},
        kinds=("unknown_window", "nothing_open", "invalid_fields", "storage_full"),
        scope=Scope.INVITE,
    ),
    Operation(
        "get",
        "/api/v1/invitations/{id}",
        "getInvitation",
        "查询评价邀请的进展",
        {200: ("评价邀请的进展，不含评价等级", InvitationStatus)},
        kinds=("unknown_invitation",),
        scope=Scope.INVITE,
    ),
    Operation(
        "put",
        _WINDOW + "/pause",
        "pause",
        "暂停窗口，评价器显示原因",
        {204: ("已暂停", None)},
        PauseRequest,
        ("unknown_window",),
        scope=Scope.PAUSE,
    ),
    Operation(
        "delete",
        _WINDOW + "/pause",
        "resume",
        "恢复窗口",
        {204: ("已恢复", None)},
        kinds=("unknown_window", "invalid_fields", "storage_full"),
        scope=Scope.PAUSE,
    ),
    Operation(
        "get",
        "/api/v1/windows",
        "getWindows",
        "查询全部窗口：评价器、签到人员、是否暂停",
        {200: ("全部窗口，按配置的顺序", tuple[WindowStatus, ...])},
        scope=Scope.WINDOWS,
    ),
    Operation(
        "get",
        _WINDOW,
        "getWindow",
        "查询一个窗口",
        _STANDS,
        kinds=("unknown_window", "invalid_fields"),
        scope=Scope.WINDOWS,
    ),
    Operation(
        "get",
        _WINDOW + "/bindings",
        "getBindings",
        "查询窗口的配对和签到历史，最新的在前",
        {200: ("台账中的变更", list[Binding])},
        kinds=("unknown_window", "invalid_fields"),
        scope=Scope.BINDINGS,
    ),
    Operation(
        "put",
        _WINDOW + "/staff",
        "signOn",
        "工作人员签到；原来的人员、本人原来的窗口自动签退",
        _STANDS,
        Staff,
        ("unknown_window",),
        Scope.SIGN_ON_ANYONE,
    ),
    Operation(
        "delete",
        _WINDOW + "/staff",
        "signOff",
        "工作人员签退",
        _STANDS,
        kinds=_GONE,
        scope=Scope.SIGN_ON_ANYONE,
    ),
    Operation(
        "post",
        _WINDOW + "/pairing",
        "claim",
        "输入评价器上的配对码；评价器随即大字显示窗口名称，一分钟内等待确认",
        {202: ("正显示该窗口名称的评价器", Candidate)},
        PairingCode,
        ("unknown_window", "wrong_code", "too_many_tries", "kiosk_works"),
        Scope.PAIR,
    ),
    Operation(
        "post",
        _WINDOW + "/pairing/confirmation",
        "confirm",
        "看到评价器上的窗口名称无误后确认；窗口原有的评价器随之解除",
        _STANDS,
        Confirmation,
        ("unknown_window", "nothing_to_confirm", "kiosk_works"),
        Scope.PAIR,
    ),
    Operation(
        "post",
        _WINDOW + "/pairing/cancellation",
        "cancel",
        "显示窗口名称的是另一台评价器：取消",
        {204: ("已取消", None)},
        Confirmation,
        ("nothing_to_confirm",),
        Scope.PAIR,
    ),
    Operation(
        "delete",
        _WINDOW + "/pairing",
        "unpair",
        "解除窗口的评价器",
        _STANDS,
        kinds=(*_GONE, "not_paired"),
        scope=Scope.REBIND,
    ),
    Operation(
        "post",
        _WINDOW + "/pairing/move",
        "move",
        "把窗口的评价器移到另一个还没有评价器的窗口",
        {200: ("新窗口现在的情况", WindowStatus)},
        Move,
        ("unknown_window", "not_paired", "window_taken"),
        Scope.REBIND,
    ),
    Operation(
        "get",
        "/api/v1/renewals",
        "getRenewals",
        "查询等待续期的评价器（入网台用）",
        {200: ("证书申请，先到的在前", list[Request])},
        scope=Scope.RENEWALS,
    ),
    Operation(
        "put",
        "/api/v1/renewals/{device}",
        "answerRenewal",
        "交回新证书（入网台用）",
        {204: ("已收下，交给评价器", None)},
        NewCertificate,
        ("no_request", "certificate_unfit"),
        Scope.RENEWALS,
    ),
    Operation(
        "post",
        "/api/v1/documents",
        "putDocument",
        "上传一份证据文件：正文就是文件本身，PDF、JPEG 或 PNG，最大 10 MB；"
        "一天内没有用于认定的会清除",
        {201: ("已收下", KeptDocument)},
        bytes,
        ("document_unfit",),
        Scope.RULE,
    ),
    Operation(
        "post",
        "/api/v1/invitations/{id}/ruling",
        "rule",
        "复核认定：这次评价不予采纳，按未评计；评价本身和证据都保留，不能撤销，一次评价只认定一次",
        {201: ("已认定", RulingStatus)},
        RulingRequest,
        (
            "unknown_rating",
            "unknown_document",
            "already_ruled",
            "not_counted",
            "rating_erased",
            "rating_altered",
        ),
        Scope.RULE,
    ),
    Operation(
        "get",
        "/api/v1/invitations/{id}/ruling",
        "getRuling",
        "查询一次评价的复核认定",
        {200: ("复核认定，不含评价等级", RulingStatus)},
        kinds=("unknown_rating", "invalid_fields"),
        scope=Scope.RULE,
    ),
    Operation(
        "get",
        "/api/v1/rulings",
        "getRulings",
        "查询最近的 100 条复核认定，最新的在前",
        {200: ("复核认定，不含评价等级", list[RulingStatus])},
        scope=Scope.RULE,
    ),
    Operation(
        "get",
        "/api/v1/rulings/{before}",
        "getOlderRulings",
        "查询某一台账序号之前的 100 条复核认定",
        {200: ("复核认定，不含评价等级", list[RulingStatus])},
        kinds=("invalid_fields",),
        scope=Scope.RULE,
    ),
    Operation(
        "get",
        "/api/v1/documents/{digest}",
        "getDocument",
        "取回一份已用于认定的证据文件；每次取回都记入操作记录",
        {200: ("文件本身", bytes)},
        kinds=("unknown_document", "invalid_fields", "sealed"),
        scope=Scope.RULE,
    ),
    Operation(
        "post",
        "/api/v1/feed",
        "feed",
        "下级大厅报送一条记录；评价、复核认定、追评附上评价器签名的原文，收下前核验",
        {200: ("早已收下", FeedAnswer), 201: ("已收下，存盘后才应答", FeedAnswer)},
        FeedRequest,
        ("feed_refused",),
        Scope.FEED,
    ),
    Operation(
        "get",
        "/ledger/checkpoint",
        "getCheckpoint",
        "台账最新的签名检查点（C2SP tlog-checkpoint），任何人可查",
        {200: ("检查点，纯文本", str)},
        kinds=("unknown_entry",),
    ),
    Operation(
        "get",
        "/ledger/key",
        "getLedgerKey",
        "核对检查点用的公钥（C2SP signed-note），任何人可查",
        {200: ("公钥，纯文本", str)},
    ),
    Operation(
        "get",
        "/ledger/inclusion/{position}",
        "getInclusion",
        "证明台账中有某一条（RFC 6962），任何人可查",
        {200: ("包含证明", InclusionProof)},
        kinds=("unknown_entry", "invalid_fields"),
    ),
    Operation(
        "get",
        "/ledger/consistency/{before}",
        "getConsistency",
        "证明最新的台账是在较早的检查点之后续写的（RFC 6962），任何人可查",
        {200: ("一致证明", ConsistencyProof)},
        kinds=("unknown_entry", "invalid_fields"),
    ),
    Operation(
        "get",
        "/api/v1/openapi.json",
        "openapi",
        "本说明",
        {200: ("OpenAPI 3.1 文档", dict[str, Any])},
    ),
    Operation(
        "get",
        "/healthz",
        "healthz",
        "进程是否在运行",
        {200: ("在运行", Alive)},
    ),
    Operation(
        "get",
        "/readyz",
        "readyz",
        "能否正常工作",
        {200: ("可以", Health), 503: ("不可以，附原因", Health)},
    ),
)
