"""The commands `pingyi-hub upstream …`: what the city has not, why, and sending it again."""

import contextlib
import statistics
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click
from sqlite_utils import Database

from hub.clock import epoch_ms
from hub.commands import console
from hub.commands.console import CONFIG
from hub.config import HubConfig
from hub.rules.days import CHINA
from hub.rules.retention import payload_of
from hub.store import backlog, database, deliveries, exchanges, fed
from hub.upstream import comparison, quirks
from hub.upstream.comparison import Compared, Key, Listed, ListFault
from hub.upstream.hints import mend
from hub.upstream.quirks import DialectName, QuirksError

KINDS = {
    "service": "办件",
    "rating": "评价",
    "update": "更正",
    "ruling": "复核认定",
    "addition": "追评",
    "token": "令牌",
}
STATES = {"waiting": "等待", "set_aside": "搁置", "accepted": "已送达，但有疑问"}
VERDICTS = {
    "accepted": "收下",
    "exists": "已存在",
    "refused": "拒收",
    "unavailable": "没有应答",
}
SKEW_WARNING_MS = 30_000
_DAY = click.DateTime(formats=["%Y-%m-%d"])
_EVER = 1 << 62


@click.group()
def upstream() -> None:
    """上级平台：查看没有送达的记录，重新报送，与平台核对。"""


@contextlib.contextmanager
def _open(file: Path) -> Iterator[tuple[Database, HubConfig, Path]]:
    """Open the database beside a running hub; every function of the store commits for itself."""
    config, base = console.load(file)
    state = base / config.state
    if not console.begun(state):
        click.echo(console.NOTHING_YET)
        sys.exit(0)
    with console.database(state) as db:
        if not db["exchanges"].exists():
            database.migrate(db)
        yield db, config, base


@upstream.command()
@CONFIG
@click.option("--limit", default=50, show_default=True, help="每种最多列出多少条。")
def status(file: Path, limit: int) -> None:
    """没有送达的：哪些，为什么，从什么时候起，怎样处理；平台是否应答，时钟差多少。"""
    with _open(file) as (db, _, _):
        count = deliveries.counts(db)
        click.echo(
            f"已送达：办件 {count.accepted_services}，评价 {count.accepted_ratings}；"
            f"等待 {count.waiting}，搁置 {count.set_aside}"
        )
        for line in origins(db):
            click.echo(line)
        _standing(db)
        _skew(db)
        causes = backlog.causes(db)
        if causes:
            click.echo("原因（最早的在前）：")
        for cause in causes:
            click.echo(
                f"  {STATES[cause.state]} {cause.number} 条，最早 {_moment(cause.since)}："
                f"{cause.reason or '尚未轮到，或排在同一流水号的前一条之后'}"
            )
            if hint := mend(cause.reason):
                click.echo(f"    处理：{hint}")
        for state, title in STATES.items():
            found = backlog.records(db, state, limit)  # type: ignore[arg-type]
            if found:
                click.echo(f"{title}：")
            for each in found:
                tried = f"，已试 {each.attempts} 次" if each.attempts else ""
                reason = f"：{each.reason}" if each.reason else ""
                click.echo(
                    f"  {KINDS[each.kind]} {each.serial}/{each.service_number}"
                    f"（{_moment(each.since)} 起{tried}）{reason}"
                )
        if count.set_aside:
            click.echo("更正办件（再次登记）会自动重报；也可以执行 pingyi-hub upstream retry。")


@upstream.command()
@CONFIG
@click.option("--serial", help="只重报这个业务流水号。")
@click.option("--service-number", type=click.IntRange(1, 99), help="只重报这一次服务。")
def retry(file: Path, serial: str | None, service_number: int | None) -> None:
    """重新报送被搁置的记录：全部，或某一个办件的。"""
    if (serial is None) != (service_number is None):
        console.fail("--serial 和 --service-number 要一起给出；都不给就重报全部。", 2)
    of = None if serial is None or service_number is None else (serial, service_number)
    with _open(file) as (db, _, _):
        number = deliveries.retry_set_aside(db, epoch_ms(), of)
    click.echo(f"{number} 条记录将在一分钟内重新报送。" if number else "没有被搁置的记录。")


