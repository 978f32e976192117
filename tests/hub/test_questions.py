"""The commands ask in Chinese, and say in Chinese that nothing was done."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hub.commands import console as hub_console
from provisioning import console as desk_console

ROOT = Path(__file__).parents[2]


@click.command()
def hub_asks():
    hub_console.agreed("确定吗")
    click.echo("做了")


@click.command()
def desk_asks():
    click.echo("做了" if desk_console.agreed("确定吗") else "没有做")


@pytest.mark.parametrize("said", ["n\n", "\n", "x\nn\n", ""])
def test_a_no_ends_a_command_of_the_hub_in_chinese(said):
    """The empty input is what Ctrl-C and Ctrl-D look like."""
    done = CliRunner().invoke(hub_asks, input=said)
    assert done.exit_code == 1
    assert "已取消，什么都没有改动。" in done.stderr
    assert "Aborted" not in done.output
    assert "做了" not in done.output
    assert CliRunner().invoke(hub_asks, input="y\n").stdout.endswith("做了\n")


@pytest.mark.parametrize("said", ["n\n", "\n", ""])
def test_a_no_at_the_desk_is_a_no(said):
    done = CliRunner().invoke(desk_asks, input=said)
    assert done.exit_code == 0
    assert done.stdout.endswith("没有做\n")
    assert "Aborted" not in done.output
    assert CliRunner().invoke(desk_asks, input="y\n").stdout.endswith("做了\n")


def test_no_command_asks_past_these_helpers():
    """click's own question ends with an English word."""
    asking = [
        path.relative_to(ROOT)
        for room in ("hub", "provisioning", "device")
        for path in (ROOT / room).rglob("*.py")
        if "click.confirm" in path.read_text(encoding="utf-8")
    ]
    assert sorted(map(str, asking)) == ["hub/commands/console.py", "provisioning/console.py"]
