"""A revoked kiosk stays revoked, whatever becomes of the table: the ledger and the list know it."""

from contextlib import closing
from datetime import timedelta

import pytest
from click.testing import CliRunner
from insider import sql
from tls_world import Papers, new_key, now
from world_front import Front
from world_hall import DEVICES, KEYS, NOW, VAULT, Hall, rated

from hub.__main__ import main
from hub.kiosks.guard import Guard
from hub.kiosks.guard import Papers as Watched
from hub.kiosks.keys import pem_of
from hub.store import marks, revocations
from hub.store.database import connect
from hub.verification import report, sources

PLANT = "INSERT INTO revocations (device, key_digest, at, reason) VALUES ('k1', ?, 1, '旧')"
FORGE = (
    "INSERT INTO ledger (kind, recorded_at, device, invitation, body)"
    " VALUES ('revoked', ?, '', '', ?)"
)
DIGESTS = {device: revocations.digest(key.public_key()) for device, key in KEYS.items()}


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


def revoke(hall, device="k1"):
    hall.writer.call(lambda db: revocations.revoke(db, device, DIGESTS[device], "被盗", NOW))


def guard(path, **more):
    keys = {device: key.public_key() for device, key in KEYS.items()}
    wiring = {"dismiss": lambda _: None, "kick": None} | more
    return Guard(path, keys, Watched(), **wiring)


def grave(hall):
    """What `verify` says of the running hub's file; the kiosks' keys are not in this one."""
    found = []
    with closing(connect(hall.path)) as db:
        report.verify(sources.live(db, None, VAULT), found.append)
        report.around(db, found.append, VAULT)
    return [each.text for each in found if each.grave and each.what != "signature"]


@pytest.mark.parametrize(
    "attack",
    ["DELETE FROM revocations", "UPDATE revocations SET lifted_at = 1", "DROP TABLE revocations"],
)
def test_who_empties_the_table_lifts_nothing(hall, attack):
    """The next look, a restart: still revoked; `verify` names the kiosk."""
    revoke(hall)
    watch = guard(hall.path)
    watch.look()
    made = hall.rows("SELECT sql FROM sqlite_master WHERE name = 'revocations'")[0][0]
    sql(hall.path, (attack,), *([(made,)] if "DROP" in attack else []))
    watch.look()
    again = guard(hall.path)
    again.look()
    assert watch.all_revoked() == again.all_revoked() == {"k1"}
    assert grave(hall) == ["评价器 k1 的吊销在台账里，吊销表里却没有：表被改动过（仍按吊销处理）"]


def test_a_forged_lift_lifts_nothing(hall):
    """Entered without a mark, with one made up, or a genuine one of somewhere else."""
    revoke(hall)
    hall.writer.call(lambda db: revocations.revoke(db, "k2", DIGESTS["k2"], "", NOW))
    hall.writer.call(lambda db: revocations.lift(db, "k2", NOW))
    lifted = hall.rows("SELECT body FROM ledger WHERE kind = 'revoked' ORDER BY position")[-1][0]
    bare = marks.bare(bytes(lifted)).replace(b"k2", b"k1")
    bare = bare.replace(DIGESTS["k2"].hex().encode(), DIGESTS["k1"].hex().encode())
    forged = [bare, bare[:-1] + b',"mark":"' + b"0" * 32 + b'"}', bytes(lifted), b"{"]
    for body in forged:
        sql(hall.path, (FORGE, NOW, body))
    sql(hall.path, ("DELETE FROM revocations",))
    watch = guard(hall.path)
    watch.look()
    assert watch.all_revoked() == {"k1"}
    texts = grave(hall)
    assert texts.count("标记不对：这条吊销记录不是本服务器登记的") == 3
    assert "吊销记录的内容无法读取" in texts


def test_lifting_lifts_and_revoking_again_revokes(hall):
    """Each in the ledger, and `verify` has nothing to say."""
    for kind in (True, False, True):
        if kind:
            revoke(hall)
        else:
            assert hall.writer.call(lambda db: revocations.lift(db, "k1", NOW)) == 1
        watch = guard(hall.path)
        watch.look()
        assert watch.revoked("k1") is kind
    assert len(hall.rows("SELECT 1 FROM ledger WHERE kind = 'revoked'")) == 3
    assert grave(hall) == []


