"""A kiosk without a display: what a person must read off its screen stands in its log as well."""

import logging

from device.view import Rest, View, rest

log = logging.getLogger(__name__)


class PairingLog:
    """Says once of each pairing code, and of each window to be confirmed, that it is shown.

    `see` gets every view that is drawn. Only for `--headless`: in a hall a code is read off the
    screen, by who stands before it.
    """

    def __init__(self) -> None:
        self._told = ""

    def see(self, view: View) -> None:
        """Say what is new about the pairing."""
        told = _words(view)
        if told and told != self._told:
            log.warning(told)
        self._told = told


def _words(view: View) -> str:
    pairing, shown = view.settings.pairing if view.settings else None, rest(view)
    if pairing is None:
        return ""
    if shown is Rest.CODE:
        return f"pairing=code 配对码 {pairing.code}：请在服务器的“配对评价器”页面输入"
    if shown is Rest.CONFIRM and pairing.window is not None:
        return f"pairing=confirm 正显示“{pairing.window.name}”：请在服务器的页面确认"
    return ""
