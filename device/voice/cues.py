"""What is said when, and how loud: a function of what is on the screen, but never of the level."""

from enum import StrEnum

from msgspec import Struct

from device import panel
from device.session import Screen
from device.view import View
from device.voice.settings import VoiceConfig


class Cue(StrEnum):
    """What the kiosk can say; also the name of its file, with `.wav` behind it."""

    INVITED = "invited"
    THANKS = "thanks"
    INVITED_EN = "invited-en"
    THANKS_EN = "thanks-en"


WORDS = {
    Cue.INVITED: "请您评价本次服务。",
    Cue.THANKS: "谢谢，您的评价已保存。",
    Cue.INVITED_EN: "Please rate this service.",
    Cue.THANKS_EN: "Thank you. Your rating is saved.",
}
ENGLISH = {Cue.INVITED: Cue.INVITED_EN, Cue.THANKS: Cue.THANKS_EN}


class Say(Struct, frozen=True):
    """One thing to say; `volume` in percent."""

    cue: Cue
    volume: int


class Cues:
    """Follows the pictures, one after the other."""

    def __init__(self, config: VoiceConfig) -> None:
        self._config = config
        self._hours = [(panel.hours(each.time), each.volume) for each in config.hours]
        self._asked: tuple[str, bool, bool] | None = None
        self._thanked = False

    def look(self, view: View) -> Say | None:
        """Return what is to be said as this picture comes on. It takes microseconds.

        The invitation is said once, and anew in the language or the size that the citizen asks
        for. Thanks is said when the tap is on disk, after an undone tap and another one again.
        """
        session = view.session
        if session.screen is not Screen.THANKS:
            self._thanked = False
        if session.screen is Screen.INVITED and session.invitation is not None:
            asked = (session.invitation.id, session.english, session.elder)
            if asked == self._asked:
                return None
            self._asked = asked
            return self._say(Cue.INVITED, view)
        if session.screen is Screen.THANKS and session.kept and not self._thanked:
            self._thanked = True
            return self._say(Cue.THANKS, view)
        return None

    def _say(self, cue: Cue, view: View) -> Say | None:
        volume = self.volume(view)
        if volume == 0:
            return None
        return Say(ENGLISH[cue] if view.session.english else cue, volume)

    def volume(self, view: View) -> int:
        """Return the volume in percent; by day's, while the time is not known."""
        volume = self._config.volume
        if view.hub_ms is not None:
            minute = (view.hub_ms + panel.CHINA_MS) // 60_000 % panel.DAY_MINUTES
            volume = next((v for hours, v in self._hours if hours and minute in hours), volume)
        elder = view.session.elder or bool(view.settings and view.settings.elder)
        if elder and volume:
            volume = min(100, volume + self._config.elder_extra)
        return volume
