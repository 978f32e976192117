"""What one with full access to the database or to a window system's key gets to."""

import sqlite3

import pytest
from msgspec.structs import replace
from world_hall import OTHER_WINDOW, TTL_MS, WINDOW, Hall, a_case, rated

from hub.config import HubConfig
from hub.counter import desk as desks
from hub.notary import load_or_create
from hub.rules.access import CONSOLE
from hub.rules.case import Applicant
from hub.state import opened
from hub.store import database, invitations, vault


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as found:
        yield found


@pytest.mark.parametrize("harm", ["gone", "empty"])
def test_a_hub_whose_data_vanished_does_not_begin_anew(tmp_path, harm):
    """Its ledger's key says that there was a ledger: somebody has to look."""
    state = tmp_path / "state"
    state.mkdir()
    load_or_create(state / "ledger.key", needed=False)
    if harm == "empty":
        (state / "hub.db").touch()
    config = HubConfig(hall="demo", hall_name="示例大厅", state="state")
    with pytest.raises(database.LedgerLost, match="restore"), opened(config, tmp_path):
        pass


def test_the_matter_cannot_be_changed_under_a_citizen(hall):
    """Once an invitation is out, another matter is refused; other corrections are taken."""
    hall.invite()
    with pytest.raises(desks.CaseFixed, match="不能再改"):
        hall.ask(hall.desk.put_case(replace(a_case(), matter="另一事项"), CONSOLE))
    with pytest.raises(desks.CaseFixed):
        hall.ask(hall.desk.invite(WINDOW, "SL0001", 1, case=replace(a_case(), matter="另一事项")))
    other = replace(
        a_case(),
        org_name="更正后的示例局",
        applicant=Applicant(name="示例丙", certificate_number="ID-BING"),
    )
    assert hall.ask(hall.desk.put_case(other, CONSOLE)) is False
    acts = hall.rows("SELECT actor, target, detail FROM audit WHERE action = 'correct_case'")
    assert acts == [("console", "SL0001/1", '{"fields":"org_name,applicant"}')]


def test_a_dead_kiosk_does_not_hold_a_case_for_ever(hall):
    """When the time of an invitation is over, the service may be rated at another window."""
    hall.invite()
    hall.now += TTL_MS + 1
    assert hall.invite(OTHER_WINDOW).new


def test_an_outcome_altered_beside_the_ledger_unbalances_the_account(hall):
    """The ledger says how an invitation ended; the table beside it has to agree."""
    identifier = hall.invite().status.id
    hall.send(rated(identifier))
    assert invitations.account(hall.reader).balanced
    hall.writer.call(lambda db: db.execute("UPDATE invitations SET outcome = 'expired'"))
    account = invitations.account(hall.reader)
    assert account.rated == 1
    assert not account.balanced


@pytest.mark.parametrize(
    "sabotage",
    [
        "DROP TRIGGER ledger_never_updated",
        "DROP TRIGGER ledger_never_deleted",
        "DROP TABLE ledger",
    ],
)
def test_a_hub_does_not_start_without_the_guards_of_its_ledger(tmp_path, sabotage):
    """What keeps the ledger from being altered is looked for at every start."""
    path = tmp_path / "hub.db"
    db = database.connect(path)
    database.migrate(db)
    database.check_guards(db)
    db.close()
    raw = sqlite3.connect(path)
    raw.execute(sabotage)
    raw.commit()
    raw.close()
    db = database.connect(path)
    database.migrate(db)
    with pytest.raises(database.GuardsMissing, match="篡改"):
        database.check_guards(db)
    db.close()


def test_a_lost_key_is_never_replaced_in_silence(tmp_path):
    """With cases in the database a new key would be of no use: say where to get the old one."""
    path = tmp_path / "citizens.key"
    with pytest.raises(vault.VaultError, match="从备份恢复"):
        vault.load_or_create(path, needed=True)
    assert not path.exists()
    vault.load_or_create(path)
    vault.load_or_create(path, needed=True)


def test_window_is_the_one_it_was(hall):
    """A withdrawal at a window does not close what is open at another."""
    hall.invite()
    assert hall.ask(hall.desk.withdraw(OTHER_WINDOW)) is None
    assert hall.ask(hall.desk.withdraw(WINDOW)) is not None
