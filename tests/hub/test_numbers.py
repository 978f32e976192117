"""A kiosk that jumps ahead in its numbering: told as what it is, not as a count of what waits."""

from contextlib import closing

import pytest
from click.testing import CliRunner
from world_hall import KEYS, NOW, VAULT, Hall, a_case, an_invitation, rated

from hub.__main__ import main
from hub.kiosks.keys import pem_of
from hub.store import cases, keys, ledger
from hub.store.database import connect, migrate

MOST = 1 << 53


@pytest.fixture
def hall(tmp_path):
    (tmp_path / "hub.toml").write_text(
        'hall = "demo"\nhall_name = "示例大厅"\nstate = "."\n', encoding="utf-8"
    )
    with closing(connect(tmp_path / "hub.db")) as db:
        migrate(db)
        with db.atomic():
            keys.remember(db, "k1", pem_of(KEYS["k1"].public_key()), NOW)
    with Hall(tmp_path) as hall:
        hall.folder = tmp_path
        yield hall


def number(hall, *numbers):
    """Rate once under each of these numbers; all are committed."""
    waiting = [an_invitation(f"SL{seq}") for seq in numbers]
    for invitation in waiting:
        case = a_case(invitation.serial)
        hall.writer.call(lambda db, case=case: cases.put(db, VAULT, case, NOW))
    hall.issue(*waiting)
    for invitation, seq in zip(waiting, numbers, strict=True):
        hall.send(rated(invitation.id, seq=seq))
    assert hall.account().rated == len(numbers)


def said(hall, command):
    done = CliRunner().invoke(main, [command, "--config", str(hall.folder / "hub.toml")])
    assert done.exit_code == 0, done.output
    return [line for line in done.output.splitlines() if "编号" in line]


def test_a_jump_is_told_with_its_two_ends(hall):
    number(hall, 1, 2, MOST)
    [line] = said(hall, "status")
    assert line.startswith(f"k1：编号异常：从 2 跳到 {MOST}")
    [line] = said(hall, "verify")
    assert f"编号异常：从 2 跳到 {MOST}" in line


def test_what_waits_beside_a_jump_is_counted_without_it(hall):
    number(hall, 2, 5, MOST - 1, MOST)
    jump, waiting = said(hall, "status")
    assert f"从 5 跳到 {MOST - 1}" in jump
    assert "编号缺 3 条" in waiting


@pytest.mark.parametrize(("last", "jumps"), [(ledger.OUTBOX + 2, 0), (ledger.OUTBOX + 3, 1)])
def test_as_much_as_a_kiosk_can_hold_back_is_no_jump(hall, last, jumps):
    number(hall, 1, last)
    [line] = said(hall, "status")
    assert ("编号异常" in line) == bool(jumps)
    assert (f"编号缺 {ledger.OUTBOX} 条" in line) != bool(jumps)


def test_the_hub_knows_what_a_kiosk_can_hold_back():
    """The rooms do not import each other: the two numbers are compared here."""
    from device import outbox  # noqa: PLC0415 - the kiosk's room, for its constant alone

    assert outbox.MOST == ledger.OUTBOX
