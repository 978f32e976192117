"""What changes users and keys: jobs of the writer, each with its entry in the audit trail.

The pages and the commands make the same changes.
"""

import re
from collections.abc import Iterable

from msgspec import Struct
from sqlite_utils import Database

from hub.accounts import lockout
from hub.accounts.errors import (
    KeyUnfit,
    NameTaken,
    NameUnfit,
    OwnAccount,
    RolesUnfit,
    RowForged,
    StaffTaken,
    UnknownKey,
    UnknownUser,
)
from hub.rules.access import KEY_SCOPES, Caller, Role, Scope
from hub.store import api_keys, audit, bindings, sessions, users
from hub.store.signet import Forged
from hub.store.users import User
from protocol.messages import Staff

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
DAY_MS = 86_400_000


class Job(Struct, frozen=True, kw_only=True):
    """Where a change is made, when (milliseconds since 1970) and by whom.

    `changed` gathers the kiosks that have something else to show after it.
    """

    db: Database
    now: int
    by: Caller
    changed: set[str]


def user(db: Database, name: str) -> User:
    """Return a user; raises `UnknownUser`, `RowForged`."""
    try:
        found = users.get(db, name)
    except Forged as error:
        raise RowForged(
            f"账号“{name}”的记录被人在数据文件里改动过，已不起作用。请保留现场并执行 "
            f"pingyi-hub verify；查明后在服务器上执行 pingyi-hub user disable {name} 删去它，"
            "再重新建立"
        ) from error
    if found is None:
        raise UnknownUser(f"没有名为“{name}”的账号，请核对账号名")
    return found


def check_name(name: str) -> None:
    """Raise `NameUnfit` for what is no name of an account."""
    if not _NAME.fullmatch(name):
        raise NameUnfit("账号名须为 2 至 32 个小写字母、数字或 . _ - ，以字母或数字开头")


def add_user(
    job: Job, name: str, roles: Iterable[Role], staff: Staff | None, password: str
) -> None:
    """Add a user; `password` is a hash.

    Raises `NameUnfit`, `NameTaken`, `RolesUnfit`, `StaffTaken`.
    """
    check_name(name)
    held = frozenset(roles)
    if not held:
        raise RolesUnfit("请至少选择一个角色")
    _check_staff(job.db, name, staff)
    if not users.add(job.db, name, held, staff, password=password, now=job.now):
        raise NameTaken(f"已有名为“{name}”的账号，请换一个名称")
    _note(job, "add_user", name, roles=_words(held), **_card(staff))


def set_roles(job: Job, name: str, roles: Iterable[Role]) -> None:
    """Give a user these roles; their sessions end. Raises `UnknownUser`, `RolesUnfit`."""
    before = user(job.db, name)
    held = frozenset(roles)
    if held == frozenset(before.roles):
        return
    if not held:
        raise RolesUnfit("请至少选择一个角色；不再使用的账号请停用")
    if job.by.name == f"user:{name}" and Role.IT not in held:
        raise RolesUnfit("不能取消自己的信息化管理角色：请由另一名管理员操作")
    users.set_roles(job.db, name, held, job.now)
    sessions.end_of(job.db, name, job.now, "roles")
    if Role.WINDOW not in held:
        _sign_off(job, before)
    _note(job, "set_roles", name, before=_words(before.roles), roles=_words(held))


def set_staff(job: Job, name: str, staff: Staff | None) -> None:
    """Say which clerk a user is; who was signed on as the one before is signed off.

    Raises `UnknownUser`, `StaffTaken`.
    """
    before = user(job.db, name)
    if staff == before.staff:
        return
    _check_staff(job.db, name, staff)
    users.set_staff(job.db, name, staff, job.now)
    _sign_off(job, before)
    _note(job, "set_staff", name, **_card(staff))


def give_password(job: Job, name: str, password: str) -> None:
    """Have a user choose a new password with this one (a hash). Raises `UnknownUser`."""
    user(job.db, name)
    users.set_password(job.db, name, password, job.now, must_change=True)
    sessions.end_of(job.db, name, job.now, "password")
    _note(job, "give_password", name)


