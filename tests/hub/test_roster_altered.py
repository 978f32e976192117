"""What an insider makes of the kiosks' certificates in the hub's file is believed by nobody."""

from contextlib import closing
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from tls_world import Papers, issue, new_key, now, self_signed
from world_front import Front, text
from world_hall import rated

from hub.store import database

NAME = "kiosk-01"


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return Papers(tmp_path_factory.mktemp("papers"), now() - timedelta(days=365))


def swap(folder, pem, **columns):
    """What an insider does to a kiosk's certificate in the hub's file."""
    sets = {"pem": pem, **columns}
    with closing(database.connect(folder / "hub.db")) as db:
        names = ", ".join(f"{name} = ?" for name in sets)
        db.conn.execute(f"UPDATE certificates SET {names}", tuple(sets.values()))  # noqa: S608
        db.conn.commit()


@pytest.mark.parametrize("what", ["self-signed", "other-ca", "other-name", "other-hall", "garbage"])
def test_a_certificate_swapped_in_the_file_is_not_believed_after_a_restart(
    tmp_path, papers, caplog, what
):
    """Its kiosk is nobody until it shows the true one again; the wrong key signs for nobody."""
    key, own = new_key(), new_key()
    true = issue(papers, key=key)
    with Front(tmp_path, papers) as front:
        front.beat(NAME, true)
        assert NAME in front.roster
        assert front.roster.alarms == ()
    later = now() + timedelta(days=1)
    if what == "self-signed":
        self_signed(tmp_path, NAME)
        own = serialization.load_pem_private_key((tmp_path / "self.key").read_bytes(), None)
        pem = (tmp_path / "self.pem").read_text("ascii")
    else:
        pem = {
            "other-ca": lambda: text(
                issue(papers, key=own, at=later, by=Papers(tmp_path / "other", later))
            ),
            "other-name": lambda: text(issue(papers, "kiosk-02", key=own)),
            "other-hall": lambda: text(issue(papers, key=own, hall="elsewhere")),
            "garbage": lambda: "x",
        }[what]()
    swap(tmp_path, pem, not_before=int(later.timestamp() * 1000))
    with Front(tmp_path, papers) as front:
        assert NAME not in front.roster
        assert NAME not in front.roster.held()
        assert any(
            record.levelname == "CRITICAL" and NAME in record.getMessage()
            for record in caplog.records
        )
        [alarm] = front.roster.alarms
        assert NAME in alarm
        front.rate(rated("a" * 32, NAME), own)
        assert front.refused()[(NAME, "unknown_device")] == 1
        assert own.public_key() not in front.past_keys[NAME]
        front.beat(NAME, true, connection=2)
        assert front.roster[NAME] == key.public_key()
        assert front.roster.alarms == ()
    with Front(tmp_path, papers) as front:
        assert front.roster[NAME] == key.public_key()
        assert front.roster.alarms == ()


def test_times_beside_a_certificate_keep_no_newer_one_away(tmp_path, papers):
    """What counts is what stands in it: no later begin keeps out the kiosk's next certificate."""
    with Front(tmp_path, papers) as front:
        front.beat(NAME, issue(papers, at=now() - timedelta(days=2)))
        [(pem,)] = front.rows("SELECT pem FROM certificates")
    swap(tmp_path, pem, not_before=1 << 50, not_after=1 << 51)
    fresh = new_key()
    with Front(tmp_path, papers) as front:
        front.beat(NAME, issue(papers, key=fresh), connection=2)
        assert front.roster[NAME] == fresh.public_key()


def test_without_its_device_ca_a_hub_says_whom_it_no_longer_knows(tmp_path, papers):
    with Front(tmp_path, papers) as front:
        front.beat(NAME, issue(papers))
    with Front(tmp_path, None) as front:
        assert NAME not in front.roster
        [alarm] = front.roster.alarms
        assert "broker.device_ca" in alarm
