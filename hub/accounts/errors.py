"""What cannot be done with accounts and keys; each text says what to do, in Chinese.

`status`: the HTTP status of a page that tells it. There are no codes: no window system meets them.
"""

from hub.errors import DeskError


class AccountError(DeskError):
    """A change of accounts or keys that cannot be made."""

    status = 409


class SignInRefused(AccountError):
    """Name or password is wrong, or the account is disabled: which, is not told."""

    status = 401


class PasswordUnfit(AccountError):
    """A password that would be guessed, or is the old one."""

    status = 422


class Crowded(AccountError):
    """As many passwords are being checked as may be."""

    status = 503


class NameTaken(AccountError):
    """There is a user of that name."""


class NameUnfit(AccountError):
    """No name for an account."""

    status = 422


class RolesUnfit(AccountError):
    """A user without any role, or one who would shut themselves out."""

    status = 422


class StaffTaken(AccountError):
    """Another user is that clerk already."""


class OwnAccount(AccountError):
    """Nobody disables themselves: another one has to."""


class UnknownUser(AccountError):
    """There is no user of that name."""

    status = 404


class UnknownKey(AccountError):
    """There is no key of that id that works."""

    status = 404


class KeyUnfit(AccountError):
    """A key without a label or without any scope."""

    status = 422


class RowForged(AccountError):
    """An account that the hub has not written like this: it cannot be changed, only removed."""
