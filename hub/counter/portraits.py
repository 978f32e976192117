"""Whose photograph citizens see beside a clerk's name: jobs of the writer, each in the audit trail.

What is given is made by `hub.counter.picture`; kiosks learn of it from `hub.counter.board`.
"""

from hub.accounts.changes import Job, user
from hub.accounts.errors import AccountError
from hub.store import audit, bindings, portraits
from hub.store.users import User


class NoClerk(AccountError):
    """An account that is no clerk has no face that citizens could see."""

    code = "no_clerk"


def add(job: Job, name: str, picture: bytes) -> None:
    """Show citizens this picture of the clerk whose account this is.

    Raises `UnknownUser`, `NoClerk`.
    """
    found = user(job.db, name)
    if found.staff is None:
        raise NoClerk("该账号没有登记窗口工作人员的姓名和工号：请先补充，再上传照片")
    portraits.put(job.db, name, found.staff, picture, job.now)
    _tell(job, found, "add_portrait")


def remove(job: Job, name: str) -> None:
    """Show citizens no picture of this clerk any more. Raises `UnknownUser`."""
    found = user(job.db, name)
    if portraits.remove(job.db, name):
        _tell(job, found, "remove_portrait")


def _tell(job: Job, found: User, action: str) -> None:
    """Have the audit trail and the kiosk where the clerk sits learn of it."""
    shown = {"name": found.staff.name, "number": found.staff.number} if found.staff else {}
    audit.note(job.db, job.now, job.by, action, f"user:{found.name}", detail=shown)
    for window, held in bindings.seats(job.db).items():
        if found.staff is None or found.staff.name != held.staff.name:
            continue
        device = bindings.device_of(job.db, window)
        if device is not None and held.staff.number == found.staff.number:
            job.changed.add(device)
