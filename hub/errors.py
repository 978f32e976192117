"""Requests that cannot be met: one class for each, told to integrators by its `code`."""


class DeskError(Exception):
    """A request that cannot be met; `code` is stable, the text says what to do, in Chinese."""

    code = "desk"


class UnknownWindow(DeskError):
    """No window of that name is configured."""

    code = "unknown_window"


class UnknownCase(DeskError):
    """The case was not registered before."""

    code = "unknown_case"


class CaseFixed(DeskError):
    """The citizen was shown another matter; it cannot be changed under their rating."""

    code = "case_fixed"


class AlreadyRated(DeskError):
    """A service of a case has its rating already: one service, one rating."""

    code = "already_rated"


class OpenElsewhere(DeskError):
    """The same service is open at another kiosk."""

    code = "open_elsewhere"


class WindowPaused(DeskError):
    """The window is paused; nobody can be invited there."""

    code = "window_paused"


class NobodySignedOn(DeskError):
    """No clerk is signed on at the window."""

    code = "nobody_signed_on"


class AnotherClerk(DeskError):
    """The clerk that a window system names is not the one who is signed on."""

    code = "another_clerk"


class NotPaired(DeskError):
    """No kiosk is paired with the window."""

    code = "not_paired"


class WrongCode(DeskError):
    """No kiosk shows that pairing code now."""

    code = "wrong_code"


class TooManyTries(DeskError):
    """Too many wrong codes; `wait_s`: seconds until the next one is looked at."""

    code = "too_many_tries"

    def __init__(self, text: str, wait_s: int) -> None:
        super().__init__(text)
        self.wait_s = wait_s


class NothingToConfirm(DeskError):
    """No kiosk is waiting for its window to be confirmed, or it waited too long."""

    code = "nothing_to_confirm"


class KioskWorks(DeskError):
    """The window's kiosk answers: only who may rebind takes it away."""

    code = "kiosk_works"


class WindowTaken(DeskError):
    """The window that a kiosk is to move to has one already."""

    code = "window_taken"


class StaffUnknown(DeskError):
    """The user who signs on is no clerk that citizens could be shown."""

    code = "staff_unknown"


class NoRequest(DeskError):
    """The kiosk has not asked for a certificate."""

    code = "no_request"


class CertificateUnfit(DeskError):
    """What the desk sent is no certificate for this kiosk."""

    code = "certificate_unfit"


class UnknownRating(DeskError):
    """There is no rating of that service, or none that answers that invitation."""

    code = "unknown_rating"


class AlreadyRuled(DeskError):
    """A rating is ruled on once."""

    code = "already_ruled"


class NotCounted(DeskError):
    """The rating is not its service's one rating: it does not count anyway."""

    code = "not_counted"


class RatingErased(DeskError):
    """The rating's content has been erased: nobody can look at what they rule on."""

    code = "rating_erased"


class OwnRating(DeskError):
    """Nobody rules on a rating of themselves."""

    code = "own_rating"


class DocumentUnfit(DeskError):
    """No evidence document: not PDF, JPEG or PNG, empty, or too large."""

    code = "document_unfit"


class UnknownDocument(DeskError):
    """The document has not been put in, or was dropped because nobody used it within a day."""

    code = "unknown_document"


class RatingAltered(DeskError):
    """What the ledger holds of the rating does not fit its kiosk's signature."""

    code = "rating_altered"


class FeedRefused(DeskError):
    """A record of a smaller hall that this one will not take as it is."""

    code = "feed_refused"


class OfAnotherHall(DeskError):
    """Another hall has fed this service: it is theirs."""

    code = "of_another_hall"
