"""The commands `pingyi-hub verify` and `pingyi-hub export`: the ledger for auditors."""

import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict, Unpack

import click
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from hub import notary
from hub.clock import epoch_ms
from hub.commands import console
from hub.commands.console import CONFIG
from hub.config import ConfigError
from hub.kiosks.keys import public_keys
from hub.link import brokerfiles
from hub.link.brokerfiles import FilesError
from hub.notary import LedgerKeyError
from hub.rules.checkpoint import CheckpointInvalid, NoCheckpoint, Verifier, check_form, verifier
from hub.store import lastsigned
from hub.verification import people, report, sources
from hub.verification.arrivals import Keys
from hub.verification.findings import Finding
from protocol import wording

EACH = 500
SHOWN = 200


@click.command()
@CONFIG
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="核验导出的目录，不需要服务器和配置。",
)
@click.option("--key", help="另处留存的台账公钥（pingyi-hub export 时显示的那一行）。")
@click.option(
    "--known",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="另处留存的检查点文件，可以写多个。",
)
@click.option(
    "--device-ca",
    "cas",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="评价器的签发 CA（device-ca.pem）：只认它签过证书的密钥；换过 CA 的可以写多个。"
    "核验服务器自己的数据时默认用配置的 broker.device_ca。",
)
def verify(
    *,
    file: Path,
    folder: Path | None,
    key: str | None,
    known: tuple[Path, ...],
    cas: tuple[Path, ...],
) -> None:
    """核验台账：签名、编号、哈希树、检查点、账目，逐条指出问题。

    服务器运行时也可以核验，不影响办事。没有问题返回 0，有问题返回 1。
    """
    try:
        trusted = None if key is None else verifier(key)
        authorities = _authorities(cas)
    except (CheckpointInvalid, FilesError, OSError) as error:
        console.fail(str(error), 2)
    kept = [_checkpoint(path) for path in known]
    teller = _Teller()
    if folder is not None:
        try:
            material = sources.exported(folder)
            result = _run(material, teller, known=kept, trusted=trusted, device_cas=authorities)
            if result.ruled:
                result = msgspec.structs.replace(
                    result, unchecked=(*result.unchecked, people.IN_EXPORT)
                )
                _ask_for(sources.evidence(folder))
        except (OSError, CheckpointInvalid, ValueError, json.JSONDecodeError) as error:
            console.fail(f"导出的目录 {folder} 不完整或无法读取：{error}", 2)
    else:
        result = _live(file, teller, kept, trusted, authorities)
    teller.end(result)


def _checkpoint(path: Path) -> str:
    """Read a checkpoint that somebody has kept; ends with 2 where the file is none."""
    try:
        note = path.read_text(encoding="utf-8")
        check_form(note)
    except OSError as error:
        console.fail(f"{path} 无法读取：{wording.system(error)}", 2)
    except (NoCheckpoint, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, NoCheckpoint) else "不是文本文件"
        console.fail(
            f"{path}：这不是检查点文件（{why}）。"
            "请给出从 /ledger/checkpoint 原样存下来的文件，台账没有核验",
            2,
        )
    return note


def _ask_for(evidence: Iterable[tuple[int, str]]) -> None:
    """List by what an auditor may ask the hall for documents, and know them for the right ones."""
    click.echo(
        "未核对：复核认定的证据文件含个人信息，不在导出的目录里。"
        "请向大厅索取，用 sha256sum 算出的指纹应与下列一致："
    )
    for count, (position, digest) in enumerate(evidence):
        if count == SHOWN:
            click.echo("  ……后面的没有列出，见 bodies.jsonl 中的 evidence")
            break
        click.echo(f"  第 {position} 条  {digest}")


def _live(
    file: Path,
    teller: "_Teller",
    kept: list[str],
    trusted: Verifier | None,
    authorities: list[str],
) -> report.Report:
    config, base = console.load(file, files=False)
    try:
        trial = {name: [key] for name, key in public_keys(config, base).items()}
        if not authorities and config.broker.device_ca:
            authorities = _authorities([base / config.broker.device_ca])
    except (ConfigError, FilesError, OSError) as error:
        console.fail(str(error), 2)
    state = base / config.state
    newest = _kept(state)  # before the database is looked at: the hub signs on meanwhile
    with console.reading(state) as db:
        own = _own_verifier(state, config.hall)
        vault = sources.vault_at(state / "citizens.key")
        each_ms = config.ledger.checkpoint_s * 1000
        result = _run(
            sources.live(db, own, vault, kept=newest, each_ms=each_ms),
            teller,
            known=kept,
            trusted=trusted,
            hall=config.hall,
            device_cas=authorities,
            trial=trial,
        )
        left = report.around(db, teller.found, vault, now=epoch_ms())
    if newest is None:
        text = "检查点被删去，或数据文件被换成旧的，只能凭入账时间发现"
        left += (f"没有 {state / lastsigned.NAME}（旧版本的服务器没有它）：{text}",)
    return msgspec.structs.replace(result, unchecked=(*result.unchecked, *left))