@upstream.command()
@CONFIG
@click.option("--day", type=_DAY, required=True, help="补报哪一天登记的办件和收到的评价。")
def backfill(file: Path, day: datetime) -> None:
    """按天补报：平台收下过的也再报一次，平台答“已存在”算成功，不会重复计。"""
    with _open(file) as (db, _, _):
        ids = backlog.of_day(db, *_bounds(day))
        number = backlog.ask_again(db, ids, epoch_ms())
    waits = f"（另有 {len(ids) - number} 条本来就在等待）" if number < len(ids) else ""
    click.echo(
        f"{day:%Y-%m-%d} 的 {number} 条记录将在一分钟内开始补报{waits}。"
        if ids
        else f"{day:%Y-%m-%d} 没有记录。"
    )


@upstream.command()
@CONFIG
@click.option("--serial", help="只看这个业务流水号。")
@click.option("--failed", is_flag=True, help="只看拒收的和没有应答的。")
@click.option("--limit", default=50, show_default=True, help="最近多少次。")
@click.option("--full", is_flag=True, help="连同报送的字段一起列出。")
def journal(file: Path, serial: str | None, failed: bool, limit: int, full: bool) -> None:
    """与上级平台的每次往来，不含口令、密钥和公民信息；保存 30 天、最多 20 万次。"""
    with _open(file) as (db, _, _):
        found = exchanges.latest(db, limit, serial=serial, failed=failed)
    for each in found:
        code = "无应答" if each.status is None else f"HTTP {each.status}"
        reason = f"：{each.reason}" if each.reason else ""
        click.echo(
            f"{_moment(each.at)} {KINDS[each.purpose]} {each.serial}/{each.service_number} "
            f"{VERDICTS[each.verdict]}（{code}，{each.took_ms} 毫秒）{reason}"
        )
        if full:
            click.echo(f"  地址 {each.address}")
            click.echo("  报送 " + "，".join(f"{k}={v}" for k, v in each.sent.items()))
        if (full or failed) and each.received:
            click.echo(f"  应答 {each.received}")
    if not found:
        click.echo("没有这样的往来记录。")


@upstream.command()
@CONFIG
@click.option(
    "--file",
    "listed",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="平台给出的清单：CSV（第一行是字段名）或每行一个 JSON。",
)
@click.option("--day", type=_DAY, help="只核对本厅这一天的记录；不写就核对全部。")
@click.option("--limit", default=50, show_default=True, help="每种最多列出多少条。")
def diff(file: Path, listed: Path, day: datetime | None, limit: int) -> None:
    """与平台的清单核对：平台没有的、本厅没有的、等级不同的；有差异时退出码为 1。"""
    with _open(file) as (db, config, base):
        names, levels, valid = _terms(config, base)
        try:
            theirs = comparison.read(listed.read_bytes(), names, levels, valid)
        except ListFault as error:
            console.fail(f"{listed}：{error}", 2)
        services = any(not each.key[2] for each in theirs)
        result = comparison.compare(_ours(db, day, services=services), theirs)
    if not services:
        click.echo("清单中没有办件服务数据，只核对评价。")
    _tell(result, limit)
    if result.they_lack or result.we_lack or result.levels or result.validity:
        sys.exit(1)


@upstream.command()
@click.argument("dialect", type=click.Choice(get_args(DialectName)))
def pattern(dialect: DialectName) -> None:
    """打印一种报文格式的带注释的样本，存成文件后按本市平台的文档修改。"""
    click.echo(quirks.pattern(dialect), nl=False)


def origins(db: Database) -> list[str]:
    """Say of each smaller hall how many records came, and how they stand with the city."""
    return [
        f"下级大厅“{each.name}”：收到 {each.came} 条，等待 {each.waiting}，"
        f"已送达 {each.accepted}，搁置 {each.set_aside}"
        for each in fed.origins(db)
    ]


