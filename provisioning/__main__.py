"""The command `pingyi-provision`."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from protocol import wording
from protocol.certificates import CRL_DAYS
from provisioning import console, files, keystore, labels, listing, revocation
from provisioning.console import DIRECTORY, PASSPHRASE_FILE
from provisioning.enrol_commands import batch, enrol
from provisioning.renew_commands import renew

_THEN = "再到大厅服务器上执行：pingyi-hub revoke {device} --crl {out}（五秒内断开，评价拒收）"

OUT_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=console.Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """评价器的身份：入网，签发、续期、吊销证书，标签。"""


def _now() -> datetime:
    return datetime.now(UTC)


@main.command()
@DIRECTORY
@PASSPHRASE_FILE
@click.option("--name", default="pingyi", show_default=True, help="写进 CA 证书的单位名称。")
def init(directory: Path, passphrase_file: Path | None, name: str) -> None:
    """建立签发机构：离线的根 CA，以及评价器、服务器各一个签发 CA。"""
    with console.explained():
        keystore.check_free(directory)
        secret = console.passphrase(passphrase_file, twice=True)
        keystore.create(directory, secret, name, _now())
    click.echo(
        f"已在 {directory} 建立签发机构。接下来：\n"
        f"1. 备份整个目录和口令，分开保管；两者缺一不可，也无法找回。\n"
        f"2. 把 {directory / 'root.key'} 移到离线介质锁好：日常签发不需要它。\n"
        "3. 用 server-certificate 给大厅服务器签发证书，再用 enrol 或 batch 给评价器办理入网。"
    )


@main.command("server-certificate")
@DIRECTORY
@PASSPHRASE_FILE
@click.option(
    "--name", "names", multiple=True, required=True, help="主机名或 IP 地址；可以写多个 --name。"
)
@click.option("--hall", help="大厅的名称；给出时一并签发服务器连接消息服务的身份。")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="存放证书和密钥的新目录。",
)
def server_certificate(
    directory: Path,
    passphrase_file: Path | None,
    names: tuple[str, ...],
    hall: str | None,
    out: Path,
) -> None:
    """给大厅服务器签发证书，写成一个目录。

    \b
    server.pem server.key  消息服务的证书和密钥
    hub.pem hub.key        服务器连接消息服务的身份（给出 --hall 时）
    ca.pem device-ca.pem   根证书，评价器的签发 CA
    crl.pem                吊销名单
    """  # noqa: D301 - click keeps the lines as they are behind this sign
    if not files.is_free(out):
        console.fail(f"{out} 已经存在且不是空目录，不会覆盖：请换一个目录")
    with (
        console.authority(directory, passphrase_file) as authority,
        files.whole_directory(out) as place,
    ):
        pairs = {"server": authority.issue_server(names, _now())}
        if hall is not None:
            pairs["hub"] = authority.issue_hub(hall, _now())
        for name, (chain, key) in pairs.items():
            files.write(place / f"{name}.key", key, files.PRIVATE)
            files.write(place / f"{name}.pem", chain, files.PUBLIC)
        files.write(place / "ca.pem", authority.root_pem, files.PUBLIC)
        files.write(place / "device-ca.pem", authority.device_ca_pem, files.PUBLIC)
        files.write(place / "crl.pem", authority.crl(_now()), files.PUBLIC)
    click.echo(f"已写入 {out}。请把整个目录交给大厅服务器；密钥没有口令，不要经邮件传送。")


@main.command()
@DIRECTORY
@PASSPHRASE_FILE
@click.argument("device")
@click.option("--reason", required=True, help="原因，例如“被盗”。")
@click.option("--out", type=OUT_FILE, help="同时写出新的吊销名单。")
def revoke(
    directory: Path, passphrase_file: Path | None, device: str, reason: str, out: Path | None
) -> None:
    """吊销一台评价器的全部证书和未用的入网凭证；给出 --out 时才需要口令。"""
    if out is None:
        with console.explained(), keystore.open_register(directory) as register:
            revocation.revoke(register, device, reason, _now())
        click.echo(f"{device} 已吊销。请执行 pingyi-provision crl 写出新的吊销名单。")
        click.echo(_THEN.format(device=device, out="名单文件"))
        return
    with console.authority(directory, passphrase_file) as authority:
        authority.revoke(device, reason, _now())
        click.echo(f"{device} 已吊销。")
        try:
            files.replace(out, authority.crl(_now()))
        except OSError as error:
            console.fail(
                f"名单 {out} 没有写成：{wording.system(error)}。"
                "请检查路径和磁盘空间，再用 pingyi-provision crl 写出"
            )
    click.echo(f"新的吊销名单已写入 {out}。")
    click.echo(_THEN.format(device=device, out=out.name))


@main.command()
@DIRECTORY
@PASSPHRASE_FILE
@click.option("--out", type=OUT_FILE, required=True, help="吊销名单写到这个文件。")
def crl(directory: Path, passphrase_file: Path | None, out: Path) -> None:
    """写出吊销名单；到期之前必须换上新的，否则所有评价器都连不上。"""
    with console.authority(directory, passphrase_file) as authority:
        files.replace(out, authority.crl(_now()))
    click.echo(
        f"吊销名单已写入 {out}，{CRL_DAYS} 天内有效。请交给大厅服务器，"
        f"并在 {CRL_DAYS // 2} 天内更新。"
    )


@main.command("list")
@DIRECTORY
@click.option("--all", "everything", is_flag=True, help="列出每一张证书，不只是每台最新的一张。")
def list_(directory: Path, everything: bool) -> None:
    """列出已签发、待续期、已过期、已吊销的证书。"""
    with console.explained(), keystore.open_register(directory) as register:
        entries = register.entries()
    if not entries:
        click.echo("还没有签发过证书。")
        return
    now = _now()
    shown = entries if everything else listing.newest(entries)
    click.echo(console.table(listing.HEADER, listing.rows(shown, now)))
    counts = Counter(listing.state(entry, now) for entry in shown)
    click.echo("共 " + "，".join(f"{each.value} {counts[each]}" for each in listing.State))


@main.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="PINGYI_AUTHORITY",
    help="签发机构的目录：给其中有效的评价器打印。",
)
@click.option("--csv", "source", type=OUT_FILE, help="或从 CSV 读取：device,hall,serial_number。")
@click.option("--out", type=OUT_FILE, required=True, help="SVG 文件；多于一页时自动编号。")
def label(directory: Path | None, source: Path | None, out: Path) -> None:
    """打印标签：A4 纸，每页 24 张，名称、大厅、序列号和二维码。"""
    with console.explained():
        if source is not None:
            wanted = labels.read_csv(source)
        elif directory is not None:
            with keystore.open_register(directory) as register:
                wanted = labels.of_register(register, _now())
        else:
            console.fail("请用 --csv 给出清单，或用 --dir 给出签发机构的目录")
        if not wanted:
            console.fail("没有可以打印的评价器：请先入网，或用 --csv 给出清单")
        pages = labels.sheets(wanted)
        for number, page in enumerate(pages, start=1):
            path = out if len(pages) == 1 else out.with_stem(f"{out.stem}-{number}")
            files.replace(path, page.encode())
            click.echo(f"已写入 {path}")
    click.echo("请用 A4 标签纸（70×37 毫米）按 100% 打印，不要选“适合页面”。")


main.add_command(enrol)
main.add_command(batch)
main.add_command(renew)


if __name__ == "__main__":
    main()
