"""The one tree of errors of the authority; each text says what to do next, in Chinese.

AuthorityError
├── WrongPassphrase        the passphrase does not open the keys
├── Refused                the key, the device or the name may not have this as things are
└── VoucherError           a voucher that opens nothing
    ├── VoucherUnknown     never made by this authority, or mistyped
    ├── VoucherUsed        it has had its one certificate
    ├── VoucherExpired     its time is over, or its device was revoked since
    └── VoucherForAnother  it is for another device than the one that shows it
"""


class AuthorityError(Exception):
    """The authority cannot do this."""


class WrongPassphrase(AuthorityError):
    """The passphrase does not open the keys."""


class Refused(AuthorityError):
    """The key, the device or the name may not have this as things are."""


class VoucherError(AuthorityError):
    """A voucher that opens nothing."""


class VoucherUnknown(VoucherError):
    """Never made by this authority, or mistyped."""


class VoucherUsed(VoucherError):
    """It has had its one certificate."""


class VoucherExpired(VoucherError):
    """Its time is over, or its device was revoked since it was made."""


class VoucherForAnother(VoucherError):
    """It is for another device than the one that shows it."""
