"""Roles, scopes, actions and their details in the words of the halls: pages and commands."""

from datetime import datetime

from hub.rules.access import Role, Scope
from hub.rules.days import CHINA
from hub.store.audit import Act

ROLES = {
    Role.WINDOW: "窗口人员",
    Role.SUPERVISOR: "督导",
    Role.OFFICE: "办公室",
    Role.IT: "信息化管理员",
    Role.AUDITOR: "审计",
}

ROLE_MEANINGS = {
    Role.WINDOW: "在窗口签到、签退，给窗口配对评价器",
    Role.SUPERVISOR: "查看各窗口和历史，暂停、恢复窗口",
    Role.OFFICE: "督导的全部，另可解除、移动评价器，对评价作复核认定",
    Role.IT: "管理评价器、账号和接口密钥",
    Role.AUDITOR: "查看操作记录、窗口历史和评价器，不能改动",
}

SCOPES = {
    Scope.CASES: "登记和查询办件",
    Scope.INVITE: "邀请评价、撤回、查询邀请",
    Scope.PAUSE: "暂停和恢复窗口",
    Scope.WINDOWS: "查看各窗口的情况",
    Scope.SIGN_ON_ANYONE: "为任何工作人员签到、签退",
    Scope.PAIR: "给空窗口或评价器已坏的窗口配对",
    Scope.REBIND: "解除、移动、更换正常工作的评价器",
    Scope.BINDINGS: "查看配对和签到的历史",
    Scope.DEVICES: "查看评价器",
    Scope.RENEWALS: "取走续期申请、交回新证书（入网台用）",
    Scope.RULE: "对评价作复核认定，查询认定",
    Scope.FEED: "下级大厅报送办件和评价（用途写下级大厅的名称）",
}

_OF_PEOPLE = {
    Scope.SIGN_ON: "本人签到、签退",
    Scope.ACCOUNTS: "管理账号和接口密钥",
    Scope.AUDIT: "查看操作记录",
}
"""What only people may, never a key."""

_ACTIONS = {
    "sign_in": "登录",
    "sign_out": "退出登录",
    "session": "使用已结束的登录",
    "lock": "因口令错误锁定",
    "lock_over": "锁定期结束",
    "unlock": "解除锁定",
    "change_password": "修改口令",
    "give_password": "重设口令",
    "add_user": "新建账号",
    "set_roles": "调整角色",
    "set_staff": "修改工作人员信息",
    "disable_user": "停用账号",
    "enable_user": "启用账号",
    "add_key": "新建接口密钥",
    "revoke_key": "停用接口密钥",
    "api": "调用接口",
    "forbidden": "无权操作",
    "sign_on": "窗口签到",
    "sign_off": "窗口签退",
    "pair": "配对评价器",
    "unpair": "解除评价器",
    "correct_case": "评价邀请后更正办件",
    "pause": "暂停窗口",
    "resume": "恢复窗口",
    "learn_device": "登记评价器证书",
    "renewal_asked": "评价器申请续期",
    "renew": "交回续期证书",
    "revoke": "吊销评价器",
    "lift_revocation": "撤销吊销",
    "add_portrait": "上传工作人员照片",
    "remove_portrait": "删除工作人员照片",
    "find_citizen": "查找办件人信息",
    "erase_citizen": "删除办件人信息",
    "retention": "按保存期限清理",
    "rotate_keys": "更换办件人信息的密钥",
    "drop_keys": "删除不再使用的密钥",
    "look_rating": "查看评价",
    "keep_document": "存入证据文件",
    "look_document": "查看证据文件",
    "rule": "复核认定不采纳",
    "begin_marks": "开始给操作记录加标记",
    "forged": "发现不是本服务器登记的记录",
}

