"""The MQTT topics: `pingyi/v1/{hall}/{device}/{leaf}` and nothing else."""

import re
from enum import StrEnum
from typing import NamedTuple

from protocol.errors import TopicError

ROOT = "pingyi/v1"
HUB = "hub-"
"""How the CN of a hub begins, by which it may speak to all kiosks: none may be called like it."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)


class Leaf(StrEnum):
    """The last level of a topic; who writes it is in `UP` and `DOWN`."""

    STATE = "state"
    SHOWN = "shown"
    RATING = "rating"
    REPLY = "reply"
    RENEWAL = "renewal"
    INVITATION = "invitation"
    RECEIPT = "receipt"
    SETTINGS = "settings"
    COMMAND = "command"
    CERTIFICATE = "certificate"
    PORTRAIT = "portrait"


UP = frozenset({Leaf.STATE, Leaf.SHOWN, Leaf.RATING, Leaf.REPLY, Leaf.RENEWAL})
DOWN = frozenset(
    {
        Leaf.INVITATION,
        Leaf.RECEIPT,
        Leaf.SETTINGS,
        Leaf.COMMAND,
        Leaf.CERTIFICATE,
        Leaf.PORTRAIT,
    }
)


class Topic(NamedTuple):
    """A topic taken apart."""

    hall: str
    device: str
    leaf: Leaf

    def __str__(self) -> str:
        """The topic as the broker sees it."""
        return f"{ROOT}/{self.hall}/{self.device}/{self.leaf.value}"


def name(text: str) -> str:
    """Return `text` if it can name a hall or a device, else raise `TopicError`.

    Names are 1 to 32 of a-z, 0-9 and '-', not starting with '-': they are also the
    certificate's CN and the MQTT user name, where no other sign is safe everywhere.
    """
    if not _NAME.fullmatch(text):
        raise TopicError(f"名称“{text[:40]}”只能用小写字母、数字和“-”，最长 32 个字符")
    return text


def topic(hall: str, device: str, leaf: Leaf) -> str:
    """Build one topic; raises `TopicError` for a name that cannot stand in it."""
    return str(Topic(name(hall), name(device), leaf))


def parse(text: str) -> Topic:
    """Take a topic apart; raises `TopicError` for any that is not ours."""
    parts = text.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT or parts[4] not in set(Leaf):
        raise TopicError(f"not a topic of pingyi: {text[:120]!r}")
    return Topic(name(parts[2]), name(parts[3]), Leaf(parts[4]))


def hub_subscriptions(hall: str) -> list[str]:
    """What the hub of a hall listens to: every up leaf of every device."""
    return [f"{ROOT}/{name(hall)}/+/{leaf.value}" for leaf in sorted(UP)]


def device_subscriptions(hall: str, device: str) -> list[str]:
    """What one device listens to: its own down leaves."""
    return [topic(hall, device, leaf) for leaf in sorted(DOWN)]
