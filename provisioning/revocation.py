"""Taking certificates back. It needs no key; the list that tells the brokers does."""

from datetime import datetime

from provisioning.errors import Refused
from provisioning.register import Register, milliseconds


def revoke(register: Register, device: str, reason: str, now: datetime) -> int:
    """Revoke all certificates and unused vouchers of a device; return how many certificates.

    Repeating it is an error, so that a mistyped name is noticed. Raises `Refused` when there is
    nothing to take back.
    """
    at = milliseconds(now)
    with register.writing():
        held = register.holding(device, at)
        for entry in held:
            register.revoke(entry.serial_number, at, reason)
        cancelled = register.cancel_vouchers(device, at)
        if not held and not cancelled:
            known = "已经吊销或过期" if register.of_name(device) else "从未入网"
            raise Refused(
                f"{device} {known}，没有可以吊销的证书：请用 pingyi-provision list 核对名称"
            )
    return len(held)


def supersede(register: Register, device: str, key_digest: bytes, at: int) -> None:
    """Revoke what a device holds under any other key; inside `writing()`."""
    for entry in register.holding(device, at):
        if entry.key_digest != key_digest:
            reason = "同名评价器重新入网，旧密钥作废"
            register.revoke(entry.serial_number, at, reason, superseded=True)
