"""Voucher and certificate for one kiosk on the cable, so that a cut costs no second voucher.

The voucher of an enrolment under way is kept beside the register until the kiosk has said that
it is enrolled: a desk that was switched off between signing and delivery finds it again, and
hands out the certificate that was made for it.
"""

from datetime import UTC, datetime
from pathlib import Path

from provisioning import files, vouchers
from provisioning.authority import Authority
from provisioning.errors import VoucherError, VoucherUnknown
from provisioning.register import milliseconds


def _now() -> datetime:
    return datetime.now(UTC)


class Issuing:
    """Hands out one device's voucher and certificate; safe beside others in other threads."""

    def __init__(self, authority: Authority, directory: Path, device: str, hall: str) -> None:
        self._authority = authority
        self._device = device
        self._hall = hall
        self._kept = directory / "enrolling" / device

    def voucher(self, request: str) -> str:
        """Return a voucher good for this request; raises as `Authority.voucher`, or OSError."""
        kept = self._kept.read_text("ascii") if self._kept.exists() else ""
        if kept and self._serves(kept, request):
            return kept
        fresh = self._authority.voucher(self._device, self._hall, _now())
        self._kept.parent.mkdir(mode=0o700, exist_ok=True)
        self._kept.unlink(missing_ok=True)
        files.write(self._kept, fresh.encode("ascii"), files.PRIVATE)
        return fresh

    def issue(self, request: str, voucher: str, hardware: str) -> str:
        """Return the chain for this request, new or as issued before; raises as `Authority`."""
        csr = request.encode()
        try:
            return self._authority.collect(csr, voucher).decode("ascii")
        except VoucherUnknown:
            chain = self._authority.issue(csr, voucher, _now(), hardware=hardware)
            return chain.decode("ascii")

    def finished(self) -> None:
        """The kiosk has its identity: the voucher need not be kept any longer."""
        self._kept.unlink(missing_ok=True)

    def _serves(self, voucher: str, request: str) -> bool:
        """Whether it can still be used, or has been, lately, for this very key and hall."""
        right = self._authority.register.voucher(vouchers.digest(voucher))
        if right is None or right.hall != self._hall or milliseconds(_now()) >= right.expires_at:
            return False
        try:
            if right.used_for is None:
                vouchers.check(right, milliseconds(_now()))
            else:
                self._authority.collect(request.encode(), voucher)
        except VoucherError:
            return False
        return True
