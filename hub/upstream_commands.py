"""The commands `pingyi-hub upstream …`: what the city has not, why, and sending it again."""

import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import click
from sqlite_utils import Database

from hub import console
from hub.console import CONFIG
from hub.store import database, deliveries
from hub.store.deliveries import Waiting

CHINA = timezone(timedelta(hours=8))
KINDS = {"service": "办件", "rating": "评价"}


@click.group()
def upstream() -> None:
    """上级平台：查看没有送达的记录，重新报送。"""


def _open(file: Path) -> Database:
    config, base = console.load(file)
    path = base / config.state / "hub.db"
    if not path.exists():
        click.echo("还没有数据：服务器尚未运行过。")
        sys.exit(0)
    return database.connect(path)


@upstream.command()
@CONFIG
@click.option("--limit", default=50, show_default=True, help="每种最多列出多少条。")
def status(file: Path, limit: int) -> None:
    """列出被搁置的和等待报送的记录：哪一条，为什么，从什么时候起。"""
    db = _open(file)
    count = deliveries.counts(db)
    click.echo(
        f"已送达：办件 {count.accepted_services}，评价 {count.accepted_ratings}；"
        f"等待 {count.waiting}，搁置 {count.set_aside}"
    )
    for title, state in (("搁置", "set_aside"), ("等待", "waiting")):
        found = deliveries.not_there_yet(db, state, limit)  # type: ignore[arg-type]
        if found:
            click.echo(f"{title}：")
        for each in found:
            click.echo(_line(each))
    if count.set_aside:
        click.echo("更正办件（再次登记）会自动重报；也可以执行 pingyi-hub upstream retry。")
    db.close()


@upstream.command()
@CONFIG
@click.option("--serial", help="只重报这个业务流水号。")
@click.option("--service-number", type=click.IntRange(1, 99), help="只重报这一次服务。")
def retry(file: Path, serial: str | None, service_number: int | None) -> None:
    """重新报送被搁置的记录：全部，或某一个办件的。"""
    if (serial is None) != (service_number is None):
        console.fail("--serial 和 --service-number 要一起给出；都不给就重报全部。", 2)
    db = _open(file)
    now = time.time_ns() // 1_000_000
    if serial is None or service_number is None:
        number = deliveries.all_again(db, now)
    else:
        number = deliveries.again(db, serial, service_number, now)
    db.close()
    click.echo(f"{number} 条记录将在一分钟内重新报送。" if number else "没有被搁置的记录。")


def _line(each: Waiting) -> str:
    since = datetime.fromtimestamp(each.queued_at / 1000, UTC).astimezone(CHINA)
    tried = f"，已试 {each.attempts} 次" if each.attempts else ""
    reason = f"：{each.reason}" if each.reason else ""
    return (
        f"  {KINDS[each.kind]} {each.serial}/{each.service_number}"
        f"（{since:%m-%d %H:%M} 起{tried}）{reason}"
    )