def test_a_row_planted_in_the_table_shuts_out_and_is_named(hall):
    """It fails to the safe side; lifting it is for the command."""
    sql(hall.path, (PLANT, DIGESTS["k1"]))
    watch = guard(hall.path)
    watch.look()
    assert watch.revoked("k1")
    assert grave(hall) == ["评价器 k1 的吊销不在台账里：吊销表被改动过"]


def test_the_key_file_gone_while_the_hub_runs_lifts_nothing(hall):
    revoke(hall)
    watch = guard(hall.path)
    watch.look()
    (hall.path.parent / "citizens.key").rename(hall.path.parent / "elsewhere")
    sql(hall.path, ("DELETE FROM revocations",))
    watch.look()
    assert watch.revoked("k1")


def test_the_command_enters_it_beside_a_running_hub(hall, tmp_path):
    """Both write the ledger at once; it has no gap, and the guard sees it."""
    for device in DEVICES:
        (tmp_path / f"{device}.pem").write_bytes(pem_of(KEYS[device].public_key()))
    config = tmp_path / "hub.toml"
    config.write_text(
        'hall = "demo"\nhall_name = "示例大厅"\nstate = "."\n'
        + "".join(f'[[devices]]\nname = "{d}"\npublic_key = "{d}.pem"\n' for d in DEVICES),
        encoding="utf-8",
    )

    def run(*words):
        done = CliRunner().invoke(main, ["revoke", *words, "--config", str(config)])
        assert done.exit_code == 0, done.output
        return done.output

    hall.send(rated(hall.invite().status.id))
    assert "k1 已吊销" in run("k1", "--reason", "被盗")
    assert "k1 之前已经吊销" in run("k1")
    hall.send(rated(hall.invite(window="2号窗口", serial="SL0002").status.id, "k2"))
    sql(hall.path, ("DELETE FROM revocations",))
    watch = guard(hall.path)
    watch.look()
    assert watch.all_revoked() == {"k1"}
    assert "k1 恢复接受" in run("k1", "--lift")
    watch.look()
    assert watch.all_revoked() == frozenset()
    positions = [position for (position,) in hall.rows("SELECT position FROM ledger ORDER BY 1")]
    assert positions == list(range(1, len(positions) + 1))
    assert grave(hall) == []


def test_what_only_the_table_of_an_older_hub_knew_comes_into_the_ledger(hall):
    sql(hall.path, (PLANT, DIGESTS["k1"]))
    for _ in range(2):
        hall.writer.call(lambda db: revocations.enter_all(db, NOW))
    assert len(hall.rows("SELECT 1 FROM ledger WHERE kind = 'revoked'")) == 1
    sql(hall.path, ("DELETE FROM revocations",))
    watch = guard(hall.path)
    watch.look()
    assert watch.revoked("k1")


# ---------------------------------------------------------------- by certificate


def test_a_certificate_on_the_list_is_not_believed_whatever_the_table_says(tmp_path):
    """By its serial number: who was enrolled anew under the name, with another one, is believed."""
    papers = Papers(tmp_path / "papers", now() - timedelta(days=2))
    (tmp_path / "state").mkdir()
    key, other = new_key(), new_key()
    with Front(tmp_path / "state", papers) as front:
        certificate = papers.device("kiosk-01", key=key, at=now() - timedelta(hours=1))
        front.beat("kiosk-01", certificate)
        papers.revoked.append(certificate.serial_number)
        papers.crl()
        watched = Watched(crl=papers.folder / "list.pem", device_ca=papers.folder / "device-ca.pem")
        gone = []
        watch = Guard(
            front.path,
            front.roster,
            watched,
            dismiss=gone.append,
            kick=None,
            serials=front.roster.serials,
        )
        watch.start()
        watch.stop()
        assert watch.revoked("kiosk-01")
        later = papers.device("kiosk-01", key=other)
        front.beat("kiosk-01", later)
        watch.look()
        assert not watch.revoked("kiosk-01")
