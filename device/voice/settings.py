"""The section `[voice]` of the kiosk's configuration."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from device import panel
from protocol.messages import Part

Percent = Annotated[int, Meta(ge=0, le=100)]


class VoiceHours(Part, frozen=True, kw_only=True):
    """Another volume at a time of day: `time` as "12:00-13:30", in China."""

    time: Annotated[str, Meta(min_length=1, max_length=11)]
    volume: Percent


class VoiceConfig(Part, frozen=True, kw_only=True):
    """How the kiosk speaks.

    `folder`: the hall's own files, from the configuration's directory; what it lacks is spoken by
    espeak-ng. Volumes are in percent; `elder_extra` is added for those who have asked for
    长者模式, except where the volume is 0. Of `hours` the first that holds counts.
    """

    enabled: bool = True
    folder: Annotated[str, Meta(max_length=255)] = ""
    volume: Percent = 70
    elder_extra: Percent = 30
    hours: Annotated[tuple[VoiceHours, ...], Meta(max_length=24)] = ()


def faults(config: VoiceConfig) -> Iterator[tuple[str, str]]:
    """Give the place and the Chinese words of each time of day that cannot be read."""
    for number, each in enumerate(config.hours):
        try:
            found = panel.hours(each.time)
        except ValueError:
            found = None
        if found is None:
            place = f"voice.hours[{number}].time"
            yield place, "应写成“12:00-13:30”的样子（24 小时制）"
