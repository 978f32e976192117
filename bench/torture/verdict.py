"""The account at the end, from three sources, with none of the hub's or the kiosk's own code.

What citizens noted, what the ledger holds (plain SQLite; each signature checked with PyJWT), and
what the city accepted. A rating that was thanked for has to be in both, once, as it was pressed.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bench.torture import truth
from bench.torture.field import AtRisk, Restored
from bench.torture.pressed import BAD, Answer, Pressed


@dataclass
class Verdict:
    """What came of it. `problems` empty: every promise held.

    `lost`, `duplicated`, `altered`, `invented`: ratings that were thanked for and are not in the
    ledger or at the city; that are there twice; that differ from what was pressed; that nobody
    pressed. `lost_with_disk` and `gone_with_backup`: thanked for and missing because a kiosk's
    file was spoiled, with alarm, before the hub had it, or because an older backup of the hub was
    put back; those limits are documented and are not counted as lost. `rated_twice`: thanked for
    twice, on two invitations for the same service; the ledger keeps both, the first to arrive
    goes to the city. `cut_off`: arrived as far as was promised, not as far as was pressed.
    `undone_but_sent`: the power went just after the citizen took the answer back.
    """

    thanked: int = 0
    invited: int = 0
    rated: int = 0
    expired: int = 0
    withdrawn: int = 0
    open: int = 0
    city_ratings: int = 0
    city_services: int = 0
    incomplete: int = 0
    cut_off: int = 0
    undone_but_sent: int = 0
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    invented: int = 0
    lost_with_disk: int = 0
    gone_with_backup: int = 0
    rated_twice: int = 0
    open_after_restore: int = 0
    refused_by_hub: int = 0
    problems: list[str] = field(default_factory=list)

    def broken(self, what: str, words: str) -> None:
        """Count a broken promise."""
        setattr(self, what, getattr(self, what) + 1)
        self.problems.append(f"{what}: {words}")


@dataclass
class _Ledger:
    invited: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    rated: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, str] = field(default_factory=dict)


def judge(
    truths: dict[str, Path],
    hub_file: Path,
    city_file: Path,
    keys: dict[str, Path],
    *,
    at_risk: Iterable[AtRisk] = (),
    restored: Iterable[Restored] = (),
) -> Verdict:
    """Compare the three; `truths` and `keys` by device."""
    verdict = Verdict()
    pressed = _pressed(truths)
    book = _ledger(verdict, hub_file, keys)
    city = _city(verdict, city_file)
    spoiled = [*at_risk]
    gone = [*restored]
    _accounts(verdict, book, gone)
    for name, each in pressed.items():
        if each.must is not None:
            verdict.thanked += 1
            if name not in book.rated:
                words = _missing(verdict, name, book, spoiled, gone)
                if words:
                    verdict.broken("lost", f"{name}: {each.versions}, {words}")
    risky = {name for each in spoiled for name in each.invitations}
    risky |= {name for each in gone for name in each.invitations}
    for name, answers in book.rated.items():
        _as_pressed(verdict, name, answers[0], pressed.get(name), any_of_them=name in risky)
    _at_city(verdict, book, city, gone)
    return verdict


def _pressed(truths: dict[str, Path]) -> dict[str, Pressed]:
    found: dict[str, Pressed] = defaultdict(Pressed)
    for path in truths.values():
        for line in truth.read(path):
            found[line["invitation"]].take(line)
    return dict(found)


def _ledger(verdict: Verdict, hub_file: Path, keys: dict[str, Path]) -> _Ledger:
    book = _Ledger()
    public = {device: load_pem_public_key(file.read_bytes()) for device, file in keys.items()}
    with closing(sqlite3.connect(f"file:{hub_file}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT kind, device, invitation, body FROM ledger ORDER BY position"
        ).fetchall()
    for kind, device, invitation, body in rows:
        if kind == "invited":
            book.invited[invitation] = json.loads(body)
        elif kind in ("rated", "expired", "withdrawn"):
            book.ended[invitation].append(kind)
            if bytes(body).startswith(b"{"):  # the hub's own word about a refused rating
                book.refused[invitation] = json.loads(body)["refused"]
                continue
            try:
                said = json.loads(jwt.PyJWS().decode(bytes(body), public[device], ["ES256"]))
            except (jwt.InvalidTokenError, KeyError, ValueError) as error:
                verdict.problems.append(f"signature of {invitation}: {error}")
                continue
            if said["invitation"] != invitation or said["device"] != device:
                verdict.broken("altered", f"the entry of {invitation} is signed for another one")
            if kind == "rated":
                answer = (said["level"], tuple(said.get("reasons", ())), said.get("comment", ""))
                book.rated[invitation].append(answer)
    return book


def _city(verdict: Verdict, city_file: Path) -> dict[tuple[str, int], list[dict[str, Any]]]:
    found: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    services: Counter[tuple[str, int]] = Counter()
    whole, _, _ = city_file.read_text(encoding="utf-8").rpartition("\n")
    for line in filter(None, whole.split("\n")):
        record = json.loads(line)
        key = (record["projectNo"], int(record["serviceNumber"]))
        if "satisfaction" in record:
            verdict.city_ratings += 1
            found[key].append(record)
            if not services[key]:
                verdict.problems.append(f"the city had the rating of {key} before its service")
        else:
            verdict.city_services += 1
            services[key] += 1
    for key, count in services.items():
        if count > 1:
            verdict.broken("duplicated", f"service record {key} is at the city {count} times")
    return found


def _accounts(verdict: Verdict, book: _Ledger, restored: list[Restored]) -> None:
    verdict.invited = len(book.invited)
    verdict.refused_by_hub = len(book.refused)
    for name, kinds in book.ended.items():
        if len(kinds) > 1:
            verdict.broken("duplicated", f"{name} has ended {len(kinds)} times: {kinds}")
        if name not in book.invited:
            verdict.problems.append(f"{name} has ended and was never invited")
        setattr(verdict, kinds[0], getattr(verdict, kinds[0]) + 1)
    left = book.invited.keys() - book.ended.keys()
    verdict.open = len(left)
    known = {name for each in restored for name in each.invitations}
    verdict.open_after_restore = len(left & known)
    for name in sorted(left - known):
        verdict.problems.append(f"open: {name} has no outcome")
    ended = verdict.rated + verdict.expired + verdict.withdrawn
    if verdict.invited != ended + verdict.open:
        verdict.problems.append("invited is not rated + expired + withdrawn + open")


def _missing(
    verdict: Verdict,
    name: str,
    book: _Ledger,
    at_risk: list[AtRisk],
    restored: list[Restored],
) -> str:
    """Return why a rating that was thanked for and is not in the ledger is lost; "" if it is not.

    Where a documented limit explains it, that is counted.
    """
    for spoiled in at_risk:
        if name in spoiled.invitations:
            if not spoiled.alarmed:
                return f"lay in {spoiled.device}'s file ({spoiled.how}), and there was no alarm"
            verdict.lost_with_disk += 1
            return ""
    if any(name in gone.invitations for gone in restored):
        verdict.gone_with_backup += 1
        return ""
    return f"not in the ledger; refused: {book.refused.get(name, 'no')}"


def _as_pressed(
    verdict: Verdict, name: str, answer: Answer, pressed: Pressed | None, *, any_of_them: bool
) -> None:
    if pressed is None or not pressed.versions:
        verdict.broken("invented", f"{name}: {answer}, and nobody pressed anything")
    elif pressed.undone:
        if answer in pressed.versions:
            verdict.undone_but_sent += 1
        else:
            verdict.broken("invented", f"{name}: {answer}, pressed was {pressed.versions}")
    elif not pressed.allows(answer, any_of_them=any_of_them):
        verdict.broken(
            "altered", f"{name}: {answer}, pressed {pressed.versions}, promised {pressed.must}"
        )
    elif answer != pressed.versions[-1]:
        verdict.cut_off += 1


def _at_city(
    verdict: Verdict,
    book: _Ledger,
    city: dict[tuple[str, int], list[dict[str, Any]]],
    restored: list[Restored],
) -> None:
    known = {key for each in restored for key in each.services}
    wanted: dict[tuple[str, int], list[tuple[str, Answer]]] = defaultdict(list)
    for name, answers in book.rated.items():
        if len(answers) > 1:
            verdict.broken("duplicated", f"{name} is in the ledger {len(answers)} times")
        invited = book.invited.get(name)
        if invited is None:
            continue
        wanted[invited["serial"], invited["service_number"]].append((name, answers[0]))
    for key, found in wanted.items():
        records = city.pop(key, [])
        verdict.rated_twice += len(found) - 1
        if len(records) > 1:
            verdict.broken("duplicated", f"{key}: ledger {found}, city {len(records)} times")
        name, (level, reasons, words) = found[0]
        if level in BAD and not reasons and not words.strip():
            verdict.incomplete += 1
            if records and key not in known:
                verdict.broken("invented", f"{key}: the city has a bad rating without reason")
        elif not records:
            verdict.broken("lost", f"{key}: in the ledger ({name}), not at the city")
        else:
            _same(verdict, key, records[0], (level, reasons, words), known=key in known)
            _right_case(verdict, key, records[0], book.invited[name])
    for key in city.keys() - known:
        verdict.broken("invented", f"{key}: at the city, not in the ledger")


def _same(
    verdict: Verdict,
    key: tuple[str, int],
    record: dict[str, Any],
    answer: Answer,
    *,
    known: bool,
) -> None:
    came = (
        int(record["satisfaction"]),
        tuple(filter(None, record["evalDetail"].split(","))),
        record["writingEvaluation"],
    )
    if came != answer and not known:
        verdict.broken("altered", f"{key}: ledger {answer}, city {came}")


def _right_case(
    verdict: Verdict, key: tuple[str, int], record: dict[str, Any], invited: dict[str, Any]
) -> None:
    case = (record["taskName"], record["proManager"])
    if case != (invited["matter"], invited["staff"]["name"]):
        verdict.broken("altered", f"{key}: matter or clerk at the city: {case}")
