"""Counts afterwards, from three independent sources: the citizens, the ledger, the city."""

import json
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from demo.cases import Row
from demo.citizen import Pressed
from hub.store import database, deliveries, invitations, ledger
from hub.store.bindings import Change
from protocol import signing
from protocol.errors import SignatureInvalid
from protocol.messages import Invitation, Rated, Staff


class Played(msgspec.Struct, kw_only=True):
    """One row and what became of it; one row may take several invitations."""

    row: Row
    pressed: list[Pressed] = []
    done: bool = False


class Summary(msgspec.Struct, kw_only=True):
    """What `summary.json` holds. `problems` names each broken promise; empty = all held.

    `lost`: thanked citizens whose rating the city has not, and could have. `duplicated`: ratings
    that the city has twice. `altered`: ratings that arrived other than pressed. `invented`:
    ratings at the city that nobody pressed. `cut_off`: ratings that arrived as far as the
    citizen had come when the kiosk lost its power, so with fewer reasons or a shorter comment
    than meant; neither lost nor altered. A bad level cut off before any reason or word counts
    here as well: it is in the ledger and set aside, since the city takes none without.
    `incomplete`: bad ratings in the ledger without reason and text, which the rules keep from
    the city: `rated` is `forwarded` and these. `misplaced`: invitations that named another clerk
    than the row's or than who was signed on at the window by the ledger, or that went to a
    kiosk which by the ledger was not paired with it.
    """

    rows: int = 0
    invited: int = 0
    rated: int = 0
    expired: int = 0
    withdrawn: int = 0
    open: int = 0
    forwarded: int = 0
    service_records: int = 0
    set_aside: int = 0
    waiting: int = 0
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    invented: int = 0
    cut_off: int = 0
    incomplete: int = 0
    misplaced: int = 0
    kills: int = 0
    seconds: float = 0.0
    problems: list[str] = []


def read_city(file: Path) -> list[dict[str, Any]]:
    """Return what the city accepted, in order."""
    if not file.exists():
        return []
    whole, _, _ = file.read_text(encoding="utf-8").rpartition("\n")  # a line being written
    return [json.loads(line) for line in whole.split("\n") if line]


def signed(hub_file: Path, keys: dict[str, Path]) -> dict[tuple[str, int], Rated]:
    """Return every rating that counts, by (serial, service number), each signature checked.

    `keys` maps devices to the files of their public keys. Raises `SignatureInvalid`.
    """
    public = {name: load_pem_public_key(file.read_bytes()) for name, file in keys.items()}
    db = database.connect(hub_file)
    try:
        rows = db.execute(
            """
            SELECT i.serial, i.service_number, l.device, l.body FROM ledger l
            JOIN invitations i ON i.id = l.invitation WHERE l.kind = 'rated'
            """
        ).fetchall()
    finally:
        db.close()
    found = {}
    for serial, number, device, body in rows:
        key = public[device]
        if not isinstance(key, EllipticCurvePublicKey):
            raise SignatureInvalid(f"{device} has a key of another kind")
        outcome = signing.verify(bytes(body), device, key)
        if isinstance(outcome, Rated):
            found[(serial, number)] = outcome
    return found


def count(played: list[Played], hub_file: Path, city_file: Path, keys: dict[str, Path]) -> Summary:
    """Compare what was pressed, what the ledger holds and what the city has."""
    summary = Summary(rows=len(played))
    _count_ledger(summary, hub_file)
    _in_place(summary, played, hub_file)
    records = read_city(city_file)
    ratings: dict[tuple[str, int], list[dict[str, Any]]] = {}
    services: set[tuple[str, int]] = set()
    for record in records:
        key = (record["projectNo"], int(record["serviceNumber"]))
        if "satisfaction" not in record:
            summary.service_records += 1
            services.add(key)
            continue
        ratings.setdefault(key, []).append(record)
        summary.forwarded += 1
        if key not in services:
            summary.problems.append(f"{key}：评价先于办件到达城市平台")
    summary.duplicated = sum(len(found) - 1 for found in ratings.values())
    kept = signed(hub_file, keys)
    summary.incomplete = sum(map(_is_incomplete, kept.values()))
    _compare(summary, played, ratings, kept)
    _in_order(summary, played, records)
    _judge(summary)
    return summary


def _count_ledger(summary: Summary, hub_file: Path) -> None:
    db = database.connect(hub_file)
    account = invitations.account(db)
    sent = deliveries.counts(db)
    missing = ledger.missing(db)
    db.close()
    for field in ("invited", "rated", "expired", "withdrawn", "open"):
        setattr(summary, field, getattr(account, field))
    summary.set_aside = sent.set_aside
    summary.waiting = sent.waiting
    if not account.balanced:
        summary.problems.append(f"账目不平：{account}")
    summary.problems += [f"{device}：编号缺 {gap} 条" for device, gap in missing.items()]


