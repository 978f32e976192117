"""What the register holds, as a table for the people at the IT desk."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from protocol.certificates import Purpose, due_for_renewal
from protocol.topics import HUB
from provisioning.register import Entry, milliseconds


class State(StrEnum):
    """How a certificate stands; the value is what the table says."""

    VALID = "有效"
    DUE = "待续期"
    EXPIRED = "已过期"
    REVOKED = "已吊销"
    SUPERSEDED = "已替换"


HEADER = ("名称", "大厅", "用途", "状态", "到期日", "序列号", "原因")


def state(entry: Entry, now: datetime) -> State:
    """Return how a certificate stands at `now`."""
    if entry.revoked_at is not None:
        return State.SUPERSEDED if entry.superseded else State.REVOKED
    if milliseconds(now) >= entry.not_after:
        return State.EXPIRED
    return State.DUE if due_for_renewal(entry.certificate, now) else State.VALID


def is_kiosk(entry: Entry) -> bool:
    """Whether a certificate is a kiosk's; the others are those of hubs."""
    return entry.purpose == Purpose.DEVICE and not entry.name.startswith(HUB)


def newest(entries: Iterable[Entry]) -> list[Entry]:
    """Return the last certificate of each name, in order of the names."""
    latest = {(entry.purpose, entry.name): entry for entry in entries}
    return [latest[key] for key in sorted(latest)]


def rows(entries: Sequence[Entry], now: datetime) -> list[tuple[str, ...]]:
    """Return a row of `HEADER` for each certificate."""
    return [
        (
            entry.name,
            entry.hall or "—",
            "评价器" if is_kiosk(entry) else "服务器",
            state(entry, now).value,
            f"{datetime.fromtimestamp(entry.not_after // 1000, UTC).astimezone():%Y-%m-%d}",
            entry.hardware or "—",
            entry.reason,
        )
        for entry in entries
    ]
