"""The arithmetic of a pair, ours and its peer measured in turns, and its line in the table."""

import statistics
from collections.abc import Sequence

from msgspec import Struct


class Spread(Struct, frozen=True):
    """The middle of some figures, and how far they reach."""

    median: float
    low: float
    high: float


class Pair(Struct, frozen=True, kw_only=True):
    """One line of the table; `ours[i]` and `peers[i]` were measured in the same round.

    `rate` = more is better, and the figures are shown as median (low to high); else they are
    times or sizes. `tail` shows them as p50 / p99, which wants many rounds.
    """

    what: str
    peer: str
    ours: Sequence[float]
    peers: Sequence[float]
    unit: str
    digits: int = 0
    tail: bool = False


class Alone(Struct, frozen=True):
    """A figure beside the table, for context: it has no peer."""

    what: str
    figures: Sequence[float]
    unit: str
    digits: int = 0
    tail: bool = False


def spread(figures: Sequence[float]) -> Spread:
    """Return the median, the least and the greatest."""
    return Spread(statistics.median(figures), min(figures), max(figures))


def ratios(ours: Sequence[float], peers: Sequence[float]) -> list[float]:
    """Divide round by round; raises `ValueError` if a round lacks its peer."""
    return [mine / other for mine, other in zip(ours, peers, strict=True)]


def percentile(figures: Sequence[float], share: int) -> float:
    """Return the figure that `share` percent of all do not exceed (nearest rank)."""
    ordered = sorted(figures)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def table(pairs: Sequence[Pair]) -> str:
    """Return the pairs as a Markdown table."""
    lines = [
        "| what | ours | peer | the peer | ours ÷ peer, median (min–max) |",
        "|---|---|---|---|---|",
    ]
    for pair in pairs:
        ratio = spread(ratios(pair.ours, pair.peers))
        ours = _figures(pair.ours, pair.unit, pair.digits, tail=pair.tail)
        peers = _figures(pair.peers, pair.unit, pair.digits, tail=pair.tail)
        lines.append(
            f"| {pair.what} | {ours} | {peers} | {pair.peer} "
            f"| **{ratio.median:.2f}** ({ratio.low:.2f}–{ratio.high:.2f}) |"
        )
    return "\n".join(lines)


def context(figures: Sequence[Alone]) -> str:
    """Return the figures without a peer as a Markdown list."""
    return "\n".join(
        f"- {each.what}: {_figures(each.figures, each.unit, each.digits, tail=each.tail)}"
        for each in figures
    )


def _figures(figures: Sequence[float], unit: str, digits: int, *, tail: bool) -> str:
    if tail:
        half, most = (percentile(figures, share) for share in (50, 99))
        return f"p50 {half:,.{digits}f}, p99 {most:,.{digits}f} {unit}"
    seen = spread(figures)
    if len(figures) == 1:
        return f"{seen.median:,.{digits}f} {unit}"
    return f"{seen.median:,.{digits}f} ({seen.low:,.{digits}f}–{seen.high:,.{digits}f}) {unit}"