def _in_place(summary: Summary, played: list[Played], hub_file: Path) -> None:
    """Follow kiosks and clerks through the ledger, and look at each invitation on the way."""
    db = database.connect(hub_file)
    entries = db.execute(
        """
        SELECT kind, device, body FROM ledger
        WHERE kind IN ('invited', 'paired', 'unpaired', 'signed_on', 'signed_off')
        ORDER BY position
        """
    ).fetchall()
    db.close()
    wanted = {
        (each.row.serial, each.row.service_number): (each.row.window, each.row.staff)
        for each in played
    }
    kiosks: dict[str, str] = {}
    clerks: dict[str, Staff | None] = {}
    for kind, device, body in entries:
        if kind == "invited":
            invitation = msgspec.json.decode(body, type=Invitation)
            window, staff = invitation.window.name, invitation.staff
            row = wanted.get((invitation.serial, invitation.service_number))
            if (
                kiosks.get(window) != device
                or clerks.get(window) != staff
                or row != (window, staff.name)
            ):
                summary.misplaced += 1
            continue
        change = msgspec.json.decode(body, type=Change)
        if kind == "paired":
            kiosks[change.window] = device
        elif kind == "unpaired":
            kiosks.pop(change.window, None)
        else:
            clerks[change.window] = change.staff if kind == "signed_on" else None


def _compare(
    summary: Summary,
    played: list[Played],
    ratings: dict[tuple[str, int], list[dict[str, Any]]],
    ledger_has: dict[tuple[str, int], Rated],
) -> None:
    for each in played:
        row = each.row
        key = (row.serial, row.service_number)
        found = ratings.pop(key, [])
        tapped = {press.level for press in each.pressed if press.level is not None}
        if not found:
            if _is_bare(ledger_has.get(key), each):
                summary.cut_off += 1
            elif any(press.promised for press in each.pressed):
                summary.lost += 1
                summary.problems.append(f"第 {row.line} 行：已道谢的评价没有到达城市平台")
            continue
        arrived = found[0]
        if int(arrived["satisfaction"]) not in tapped:
            summary.invented += 1
            summary.problems.append(f"第 {row.line} 行：城市平台收到了没有人按过的评价")
            continue
        came = (
            int(arrived["satisfaction"]),
            arrived["evalDetail"],
            arrived["writingEvaluation"],
        )
        kept = ledger_has.get(key)
        as_signed = kept is not None and came == (
            kept.level,
            ",".join(kept.reasons),
            kept.comment,
        )
        whole = came == (row.level, ",".join(row.reasons), row.comment)
        # A citizen cut off by a power cut is kept as far as they had come; one who was
        # thanked after the last word must arrive to the letter.
        thanked = any(press.thanked for press in each.pressed)
        if as_signed and not whole and not thanked and _is_part(came, row):
            summary.cut_off += 1
        elif not as_signed or not whole:
            summary.altered += 1
            summary.problems.append(f"第 {row.line} 行：到达的评价与所按的不同：{came}")
    summary.invented += len(ratings)
    summary.problems += [f"{key}：城市平台收到了没有办过的评价" for key in ratings]


def _is_bare(kept: Rated | None, each: Played) -> bool:
    """Whether the ledger has the bad level that was pressed, cut off before any reason."""
    return (
        kept is not None
        and _is_incomplete(kept)
        and kept.level in {press.level for press in each.pressed}
        and not any(press.thanked for press in each.pressed)
    )


def _is_incomplete(kept: Rated) -> bool:
    """Whether a rating is a bad one without reason and text: the city takes none of these."""
    return kept.level in Rated.bad and not kept.reasons and not kept.comment


def _is_part(came: tuple[int, str, str], row: Row) -> bool:
    """Whether a rating is what the row's citizen had pressed at some moment on the way."""
    level, detail, comment = came
    reasons = tuple(detail.split(",")) if detail else ()
    return (
        level == row.level
        and row.reasons[: len(reasons)] == reasons
        and row.comment.startswith(comment)
        and (not reasons or comment == row.comment)  # the words come first
    )


def _in_order(summary: Summary, played: list[Played], records: list[dict[str, Any]]) -> None:
    """Check that the ratings of one case came in the order in which its rows stand."""
    place = {(each.row.serial, each.row.service_number): at for at, each in enumerate(played)}
    last: dict[str, int] = {}
    for record in records:
        if "satisfaction" not in record:
            continue
        serial, number = record["projectNo"], int(record["serviceNumber"])
        at = place.get((serial, number))
        if at is None:
            continue  # nobody pressed it, which is counted elsewhere
        if at < last.get(serial, -1):
            summary.problems.append(f"{serial}：第 {number} 次服务的评价到得比后办的服务还晚")
        last[serial] = max(at, last.get(serial, -1))


def _judge(summary: Summary) -> None:
    for field, words in (
        ("lost", "条评价丢失"),
        ("duplicated", "条评价重复"),
        ("altered", "条评价被改动"),
        ("invented", "条评价无人按过"),
        ("misplaced", "个邀请的评价器或工作人员与台账中的配对、签到不符"),
        ("open", "个邀请没有结果"),
        ("waiting", "条记录还没有报送"),
    ):
        number = getattr(summary, field)
        if number:
            summary.problems.append(f"{number} {words}")
    if summary.forwarded + summary.set_aside < summary.rated:
        summary.problems.append(f"入账 {summary.rated} 条评价，报送 {summary.forwarded} 条")
