"""What smaller halls feed to this hub (大厅汇总): proved, committed, answered, passed on."""

import asyncio
from collections.abc import Callable

import msgspec
from sqlite_utils import Database

from hub.errors import FeedRefused
from hub.rules.access import Caller
from hub.rules.proof import OWN, FeedRequest, Unproven, check, faults
from hub.store import api_keys, feed
from hub.store.vault import Vault
from hub.store.writer import Writer
from protocol.messages import Part, Serial, ServiceNumber


class _Key(Part, frozen=True, kw_only=True):
    serial: Serial
    service_number: ServiceNumber


class Feeds:
    """Takes records; `queued()` is called after a commit that has something for the city.

    A record belongs to the label of the interface key by which it comes: whoever changes a
    hall's key gives the new one the same label.
    """

    def __init__(
        self,
        writer: Writer,
        vault: Vault,
        *,
        now: Callable[[], int],
        queued: Callable[[], None] = lambda: None,
    ) -> None:
        self._writer = writer
        self._vault = vault
        self._now = now
        self._queued = queued

    async def take(self, asked: FeedRequest, by: Caller) -> bool:
        """Commit a record; False: it is here already. Raises `FeedRefused`."""
        await asyncio.to_thread(_look, asked)

        def job(db: Database, _: set[str]) -> bool:
            origin = api_keys.label(db, by.name.removeprefix("key:"))
            if not origin:
                raise FeedRefused("只有接口密钥可以报送：请信息化管理员发放")
            try:
                return feed.take(db, self._vault, origin, asked, self._now())
            except feed.Clash as error:
                raise FeedRefused(str(error)) from error

        return await self._writer.change(job, lambda _: self._queued())


def _look(asked: FeedRequest) -> None:
    """Refuse what is no record, or not what a kiosk has signed."""
    found = faults(asked.kind, asked.record)
    if found:
        raise FeedRefused("；".join(found[:10]))
    record = asked.record
    number = record["serviceNumber"]
    try:
        key = msgspec.convert(
            {
                "serial": record["projectNo"],
                "service_number": int(number) if number.isascii() and number.isdigit() else number,
            },
            _Key,
        )
    except (msgspec.ValidationError, ValueError):
        key = None
    if key is None or str(key.service_number) != number:
        raise FeedRefused("projectNo 或 serviceNumber 不是流水号和第几次服务")
    if asked.kind == "service":
        if asked.proof is not None:
            raise FeedRefused("办件服务数据没有评价器的签名，不能附上")
        return
    if asked.proof is None:
        raise FeedRefused("评价没有附上评价器的签名和公钥（proof）")
    own = {field: record[field] for field in OWN}
    try:
        check(asked.kind, key.serial, key.service_number, own, asked.proof)
    except Unproven as error:
        raise FeedRefused(str(error)) from error
