"""Vouchers: the right to one certificate, for one device of one hall, for some hours, once."""

import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from protocol import topics
from protocol.topics import HUB
from provisioning.errors import Refused, VoucherExpired, VoucherUnknown, VoucherUsed
from provisioning.register import Register, Voucher, milliseconds

BYTES = 16
"""A voucher is a random number of 128 bits: nobody guesses one."""

HOURS = 24
"""How long a voucher lives unless told otherwise."""


def new(
    register: Register,
    device: str,
    hall: str,
    now: datetime,
    *,
    hours: int = HOURS,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """Return a new voucher: eight groups of four hexadecimal digits.

    Only its digest is kept, so it can be shown this once only. Raises `TopicError` for a name
    that cannot be used, `Refused` for a hub's name or one that another hall has.
    """
    check_name(device)
    topics.name(hall)
    secret = random_bytes(BYTES).hex()
    at = milliseconds(now)
    expires_at = milliseconds(now + timedelta(hours=hours))
    with register.writing():
        check_hall(register, device, hall, at)
        register.add_voucher(digest(secret), Voucher(device, hall, expires_at), at)
    return "-".join(re.findall("....", secret))


def check(voucher: Voucher | None, at: int) -> Voucher:
    """Return the voucher if it may be used at `at` (milliseconds); else raise `VoucherError`."""
    if voucher is None:
        raise VoucherUnknown("没有这张入网凭证：请重新执行 enrol，会另开一张")
    if voucher.used_for is not None:
        raise VoucherUsed(f"{voucher.device} 的这张入网凭证已经用过：请重新执行 enrol，会另开一张")
    if voucher.cancelled_at is not None:
        raise VoucherExpired(
            f"{voucher.device} 已被吊销，之前的入网凭证随之作废：确需入网请重新执行 enrol"
        )
    if at >= voucher.expires_at:
        raise VoucherExpired(f"{voucher.device} 的这张入网凭证已过期：请重新执行 enrol，会另开一张")
    return voucher


def check_name(device: str) -> None:
    """Raise `TopicError` or `Refused` for a name that no kiosk may have."""
    if topics.name(device).startswith(HUB):
        raise Refused(
            f"“{HUB}”开头的名称只给大厅服务器：评价器请换一个名称；"
            "服务器的身份用 pingyi-provision server-certificate 签发"
        )


def check_hall(register: Register, device: str, hall: str, at: int) -> None:
    """Raise `Refused` if the device holds a certificate for another hall.

    Brokers know a device by its name alone: the same name in two halls could speak in both.
    """
    for entry in register.holding(device, at):
        if entry.hall != hall:
            raise Refused(
                f"{device} 已在大厅 {entry.hall} 入网：请换一个名称，"
                f"或先执行 pingyi-provision revoke {device}"
            )


def digest(voucher: str) -> bytes:
    """Return what the register keeps of a voucher; dashes, blanks and case do not matter."""
    plain = re.sub(r"[\s-]", "", voucher).lower()
    return hashlib.sha256(plain.encode(errors="replace")).digest()