def disable(job: Job, name: str) -> None:
    """Shut a user out, and off their window. Raises `UnknownUser`, `OwnAccount`.

    An account that the hub has not written like this is deleted: its name is free again.
    """
    if users.discard(job.db, name):
        sessions.end_of(job.db, name, job.now, "disabled")
        _note(job, "disable_user", name, why="forged")
        return
    before = user(job.db, name)
    if job.by.name == f"user:{name}":
        raise OwnAccount("不能停用自己的账号：请由另一名管理员操作")
    if before.disabled:
        return
    users.set_disabled(job.db, name, job.now, job.now)
    sessions.end_of(job.db, name, job.now, "disabled")
    _sign_off(job, before)
    _note(job, "disable_user", name)


def enable(job: Job, name: str) -> None:
    """Let a user in again. Raises `UnknownUser`."""
    if user(job.db, name).disabled:
        users.set_disabled(job.db, name, None, job.now)
        _note(job, "enable_user", name)


def unlock(job: Job, name: str) -> None:
    """Forget the wrong passwords of a user. Raises `UnknownUser`."""
    user(job.db, name)
    addresses = lockout.unlock(job.db, name)
    _note(job, "unlock", name, addresses=addresses)


def add_key(job: Job, label: str, scopes: Iterable[Scope], days: int | None) -> tuple[str, str]:
    """Make an interface key; return its id and, this once, the key. Raises `KeyUnfit`."""
    held = frozenset(scopes)
    if not label.strip():
        raise KeyUnfit("请填写密钥给谁用")
    if not held or not held <= KEY_SCOPES:
        raise KeyUnfit("请至少选择一项权限")
    expires_at = None if days is None else job.now + days * DAY_MS
    name, secret = api_keys.create(job.db, label, held, job.now, expires_at=expires_at)
    audit.note(
        job.db,
        job.now,
        job.by.name,
        "add_key",
        name,
        detail={"label": label, "scopes": " ".join(sorted(held)), "days": days, **_from(job.by)},
    )
    return name, secret


def revoke_key(job: Job, name: str) -> None:
    """Have a key open nothing from now on. Raises `UnknownKey`."""
    if not api_keys.revoke(job.db, name, job.now):
        raise UnknownKey(
            f"没有编号为“{name}”的有效密钥，可能已经停用：用 pingyi-hub key list 或“接口密钥”页查看"
        )
    audit.note(job.db, job.now, job.by.name, "revoke_key", name, detail=_from(job.by))


def _check_staff(db: Database, name: str, staff: Staff | None) -> None:
    if staff is None:
        return
    for other in users.listed(db):
        if other.name == name or other.staff is None or not other.genuine:
            continue
        same = staff.number == other.staff.number
        if same and (staff.number or staff.name == other.staff.name):
            raise StaffTaken(
                f"账号“{other.name}”已登记为{other.staff.name}（工号 {other.staff.number}），"
                "请核对姓名和工号"
            )


def _sign_off(job: Job, before: User) -> None:
    """Let a clerk go from the window where they are signed on as what their account said."""
    for window, held in bindings.seats(job.db).items():
        if before.staff is not None and held.staff == before.staff:
            bindings.sign_off(job.db, window, by=job.by.name, now=job.now, why="account")
            audit.note(
                job.db,
                job.now,
                job.by.name,
                "sign_off",
                window,
                detail={"name": held.staff.name, **_from(job.by)},
            )
            device = bindings.device_of(job.db, window)
            if device is not None:
                job.changed.add(device)


def _note(job: Job, action: str, user_name: str, /, **detail: str | int) -> None:
    told = {**detail, **_from(job.by)}
    audit.note(job.db, job.now, job.by.name, action, f"user:{user_name}", detail=told)


def _from(by: Caller) -> dict[str, str]:
    return {"address": by.address} if by.address else {}


def _card(staff: Staff | None) -> dict[str, str]:
    return {} if staff is None else {"name": staff.name, "number": staff.number}


def _words(roles: Iterable[Role]) -> str:
    held = frozenset(roles)
    return " ".join(role for role in Role if role in held)
