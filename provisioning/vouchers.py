"""Vouchers: the right to one certificate, for one device, for some hours, once."""

import hashlib
import re

from provisioning.register import Voucher

BYTES = 16
"""A voucher is a random number of 128 bits: nobody guesses one."""


class VoucherError(Exception):
    """A voucher that opens nothing; the text says what to do, in Chinese."""


class VoucherUnknown(VoucherError):
    """Never made by this authority, or mistyped."""


class VoucherUsed(VoucherError):
    """It has had its one certificate."""


class VoucherExpired(VoucherError):
    """Its time is over, or the device was revoked since it was made."""


class VoucherForAnother(VoucherError):
    """It is for another device than the one that shows it."""


def text(random: bytes) -> str:
    """Return a voucher as it is shown and typed: eight groups of four hexadecimal digits."""
    return "-".join(re.findall("....", random.hex()))


def digest(voucher: str) -> bytes:
    """Return what the register keeps of a voucher; dashes, blanks and case do not matter."""
    plain = re.sub(r"[\s-]", "", voucher).lower()
    return hashlib.sha256(plain.encode()).digest()


def check(voucher: Voucher | None, now: int) -> Voucher:
    """Return the voucher if it may be used at `now` (milliseconds); else raise `VoucherError`."""
    if voucher is None:
        raise VoucherUnknown("没有这张入网凭证：请核对是否抄错，或用 voucher 命令重新开具")
    if voucher.used_for is not None:
        raise VoucherUsed(f"{voucher.device} 的这张入网凭证已经用过：请用 voucher 命令重新开具一张")
    if voucher.cancelled_at is not None:
        raise VoucherExpired(
            f"{voucher.device} 已被吊销，之前的入网凭证随之作废：确需入网请重新开具"
        )
    if now >= voucher.expires_at:
        raise VoucherExpired(f"{voucher.device} 的这张入网凭证已过期：请用 voucher 命令重新开具")
    return voucher
