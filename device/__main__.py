"""The command `pingyi-kiosk`."""

import logging
import sys
from pathlib import Path

import click

from device import config as configuration
from device import identity
from device.outbox import Outbox

CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/pingyi/kiosk.toml"),
    show_default=True,
    help="配置文件（TOML）。",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """评价器：显示办件，请群众评价，断网时先保存在本机。"""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def _load(file: Path) -> tuple[configuration.KioskConfig, Path]:
    try:
        return configuration.load(file), file.parent
    except configuration.ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


@main.command()
@CONFIG
@click.option("--headless", is_flag=True, help="没有显示器时在内存中绘制。")
def run(file: Path, headless: bool) -> None:
    """开机后运行评价器。"""
    config, base = _load(file)
    from device import kiosk  # noqa: PLC0415 - the other commands need no screen

    try:
        kiosk.run(config, base, headless=headless)
    except identity.IdentityError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


@main.command()
@CONFIG
def enrol(file: Path) -> None:
    """生成本机密钥（如果还没有），并打印公钥，交给管理员登记到大厅服务器。"""
    config, base = _load(file)
    try:
        key = identity.load_or_create(base / config.state / "device-key.pem")
    except (identity.IdentityError, OSError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    click.echo(identity.public_pem(key).decode(), nl=False)


@main.command()
@CONFIG
def outbox(file: Path) -> None:
    """查看还有多少评价结果没有得到大厅回执。"""
    config, base = _load(file)
    path = base / config.state / "outbox.db"
    if not path.exists():
        click.echo("待发送：0（本机还没有保存过评价结果）")
        return
    box = Outbox.open(path)
    click.echo(f"待发送：{box.depth()}")
    box.close()


if __name__ == "__main__":
    main()