_DETAILS = {
    "address": "来自",
    "why": "原因",
    "times": "次数",
    "seconds": "锁定秒数",
    "ignored": "锁定期间未受理的次数",
    "roles": "角色",
    "before": "原角色",
    "name": "姓名",
    "number": "工号",
    "label": "用途",
    "scopes": "权限",
    "days": "有效天数",
    "device": "评价器",
    "reason": "说明",
    "until": "有效期至",
    "addresses": "涉及地址数",
    "entry": "台账序号",
    "evidence": "证据文件数",
    "bytes": "字节数",
    "entries": "此前的操作记录数",
    "users": "账号数",
    "keys": "密钥数",
    "digest": "此前记录的指纹",
    "row": "记录的指纹",
}

_WHYS = {
    "wrong_password": "口令不对",
    "unknown_user": "没有这个账号",
    "disabled": "账号已停用",
    "forged": "不是本服务器登记的，已删去",
    "changed_meanwhile": "账号刚被改动",
    "wrong_key": "密钥不对或已失效",
    "no_key": "没有带密钥",
    "csrf": "不是从本系统页面发出",
    "many": "种类过多，合并计数",
    "pair_locked": "该账号在该地址",
    "name_locked": "该账号在没有登录过的地址",
    "address_locked": "该地址的全部账号",
    "sign_out": "已退出",
    "idle": "长时间没有操作",
    "over": "超过最长登录时间",
    "clock": "服务器时钟被调回",
    "again": "同一浏览器重新登录",
    "password": "口令已更改",
    "roles": "角色已调整",
    "moved": "到别的窗口签到",
    "replaced": "换人",
    "end_of_day": "当天结束",
    "window_removed": "窗口已撤销",
    "account": "账号变动",
    "wrong_code": "配对码不对",
    "kiosk_works": "评价器工作正常",
    "nothing_to_confirm": "没有等待确认的配对",
    "staff_unknown": "不是本人，或没有工作人员信息",
}

_ACTORS = {
    "console": "服务器命令行",
    "hub": "服务器",
    "unknown": "未登录者",
}

_TERMS = {
    "citizens": "办件人信息",
    "comments": "群众留言",
    "refused": "拒收的留言",
    "evidence": "拒收的原文",
}
"""What terms of retention are of."""


def when(at: int) -> str:
    """Return a moment in Beijing time, to the second."""
    return f"{datetime.fromtimestamp(at / 1000, CHINA):%Y-%m-%d %H:%M:%S}"


def action(word: str) -> str:
    """Return what was done."""
    return _ACTIONS.get(word, word)


def who(actor: str) -> str:
    """Return who did it, or whom it was done to."""
    kind, _, name = actor.partition(":")
    if kind == "user" and name:
        return f"账号 {name}"
    if kind == "key" and name:
        return f"密钥 {name}"
    if kind == "session" and name:
        return f"账号 {name} 的登录"
    if kind == "act" and name:
        return f"操作记录第 {name} 条"
    if kind == "portrait" and name:
        return f"账号 {name} 的照片"
    return _ACTORS.get(actor) or _TERMS.get(actor, actor)


def scope(word: str) -> str:
    """Return what a scope allows; the word itself where it is none of ours."""
    return (SCOPES | _OF_PEOPLE).get(Scope(word), word) if word in set(Scope) else word


def why(word: str) -> str:
    """Return a reason; the word itself where it has no other name."""
    if word in set(Scope):
        return f"缺少权限：{scope(word)}"
    return _WHYS.get(word, word)


def details(act: Act) -> list[tuple[str, str]]:
    """Return the details of an entry as pairs of name and text."""
    found = []
    for key, value in act.detail.items():
        if value in (None, ""):
            continue
        text = str(value)
        if key == "why":
            text = why(text)
        elif key == "scopes":
            text = "；".join(map(scope, text.split()))
        elif key in ("roles", "before"):
            text = "、".join(map(_role, text.split()))
        elif key == "until" and isinstance(value, int):
            text = when(value)
        found.append((_DETAILS.get(key, key), text))
    return found


def _role(word: str) -> str:
    return ROLES[Role(word)] if word in set(Role) else word
