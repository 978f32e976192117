"""Tells how far each rating has come: into the hall's ledger, then to the city."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from demo.cases import Row
from demo.tally import read_city
from demo.timeline import Timeline

_SHORT = 6
_WHOLE = 12  # serials up to this long are not shortened


class Hops:
    """One line for each hop, in the order of the way, whichever is noticed first."""

    def __init__(self, line: Timeline, city_file: Path, rows: Iterable[Row]) -> None:
        self._line = line
        self._city_file = city_file
        self._services = Counter(row.serial for row in rows)
        self._short = shortened(self._services)
        self._in_ledger: set[tuple[str, int]] = set()
        self._told = 0

    def name(self, serial: str, service_number: int) -> str:
        """Return how one service is called at the beginning of a line."""
        short = self._short.get(serial, serial)
        if self._services[serial] > 1 or service_number > 1:
            return f"{short} 第 {service_number} 次服务"
        return short + " "

    def ledger(self, serial: str, service_number: int) -> None:
        """Say, once, that the hub has a rating in its ledger."""
        key = (serial, service_number)
        if key not in self._in_ledger:
            self._in_ledger.add(key)
            self._line.say("大厅", f"{self.name(*key)}核验无误，已入台账，回执已发")

    def city(self) -> None:
        """Say what the city has accepted since the last call; the ledger had it before."""
        records = read_city(self._city_file)
        for record in records[self._told :]:
            key = (record["projectNo"], int(record["serviceNumber"]))
            rating = "satisfaction" in record
            if rating:
                self.ledger(*key)
            what = "评价" if rating else "办件服务数据"
            self._line.say("城市平台", f"{self.name(*key)}的{what}已接收")
        self._told = len(records)


def shortened(serials: Iterable[str]) -> dict[str, str]:
    """Return a short form of each serial: its last signs, as many as tell it from the others."""
    short: dict[str, str] = {}
    left = {serial: _SHORT for serial in serials if len(serial) > _WHOLE}
    short = {serial: serial for serial in serials if len(serial) <= _WHOLE}
    while left:
        ends = Counter(serial[-length:] for serial, length in left.items())
        for serial, length in list(left.items()):
            end = serial[-length:]
            if length >= len(serial):
                short[serial] = serial
            elif ends[end] > 1 or _leans(end[0]):
                left[serial] = length + 1
                continue
            else:
                short[serial] = f"…{end}"
            del left[serial]
    return short


def _leans(sign: str) -> bool:
    """Whether a sign cannot be read without the one before it, or separates the two."""
    return unicodedata.category(sign)[0] in "MPCZ"
