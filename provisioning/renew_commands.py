"""The command `renew` of `pingyi-provision`: over the hub, or by hand."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from provisioning import console, files, renewing
from provisioning.authority import Authority
from provisioning.console import DIRECTORY, PASSPHRASE_FILE
from provisioning.hub_client import AddressError, HubClient, HubTrouble

FILE = click.Path(path_type=Path, dir_okay=False)


def _now() -> datetime:
    return datetime.now(UTC)


@click.command()
@DIRECTORY
@PASSPHRASE_FILE
@click.option("--hub", help="大厅服务器的接口地址，https://主机:端口。")
@click.option("--key-file", type=FILE, help="存放接口密钥的文件（第一行；权限 600）。")
@click.option("--ca", type=FILE, help="验证大厅服务器的根证书（签发机构的 root.pem）。")
@click.option(
    "--watch",
    type=click.IntRange(1, 1440),
    metavar="分钟",
    help="不退出，每隔几分钟办理一次；服务器断开时等它恢复。",
)
@click.argument("device", required=False)
@click.option("--request", type=FILE, help="手工办理：评价器的证书申请（CSR）。")
@click.option("--out", type=FILE, help="手工办理：新证书写到这个文件。")
def renew(
    *,
    directory: Path,
    passphrase_file: Path | None,
    hub: str | None,
    key_file: Path | None,
    ca: Path | None,
    watch: int | None,
    device: str | None,
    request: Path | None,
    out: Path | None,
) -> None:
    """给证书仍然有效的评价器续期；已过期或已吊销的要重新入网。

    \b
    经大厅服务器（评价器自己申请，一次办完全部）：
      renew --hub https://hub.example:8750 --key-file 密钥文件 --ca root.pem
    手工（申请和证书由人携带）：
      renew 名称 --request 申请.csr --out 新证书.pem
    """  # noqa: D301 - click keeps the lines as they are behind this sign
    if hub is not None and key_file is not None and not (device or request or out):
        with console.authority(directory, passphrase_file) as authority:
            if watch is None:
                _once(hub, key_file, ca, authority)
            else:
                _watch(hub, key_file, ca, authority, watch)
    elif device and request and out and not (hub or key_file or ca or watch):
        with console.authority(directory, passphrase_file) as authority:
            files.replace(out, authority.renew(request.read_bytes(), device, _now()))
        click.echo(f"{device} 的新证书已写入 {out}。")
    else:
        console.fail(
            "请写明一种办法：经大厅服务器用 --hub 和 --key-file（可加 --ca、--watch），"
            "手工用 名称、--request 和 --out"
        )


def _round(
    hub: str, key_file: Path, ca: Path | None, authority: Authority
) -> Iterator[renewing.Result]:
    """Read key and root anew for each round: they may be changed while this command runs."""
    try:
        client = HubClient(hub, console.secret(key_file, "接口密钥"), ca)
    except AddressError as error:
        console.fail(str(error))
    return renewing.run(client, authority, _now)


def _once(hub: str, key_file: Path, ca: Path | None, authority: Authority) -> None:
    results = []
    try:
        for result in _round(hub, key_file, ca, authority):
            results.append(result)
            click.echo(str(result))
    except HubTrouble as error:
        console.fail(str(error))
    refused = sum(result.until is None for result in results)
    if not results:
        click.echo("没有等待续期的评价器。")
    else:
        click.echo(f"共 {len(results)} 台，已续期 {len(results) - refused}，没有续期 {refused}。")
    sys.exit(1 if refused else 0)


def _watch(hub: str, key_file: Path, ca: Path | None, authority: Authority, minutes: int) -> None:
    watch = renewing.Watch(
        lambda: _round(hub, key_file, ca, authority),
        lambda text: click.echo(f"{_now().astimezone():%m-%d %H:%M} {text}"),
        register_unusable=console.register_unusable,
    )
    while True:
        watch.turn()
        time.sleep(minutes * 60)
