"""The commands `pingyi-hub broker-config` and `pingyi-hub revoke`."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from sqlite_utils import Database

from hub.clock import epoch_ms
from hub.commands import console
from hub.commands.console import CONFIG
from hub.config import ConfigError, HubConfig
from hub.gate import device_ca
from hub.kiosks.keys import present, public_keys
from hub.kiosks.roster import Roster
from hub.link import brokerfiles
from hub.link.brokerfiles import FilesError
from hub.link.mosquitto import Plan, hub_user
from hub.rules.access import CONSOLE
from hub.store import audit, certificates, database, revocations

FILE = click.Path(path_type=Path, dir_okay=False)
_NEEDED = ("ca", "device_ca", "kick_password")


@click.command("broker-config")
@CONFIG
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="存放 mosquitto 配置的目录；已有的同名文件会被换掉。",
)
@click.option("--certificate", type=FILE, required=True, help="消息服务的证书（server.pem）。")
@click.option("--key", type=FILE, required=True, help="消息服务的密钥（server.key）。")
@click.option("--crl", "crls", type=FILE, multiple=True, help="吊销名单；可以写多个 --crl。")
@click.option("--bind", default="0.0.0.0", show_default=True, help="监听的地址。")
def broker_config(
    *, file: Path, out: Path, certificate: Path, key: Path, crls: tuple[Path, ...], bind: str
) -> None:
    """写出 mosquitto 的全套配置：只接受有证书的评价器，每台只能收发自己的消息。"""
    config, base = console.load(file, files=False)
    broker = config.broker
    missing = [name for name in _NEEDED if not getattr(broker, name)]
    if missing:
        console.fail("\n".join(f"{file}：broker.{name}：缺少此项" for name in missing), 2)
    out = out.absolute()
    plan = Plan(
        hall=config.hall,
        folder=out,
        port=broker.port,
        kick_port=broker.kick_port,
        bind=bind,
        crl=bool(crls),
    )
    try:
        brokerfiles.server_pair(certificate, key)
        issuer = base / broker.device_ca
        brokerfiles.certificate(issuer)
        sources = {
            "ca.pem": (base / broker.ca).read_bytes() + issuer.read_bytes(),
            "server.pem": certificate.read_bytes(),
            "server.key": key.read_bytes(),
        }
        if crls:
            for crl in crls:
                _checked(crl, issuer, None)
            sources["crl.pem"] = b"".join(crl.read_bytes() for crl in crls)
        password = brokerfiles.kick_password(base / broker.kick_password)
        written = brokerfiles.write(plan, out, sources, password)
    except FilesError as error:
        console.fail(str(error))
    except OSError as error:
        console.fail(console.trouble(error, Path(error.filename or out)))
    for path in written:
        click.echo(path)
    click.echo(
        f"试运行：mosquitto -c {out / 'mosquitto.conf'}\n"
        f"服务器须用名称为 {hub_user(config.hall)} 的证书连接，端口 {broker.port}。",
        err=True,
    )
    if not crls:
        click.echo("注意：没有给出 --crl，消息服务不会拒绝已吊销的证书。", err=True)


@click.command()
@CONFIG
@click.argument("device", required=False)
@click.option("--reason", default="", help="原因，例如“被盗”。")
@click.option("--crl", type=FILE, help="同时装上新的吊销名单（换掉 broker.crl 指的文件）。")
@click.option("--lift", is_flag=True, help="撤销误吊销：重新接受这台评价器现在的密钥。")
def revoke(file: Path, device: str | None, reason: str, crl: Path | None, lift: bool) -> None:
    """不再接受一台评价器：五秒内断开，它此后送来的评价一律拒收。

    不写评价器代号、只写 --crl 时，只换吊销名单。
    """
    config, base = console.load(file)
    if device is not None:
        _revoke(config, base, device, reason, lift=lift)
    elif crl is None or lift:
        console.fail("请写明评价器的代号，或用 --crl 给出新的吊销名单", 2)
    if crl is not None:
        _install(config, base, crl)


def _revoke(config: HubConfig, base: Path, device: str, reason: str, *, lift: bool) -> None:
    try:
        configured, ca = public_keys(config, base), device_ca(config, base)
    except ConfigError as error:
        console.fail(str(error))

    def key_in(db: Database) -> EllipticCurvePublicKey | None:
        held = certificates.of_all(db).get(device)
        known = {device: held} if held is not None else {}
        return present(db, Roster(config.hall, configured, known, ca), device)

    with console.people(config, base) as db:
        changed = _record(db, device, key_in, reason, lift)
    if lift:
        click.echo(f"{device} 恢复接受。" if changed else f"{device} 没有被吊销。")
    else:
        click.echo(f"{device} 已吊销。" if changed else f"{device} 之前已经吊销。")


def _record(
    db: Database,
    device: str,
    key_in: Callable[[Database], EllipticCurvePublicKey | None],
    reason: str,
    lift: bool,
) -> bool:
    with database.alone(db):
        key = key_in(db)
        if key is None:
            console.fail(
                f"没有名为“{device}”的评价器：请用配置中或入网时的名称。"
                "从未连接过的评价器，在入网台吊销、换上新的吊销名单即可"
            )
        now = epoch_ms()
        act = "lift_revocation" if lift else "revoke"
        audit.note(db, now, CONSOLE.name, act, device, detail={"reason": reason})
        if lift:
            return revocations.lift(db, device, now) > 0
        return revocations.revoke(db, device, revocations.digest(key), reason, now)


def _install(config: HubConfig, base: Path, crl: Path) -> None:
    broker = config.broker
    if not broker.crl:
        console.fail("配置里没有 broker.crl，不知道把吊销名单装到哪里。")
    try:
        _checked(crl, base / broker.device_ca, base / broker.crl)
        brokerfiles.replace(base / broker.crl, crl.read_bytes())
    except (FilesError, OSError) as error:
        console.fail(str(error))
    click.echo("吊销名单已装上。请执行 systemctl reload mosquitto（已装 path 单元的会自动执行）。")


def _checked(new: Path, issuer: Path, old: Path | None) -> None:
    certificate = brokerfiles.certificate(issuer)
    brokerfiles.check_newer(
        brokerfiles.revocation_list(new, certificate),
        brokerfiles.revocation_list(old, certificate) if old is not None else None,
        datetime.now(UTC),
    )
