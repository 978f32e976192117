"""Reads a city's answer by the words of the quirks file, and makes it fit to be kept."""

import html
import json
import re
import urllib.parse
from collections.abc import Iterable
from typing import Any

import msgspec

from hub.upstream.dialects.base import Accepted, AlreadyExists, Answer, Refused, Unavailable
from hub.upstream.dialects.transport import Reply, fault_of_the_way, unreadable
from hub.upstream.quirks import Answer as AnswerWords
from hub.upstream.quirks import Words

Members = dict[str, Any]
KEPT = 1000
STRUCK = "＊＊＊"


def judge(reply: Reply, words: AnswerWords) -> Answer:  # noqa: PLR0911 - one for each rule
    """Return what an answer means; the rules are those of `quirks.Answer`."""
    members = parse(reply)
    if isinstance(members, Unavailable):
        return members
    succeeds = [value(members, path) in wanted for path, wanted in words.success.items()]
    refuses = any_of(members, words.refused)
    if reply.status < 300 and all(succeeds):
        return Accepted()
    if any(succeeds) and refuses:
        return Unavailable(f"上级平台的应答自相矛盾（HTTP {reply.status}）")
    message = first(members, words.message)
    if any_of(members, words.not_the_record) or _holds(message, words.not_the_record_words):
        return Unavailable(f"上级平台称：{message or '（未说明原因）'}")
    if any_of(members, words.exists) or (refuses and _holds(message, words.exists_words)):
        return AlreadyExists()
    if not refuses:
        return Unavailable(f"上级平台的应答不是约定的任何一种（HTTP {reply.status}）")
    said = "、".join(f"{path}={value(members, path) or '无'}" for path in words.refused)
    return Refused(message or f"上级平台拒收，未说明原因（{said}）")


def parse(reply: Reply) -> Members | Unavailable:
    """Return the members of an answer that is a JSON object, or what it says instead."""
    fault = fault_of_the_way(reply.status)
    if fault is not None:
        return fault
    members = _members(reply.body)
    return unreadable(reply) if members is None else members


def value(members: Members, path: str) -> str | None:
    """Return a member by path (`data.code`) as text; None where there is none that is one.

    `true` and `false` are such words, whole numbers stand in their digits.
    """
    found: object = members
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int):
        return str(found)
    return found.strip() if isinstance(found, str) else None


def first(members: Members, paths: Iterable[str]) -> str:
    """Return the first member that says something, or nothing."""
    return next((said for path in paths if (said := value(members, path))), "")


def any_of(members: Members, words: Words) -> bool:
    """Whether a member has one of its values."""
    return any(value(members, path) in wanted for path, wanted in words.items())


def keepable(reply: Reply, paths: Iterable[str], struck: Iterable[str]) -> str:
    """Return an answer fit to be kept in clear, at most `KEPT` characters.

    Of JSON the members that the quirks file names, of the others only their names: they may
    repeat the record in a form that nobody could strike. Of anything else the beginning.
    """
    if reply.body is None:
        return "（应答过长，未保存）"
    members = _members(reply.body)
    if members is None:
        # Escapes shrink: more is read than is kept, so that no name is cut before it is struck.
        return strike(reply.body[: 64 * KEPT].decode(errors="replace"), struck)[:KEPT]
    struck = list(struck)
    found = {path: value(members, path) for path in paths}
    named = {path: strike(said, struck) for path, said in found.items() if said is not None}
    rest = sorted(
        strike(name, struck) for name in members.keys() - {p.split(".")[0] for p in named}
    )
    text = msgspec.json.encode(named).decode() + (f" 另有：{'、'.join(rest)}" if rest else "")
    return text[:KEPT]


def strike(text: str, struck: Iterable[str]) -> str:
    """Return one line without any of these strings, however the text writes them."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    plain = html.unescape(urllib.parse.unquote(plain, errors="replace"))
    # Rare names come as two halves of a surrogate pair.
    plain = plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    for each in sorted((each for each in struck if each), key=len, reverse=True):
        plain = plain.replace(each, STRUCK)
    plain = "".join(letter if letter.isprintable() else " " for letter in plain)
    return " ".join(plain.split())


def check_unambiguous(body: bytes | None) -> None:
    """Raise ValueError where JSON gives one name two values: each reader believes another one.

    Also for what is no JSON; RecursionError where it is too deep.
    """

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        said: dict[str, object] = {}
        for name, each in pairs:
            if said.setdefault(name, each) != each:
                raise ValueError(name)
        return said

    json.loads(body or b"", object_pairs_hook=members)


def _members(body: bytes | None) -> Members | None:
    try:
        members = msgspec.json.decode(body or b"")
        check_unambiguous(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _holds(message: str, words: Iterable[str]) -> bool:
    return any(word in message for word in words)
