"""Invented cases in any number, for demonstrations and for load: `python -m demo.generate`.

All people and numbers are fictitious. The same count and seed give the same cases.
"""

import csv
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import TypeVar

import click

from demo.case_rules import COLUMNS
from demo.cases import BadCases, Row, format_problems, read
from protocol import catalogue
from protocol.catalogue import LEVELS
from protocol.messages import Rated

T = TypeVar("T")

AWAY_PERCENT = 12  # citizens who leave without rating
# Levels drawn once each level and reason has had its turn: mostly good, as in real halls.
_WEIGHTS = {5: 70, 4: 18, 3: 7, 2: 3, 1: 2}
_AREA = "120116"  # Binhai New Area; the rest of a serial is invented

_COUNTERS = (  # who sits where
    ("1号窗口", "示例甲"),
    ("1号窗口", "示例乙"),
    ("3号窗口", "示例𠮷"),
    ("3号窗口", "示例丙"),
    ("12号窗口", "示例㛃"),
    ("12号窗口", "示例·古丽甲"),
    ("综合03窗口", "示例䶮"),
    ("综合03窗口", "示例丁"),
)

_LONG_MATTER = (
    "建设项目竣工“一件事”联合验收（含建设工程规划核实、建设工程消防验收或者备案、人民防空工程竣工验收备案、"
    "建设工程城建档案验收、房屋建筑和市政基础设施工程竣工验收备案、特种设备使用登记、城镇污水排入排水管网许可、"
    "用水报装验收、用电报装验收、燃气报装验收、供热报装验收、通信配套设施竣工验收备案、住宅小区交付使用备案、"
    "建设项目绿化工程验收、住宅专项维修资金交存登记、门楼牌号和地址编制以及不动产首次登记）"
)
_MATTERS = (
    "企业设立登记",
    "食品经营许可（新办）",
    "不动产转移登记",
    "社会保险登记",
    "城镇职工基本医疗保险参保登记",
    "城镇污水排入排水管网许可",
    "老年人优待证办理",
    "建筑工程施工许可证核发",
    "道路货物运输经营许可",
    "公共场所卫生许可（延续）",
    "出版物零售单位设立审批",
    "住房公积金提取（偿还购房贷款本息）",
    "在城市建筑物、设施上张挂、张贴宣传品审批",
    _LONG_MATTER,
)
_LONG_COMMENT = (
    "今天第一次来大厅办事，从取号、咨询、填表到领证一共用了不到四十分钟。窗口的同志先帮我把材料核对了一遍，"
    "发现少一份复印件，当场就替我复印好了，没有让我再跑一趟。等候的时候有热水、有座位，叫号屏也看得清楚。"
    "只有一个小建议：地下停车场的指示牌太小，老人不容易找到电梯，希望能换成大一些的字，谢谢大厅的同志！"
)
_PRAISE = (
    "办得很快",
    "窗口人员很耐心，谢谢！",
    '她说"材料齐了，今天就能拿证"，果然如此',
    "第一，不用排队；第二, 不用复印。\n都很好",
    "👍👍 方便",
    "证件上的𠮷、㛃、䶮三个字都打对了，难得",
    " 开头和结尾的空格也是原话 ",
    _LONG_COMMENT,
)
_BLAME = (
    "材料交了三次，每次都说不够",
    '窗口只说"回去等",没有说等到哪一天',
    "网上说一次办好，\n实际跑了两个窗口",
    "姓名里的䶮字打不出来，让我自己想办法",
)


def generate(count: int, seed: int) -> list[Row]:
    """Return `count` valid cases with the lines that `write` gives them.

    From 5 cases on every level occurs; from 60 on also every reason of the catalogue, every
    text above, and cases with several services. 12 % (rounded down) walk away.
    """
    random = Random(seed)
    away = count * AWAY_PERCENT // 100
    plans: list[tuple[int | None, tuple[str, ...]]] = [(None, ())] * away
    plans += _covering(random)[: count - away]
    levels = list(_WEIGHTS)
    for level in random.choices(levels, [*_WEIGHTS.values()], k=count - len(plans)):
        plans.append((level, _some_reasons(random, level)))
    random.shuffle(plans)
    return _rows(random, plans)


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the cases as `read` takes them: UTF-8 without a byte order mark, line feeds."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            level = "" if row.level is None else str(row.level)
            start = (row.serial, row.service_number, row.matter, row.staff, row.window)
            writer.writerow((*start, level, ";".join(row.reasons), row.comment))


def _covering(random: Random) -> list[tuple[int | None, tuple[str, ...]]]:
    """Plans in which every reason occurs once, the levels taking turns."""
    columns = []
    for level in LEVELS:
        codes = [reason.code for reason in catalogue.load().reasons(level)]
        random.shuffle(codes)
        columns.append([(level, tuple(codes[at : at + 2])) for at in range(0, len(codes), 2)])
    turns = zip_longest(*columns)
    return [plan for turn in turns for plan in turn if plan is not None]


def _some_reasons(random: Random, level: int) -> tuple[str, ...]:
    codes = [reason.code for reason in catalogue.load().reasons(level)]
    least = 1 if level in Rated.bad else 0
    return tuple(random.sample(codes, random.choice((least, least, 1, 2, 3))))


def _rows(random: Random, plans: Sequence[tuple[int | None, tuple[str, ...]]]) -> list[Row]:
    matters, counters = _deck(random, _MATTERS), _deck(random, _COUNTERS)
    praise = _deck(random, (*_PRAISE, *[""] * len(_PRAISE)))
    blame = _deck(random, (*_BLAME, ""))
    again = _deck(random, (True, *[False] * 7))
    number = random.randrange(1_000_000)
    rows: list[Row] = []
    line = 2
    for level, reasons in plans:
        if next(again) and rows:
            serial, service, matter = rows[-1].serial, rows[-1].service_number + 1, rows[-1].matter
        else:
            number += random.randint(1, 9)
            serial, service, matter = f"{_AREA}20260105{number:010}", 1, next(matters)
        comment = "" if level is None else next(blame if level in Rated.bad else praise)
        window, staff = next(counters)
        row = Row(line, serial, service, matter, staff, window, level, reasons, comment)
        rows.append(row)
        line += 1 + comment.count("\n")
    return rows


def _deck(random: Random, cards: Sequence[T]) -> Iterator[T]:
    """Deal the cards in changing orders, each as often as the others."""
    while True:
        yield from random.sample(cards, len(cards))


@click.command(help="生成 COUNT 件虚构办件，写入 CSV 文件 FILE，供演示和压力测试使用。")
@click.argument("count", type=click.IntRange(min=1))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seed", default=1, show_default=True, help="随机种子；相同的种子生成相同的办件。")
def main(count: int, file: Path, seed: int) -> None:
    """Write the file and read it back, so that what is announced is what will be played."""
    try:
        write(generate(count, seed), file)
    except OSError as error:
        raise click.ClickException(
            f"无法写入 {file}（{error.strerror}），请检查目录和权限"
        ) from error
    try:
        rows = read(file)
    except BadCases as bad:
        raise click.ClickException(format_problems(bad)) from bad
    away = sum(row.level is None for row in rows)
    click.echo(f"已写入 {len(rows)} 件办件（其中 {away} 件不评价）：{file}")


if __name__ == "__main__":
    main()
