"""What cannot be done with accounts and keys; each text says what to do, in Chinese.

`status`: the HTTP status of a page that tells it.
"""

from hub.errors import DeskError


class AccountError(DeskError):
    """A change of accounts or keys that cannot be made."""

    code = "account"
    status = 409


class SignInRefused(AccountError):
    """Name or password is wrong, or the account is disabled: which, is not told."""

    code = "sign_in_refused"
    status = 401


class PasswordUnfit(AccountError):
    """A password that would be guessed, or is the old one."""

    code = "password_unfit"
    status = 422


class Crowded(AccountError):
    """As many passwords are being checked as may be."""

    code = "crowded"
    status = 503


class NameTaken(AccountError):
    """There is a user of that name."""

    code = "name_taken"


class NameUnfit(AccountError):
    """No name for an account."""

    code = "name_unfit"
    status = 422


class RolesUnfit(AccountError):
    """A user without any role, or one who would shut themselves out."""

    code = "roles_unfit"
    status = 422


class StaffTaken(AccountError):
    """Another user is that clerk already."""

    code = "staff_taken"


class OwnAccount(AccountError):
    """Nobody disables themselves: another one has to."""

    code = "own_account"


class UnknownUser(AccountError):
    """There is no user of that name."""

    code = "unknown_user"
    status = 404


class UnknownKey(AccountError):
    """There is no key of that id that works."""

    code = "unknown_key"
    status = 404


class KeyUnfit(AccountError):
    """A key without a label or without any scope."""

    code = "key_unfit"
    status = 422
