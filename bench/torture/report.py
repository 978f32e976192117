"""What a run leaves behind: for programs and for people."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.torture.verdict import Verdict

_BROKEN = ("丢失", "重复", "改动", "无人按过")


@dataclass
class Outcome:
    """What a run leaves behind, as `torture.json`."""

    seed: int
    faults: int
    kinds: dict[str, int]
    notes: dict[str, int]
    skipped: list[str]
    seconds: float
    drain_seconds: float
    verdict: Verdict
    outboxes_spoiled: list[dict[str, Any]] = field(default_factory=list)
    restored: list[dict[str, Any]] = field(default_factory=list)
    verify: str = ""
    problems: list[str] = field(default_factory=list)


def write(outcome: Outcome, out: Path) -> None:
    """Leave `torture.json` in `out`."""
    text = json.dumps(asdict(outcome), ensure_ascii=False, indent=2)
    (out / "torture.json").write_text(text + "\n", encoding="utf-8")


def summary(outcome: Outcome) -> str:
    """Return the outcome for people, in Chinese and English."""
    found = outcome.verdict
    kinds = "，".join(f"{name} {count}" for name, count in outcome.kinds.items())
    account = f"{found.rated} + 过期 {found.expired} + 撤回 {found.withdrawn} + 进行中 {found.open}"
    broken = [found.lost, found.duplicated, found.altered, found.invented]
    lines = [
        f"种子 {outcome.seed}，故障 {outcome.faults} 次，历时 {outcome.seconds:.0f} 秒",
        f"其中最后等待全部送达 {outcome.drain_seconds:.0f} 秒",
        f"故障（faults）：{kinds}",
        f"邀请 {found.invited} = 已评 {account}；城市平台收到评价 {found.city_ratings}",
        f"差评未写明原因、按规定不报送 {found.incomplete}",
        f"已道谢 {found.thanked}：" + "，".join(map("{} {}".format, _BROKEN, broken)),
        f"评价器文件损坏（有报警）时尚未送达的 {found.lost_with_disk}",
        f"备份之后、恢复之前收到的 {found.gone_with_backup}",
        f"同一次服务评了两次、只报先到的 {found.rated_twice}",
        f"seed {outcome.seed}, {outcome.faults} faults in {outcome.seconds:.0f} s",
        f"thanked for {found.thanked}; lost, duplicated, altered, invented: {broken}",
        f"gone with a spoiled outbox, after an alarm: {found.lost_with_disk}",
        f"gone with what an older backup did not hold: {found.gone_with_backup}",
        f"bad without a reason, which the rules keep from the city: {found.incomplete}",
        f"rated twice, only the first to arrive goes to the city: {found.rated_twice}",
        f"cut off after what was promised: {found.cut_off}",
    ]
    lines += [f"△ {words} × {count}" for words, count in outcome.notes.items()]
    lines += [f"△ {words}" for words in outcome.skipped]
    lines += [f"✗ {problem}" for problem in outcome.problems]
    return "\n".join(lines)