def _terms(
    config: HubConfig, base: Path
) -> tuple[dict[str, str], dict[str, str], Mapping[str, bool]]:
    """Return the city's names for our fields, our levels for its words, its words for "valid"."""
    levels = {str(level): str(level) for level in range(1, 6)}
    if config.upstream is None:
        return {}, levels, comparison.VALID
    own = config.upstream.quirks
    try:
        described = quirks.load(config.upstream.dialect, base / own if own else None)
    except QuirksError as error:
        console.fail(str(error), 2)
    codes = described.fields.codes.get("satisfaction")
    words = described.fields.codes.get("EffectivEvalua", {"1": "1", "0": "0"})
    return (
        described.fields.rename,
        {word: ours for ours, word in codes.items()} if codes else levels,
        {word: ours == "1" for ours, word in words.items()},
    )


def _ours(db: Database, day: datetime | None, *, services: bool) -> Iterator[Listed]:
    start, end = (0, _EVER) if day is None else _bounds(day)
    for each in backlog.held(db, start, end):
        of = each.serial, str(each.service_number)
        if each.kind == "rating":
            said = payload_of(each.body) or {}
            yield Listed((*of, "1"), str(said.get("level", "")), not each.ruled)
        elif each.kind == "addition":
            yield Listed((*of, "2"))
        elif each.kind == "service" and services:
            yield Listed((*of, ""))


def _tell(result: Compared, limit: int) -> None:
    click.echo(
        f"两边都有 {result.both} 条；平台没有 {len(result.they_lack)} 条，"
        f"本厅没有（或平台未曾答复收下）{len(result.we_lack)} 条，"
        f"等级不同 {len(result.levels)} 条，是否有效不同 {len(result.validity)} 条"
    )
    for title, keys in (("平台没有", result.they_lack), ("本厅没有", result.we_lack)):
        for key in keys[:limit]:
            click.echo(f"  {title}：{_named(key)}")
    for key, ours, theirs in result.levels[:limit]:
        click.echo(f"  等级不同：{_named(key)}：本厅 {ours}，平台 {theirs}")
    for key, counts in result.validity[:limit]:
        how = "平台按未评计，本厅没有认定" if counts else "本厅已认定不予采纳，平台仍按有效评价计"
        click.echo(f"  是否有效不同：{_named(key)}：{how}")
    if result.twice:
        click.echo(f"清单中有 {len(result.twice)} 条重复，例如 {_named(result.twice[0])}")
    if result.they_lack:
        click.echo("平台没有的，可用 pingyi-hub upstream backfill --day 日期 补报。")


def _named(key: Key) -> str:
    kind = "评价" if key[2] else "办件"
    return f"{kind} {key[0]}/{key[1]}" + (
        f"（第 {key[2]} 次评价）" if key[2] not in ("", "1") else ""
    )


def _standing(db: Database) -> None:
    standing = exchanges.standing(db)
    if standing.failing_since is not None:
        click.echo(f"平台从 {_moment(standing.failing_since)} 起没有应答：{standing.failing}")
        if hint := mend(standing.failing):
            click.echo(f"  处理：{hint}")
    elif standing.answered_at is not None:
        click.echo(f"平台最近一次应答：{_moment(standing.answered_at)}")


def _skew(db: Database) -> None:
    measured = exchanges.skews(db)
    if not measured:
        return
    skew = round(statistics.median(measured))
    how = "一致（误差 1 秒以内）"
    if abs(skew) > 1_000:
        how = f"相差约 {abs(skew) / 1000:.0f} 秒：本机{'慢' if skew > 0 else '快'}"
    click.echo(f"时钟与平台{how}，依据最近 {len(measured)} 次应答")
    if abs(skew) > SKEW_WARNING_MS:
        click.echo("  处理：请检查本机的时间服务（chrony）；本机无误的，请告知平台")


def _bounds(day: datetime) -> tuple[int, int]:
    start = int(day.replace(tzinfo=CHINA).timestamp() * 1000)
    return start, start + 86_400_000


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC).astimezone(CHINA):%m-%d %H:%M}"
