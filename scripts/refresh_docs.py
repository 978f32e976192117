#!/usr/bin/env python3
"""Writes anew what docs/ takes from the code: the session's diagram, messages, tables.

Each part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of a page is
left alone. `tests/test_docs.py` fails while a page is not as this script would write it.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from device import events, session
from device.session import Screen, Session
from hub.web.problems import KINDS
from protocol import messages, topics, wire
from protocol.messages import Invitation, Staff, Stamp, Window

DOCS = Path(__file__).parents[1] / "docs"
DEPTH = 7
BOOT = "b" * 32
CASE = Invitation(
    id="1" * 32,
    serial="120116202601060000000101",
    service_number=1,
    matter="企业设立登记",
    window=Window(name="1号窗口", label="综合受理"),
    staff=Staff(name="示例甲", number="0317", post="综合受理"),
    issued_at=1_767_664_800_000,
    ttl_ms=60_000,
)
STAMP = Stamp(boot=BOOT, mono_ms=83_000, offset_ms=1_767_664_720_000, uncertainty_ms=2)


# ---------------------------------------------------------------- the session's table


def _events(now: int, at: Session) -> Iterator[events.Event]:
    """Everything that can happen, once each way that makes a difference."""
    current = at.invitation.id if at.invitation else CASE.id
    other = msgspec.structs.replace(CASE, id="2" * 32, service_number=2)
    yield events.Offer(now, other if current == CASE.id else CASE, 600_000)
    yield events.Offer(now, None)
    yield events.Tap(now, current, 5)
    yield events.Tap(now, current, 1)
    yield events.Touch(now)
    yield events.Choose(now, "510")
    yield events.Choose(now, "108")
    yield events.Write(now, "示例")
    yield events.Submit(now)
    yield events.Skip(now)
    yield events.Undo(now)
    yield events.Stay(now)
    yield events.Speak(now, english=not at.english)
    yield events.Enlarge(now, elder=not at.elder)
    if at.deadline_ms is not None:
        yield events.Tick(at.deadline_ms)
    yield events.Saved(now, at.revision)
    yield events.SaveFailed(now)
    yield events.Recovered(now)
    yield events.Pause(now, "休息")
    yield events.Pause(now, None)


def edges() -> dict[tuple[Screen, type[events.Event]], set[Screen]]:
    """Walk from the idle screen; return where each pair of the table was seen to lead."""
    found: dict[tuple[Screen, type[events.Event]], set[Screen]] = defaultdict(set)
    now = 1_000
    reached: dict[str, Session] = {"": Session()}
    known: set[str] = set()
    for _ in range(DEPTH):
        now += 1_000
        fresh: dict[str, Session] = {}
        for at in reached.values():
            for event in _events(now, at):
                try:
                    then, _ = session.step(at, event)
                except session.Refused:
                    continue
                found[at.screen, type(event)].add(then.screen)
                name = _shape(then)
                if name not in known:
                    known.add(name)
                    fresh[name] = then
        reached = fresh
    return dict(found)


def _shape(at: Session) -> str:
    """Name what of a session decides where it can go next."""
    draft = at.draft and (at.draft.level, bool(at.draft.reasons), bool(at.draft.comment))
    held = at.waiting and bool(at.waiting.invitation)
    unsaved = at.draft and at.draft.revision > at.saved
    waits = (held, bool(at.pause), at.submitted)
    return repr((at.screen, draft, at.kept, unsaved, waits, bool(at.invitation)))


def diagram() -> str:
    """Return the table as a Mermaid state diagram; what stays where it is has no arrow."""
    arrows: dict[tuple[Screen, Screen], list[str]] = defaultdict(list)
    for (screen, event), targets in edges().items():
        for target in targets - {screen}:
            arrows[screen, target].append(event.__name__)
    lines = [
        f"    {source} --> {target}: {', '.join(sorted(events))}"
        for (source, target), events in sorted(arrows.items())
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> idle", *lines, "```"])


def table() -> str:
    """Return every pair of the table and the screens that it can lead to."""
    found = edges()
    rows = ["| screen | event | next screen |", "|---|---|---|"]
    for screen, event in session.TABLE:
        targets = ", ".join(f"`{target}`" for target in sorted(found[screen, event]))
        rows.append(f"| `{screen}` | `{event.__name__}` | {targets} |")
    return "\n".join(rows)


# ---------------------------------------------------------------- what travels

EXAMPLES: dict[str, Any] = {
    "state": messages.State(
        boot=BOOT,
        connection=1,
        online=True,
        mono_ms=90_000,
        screen="idle",
        outbox=0,
        refused=0,
        software="0.1.0",
    ),
    "invitation": messages.Slot(version=1_767_664_800_000, invitation=CASE, unsettled=("0" * 32,)),
    "shown": messages.Shown(invitation=CASE.id, stamp=STAMP),
    "rating": messages.Rated(
        id="3" * 32,
        device="kiosk-01",
        seq=12,
        invitation=CASE.id,
        stamp=STAMP,
        level=2,
        reasons=("207", "210"),
        comment="没给样本",
        catalogue="2021.1",
        elapsed_ms=5_120,
    ),
    "expired": messages.Expired(
        id="4" * 32,
        device="kiosk-01",
        seq=13,
        invitation="5" * 32,
        stamp=STAMP,
        elapsed_ms=60_000,
    ),
    "withdrawn": messages.Withdrawn(
        id="6" * 32,
        device="kiosk-01",
        seq=14,
        invitation="7" * 32,
        stamp=STAMP,
        reason="superseded",
    ),
    "receipt": messages.Receipt(
        hub_at=1_767_664_810_004,
        committed=("3" * 32, "4" * 32),
        refused=(messages.Refusal(id="8" * 32, reason="late"),),
        boot=BOOT,
        echo_ms=90_000,
    ),
    "settings": messages.Settings(
        version=1_767_664_800_000,
        hall_name="示例区政务服务中心",
        window=CASE.window,
        staff=CASE.staff,
        catalogue="2021.1",
    ),
}


def example(message: Any) -> str:
    """Return a message as it travels, spread over lines for the eye."""
    text = msgspec.json.format(wire.encode(message), indent=2).decode()
    return f"```json\n{text}\n```"


def leaves() -> str:
    """Return which leaf goes which way."""
    rows = ["| leaf | way |", "|---|---|"]
    for leaf in topics.Leaf:
        way = "kiosk → hub" if leaf in topics.UP else "hub → kiosk"
        rows.append(f"| `{leaf}` | {way} |")
    return "\n".join(rows)


def problems() -> str:
    """Return every kind of problem of the HTTP interface."""
    rows = ["| `type` (after `urn:pingyi:problem:`) | status | title |", "|---|---|---|"]
    rows += [f"| `{kind}` | {status} | {title} |" for kind, (status, title) in KINDS.items()]
    return "\n".join(rows)


PARTS: dict[str, Callable[[], str]] = {
    "session-diagram": diagram,
    "session-table": table,
    "leaves": leaves,
    "problems": problems,
    **{
        f"message-{name}": (lambda message=message: example(message))  # type: ignore[misc]
        for name, message in EXAMPLES.items()
    },
}

_MARKED = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def refreshed(page: str) -> str:
    """Return a page with every marked part as the code has it now."""
    return _MARKED.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", page)


def main() -> None:
    """Write all pages of docs/ anew."""
    for file in sorted(DOCS.glob("*.md")):
        text = file.read_text(encoding="utf-8")
        file.write_text(refreshed(text), encoding="utf-8")


if __name__ == "__main__":
    main()