def _kept(state: Path) -> str | None:
    try:
        return lastsigned.read(state)
    except OSError as error:
        console.fail(f"{state / lastsigned.NAME} 无法读取：{wording.system(error)}")


def _own_verifier(state: Path, hall: str) -> Verifier | None:
    path = state / "ledger.key"
    if not path.exists():
        return None
    try:
        key = notary.load_or_create(path, needed=True)
    except LedgerKeyError as error:
        click.echo(str(error), err=True)
        return None
    return Verifier(notary.origin(hall), key.public_key().public_bytes_raw())


def _authorities(paths: Iterable[Path]) -> list[str]:
    """Read certificates of device CAs; raises `FilesError` or OSError."""
    return [
        brokerfiles.certificate(path).public_bytes(Encoding.PEM).decode("ascii") for path in paths
    ]


class _Options(TypedDict, total=False):
    known: list[str]
    trusted: Verifier | None
    hall: str
    device_cas: list[str]
    trial: Keys


def _run(
    material: sources.Material, teller: "_Teller", **options: Unpack[_Options]
) -> report.Report:
    with click.progressbar(length=material.total, label="核验", file=sys.stderr) as bar:

        def progress(count: int) -> None:
            if count % EACH == 0:
                bar.update(EACH)

        return report.verify(material, teller.found, progress=progress, now=epoch_ms(), **options)


class _Teller:
    """Tells findings as they come; of a flood only the beginning, and how many more there are."""

    def __init__(self) -> None:
        self._count = 0
        self._grave = 0

    def found(self, finding: Finding) -> None:
        self._count += 1
        self._grave += finding.grave
        if self._count <= SHOWN:
            click.echo(str(finding))

    def end(self, result: report.Report) -> None:
        if self._count > SHOWN:
            click.echo(f"……另有 {self._count - SHOWN} 处没有列出")
        for text in result.unchecked:
            click.echo(f"未核对：{text}")
        signed = f"共 {result.entries} 条，{result.checkpoints} 个检查点相符"
        if result.unsigned:
            signed += f"，最后 {result.unsigned} 条还没有检查点"
        click.echo(f"{signed}，树根 {result.root.hex()}")
        click.echo(f"评价 {result.rated} 条，其中复核认定不予采纳、按未评计 {result.ruled} 条")
        if self._grave:
            click.echo(f"发现 {self._grave} 处问题：台账被改动或已损坏。请保留现场，不要继续使用")
            sys.exit(1)
        click.echo("没有发现改动" + (f"；{self._count} 处需要说明" if self._count else ""))


@click.command()
@CONFIG
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="导出到这个新目录。",
)
def export(file: Path, out: Path) -> None:
    """导出台账供他人核验：条目、检查点、公钥；不含办件人信息和证据文件。"""
    config, base = console.load(file, files=False)
    state = base / config.state
    if out.exists():
        console.fail(f"{out} 已经存在，不会覆盖：请换一个目录")
    with console.reading(state) as db:
        own = _own_verifier(state, config.hall)
        if own is None:
            console.fail("还没有台账的签名密钥：请先运行服务器，再导出")
        try:
            count = sources.export(db, out, own)
        except FileExistsError:
            console.fail(f"{out} 已经存在，不会覆盖：请换一个目录")
        except BaseException as error:
            shutil.rmtree(out, ignore_errors=True)  # half of it is no export, and in the way
            if not isinstance(error, OSError):
                raise
            console.fail(f"无法写入 {out}：{wording.system(error)}。请检查路径和磁盘空间")
    click.echo(
        f"已导出 {count} 条到 {out}。复核认定的证据文件含个人信息，不在其中；"
        "核验的人会看到它们的指纹，凭指纹索取。"
    )
    click.echo("台账的公钥如下，请与目录分开交给核验的人：")
    click.echo(str(own))
