"""Whose key it was: an insider who signs with a key of their own, and what `verify` says of it.

The insider needs no guard down: a right to INSERT adds an invitation, a rating that is signed
with a fresh key, and that key to those that the hub knows.
"""

import shutil
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest
from click.testing import CliRunner
from test_verification import checkpointed, enter
from tls_world import HALL, Papers, new_key, now, self_signed
from world_front import text
from world_hall import NOW, an_invitation, rated

from hub.__main__ import main
from hub.kiosks.keys import pem_of, present, remembered
from hub.kiosks.roster import Roster
from hub.notary import load_or_create
from hub.store import certificates, invitations, keys, ledger, revocations
from hub.store.database import connect, migrate
from hub.store.keys import Arrival
from protocol import certificates as issuing

NAME = "kiosk-01"
FEW = 4
"""Ratings of the honest ledger: entry 1 is the key, 2 and 3 the first invitation and rating."""


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return Papers(tmp_path_factory.mktemp("papers"), now() - timedelta(days=365))


def issue(papers, key, device=NAME, *, days_ago=1):
    return issuing.issue_device(
        key.public_key(),
        device=device,
        hall=HALL,
        issuer=papers.device_ca,
        issuer_key=papers.device_key,
        now=now() - timedelta(days=days_ago),
        days=90,
    )


def public(key):
    return pem_of(key.public_key())


def rate(db, key, serial, seq, device=NAME):
    """Enter an invitation and its rating; return its position."""
    invitation = an_invitation(serial)
    invitations.issue(db, device, invitation)
    enter(db, rated(invitation.id, device=device, seq=seq), key)
    return ledger.size(db)


def hall_of(folder, papers, more=""):
    state = folder / "state"
    state.mkdir(parents=True)
    (folder / "hub.toml").write_text(
        f'hall = "{HALL}"\nhall_name = "示例大厅"\nstate = "state"\n'
        f'[broker]\ndevice_ca = "{papers.folder}/device-ca.pem"\n{more}',
        encoding="utf-8",
    )
    return connect(state / "hub.db"), load_or_create(state / "ledger.key", needed=False)


@pytest.fixture(scope="module")
def key():
    """The true kiosk's."""
    return new_key()


@pytest.fixture(scope="module")
def pem(papers, key):
    """Its certificate, over since long ago: it was valid when it counted."""
    return text(issue(papers, key, days_ago=200))


@pytest.fixture(scope="module")
def honest(tmp_path_factory, papers, key, pem):
    folder = tmp_path_factory.mktemp("honest") / "hub"
    db, ledger_key = hall_of(folder, papers)
    with closing(db):
        migrate(db)
        with db.atomic():
            keys.remember(db, NAME, public(key), NOW, pem)
            for number in range(1, FEW + 1):
                rate(db, key, f"SL{number}", number)
            checkpointed(db, ledger_key)
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return folder


@pytest.fixture
def folder(honest, tmp_path):
    shutil.copytree(honest, tmp_path / "hub")
    sealed_with = tmp_path / "hub" / "state" / "citizens.key"
    if not sealed_with.exists():
        sealed_with.write_bytes(b"k" * 32)
        sealed_with.chmod(0o600)
    return tmp_path / "hub"


def attack(folder, *, arrives=None, device=NAME, after=False):
    """Add a rating signed with a key of one's own; return that key and the rating's position.

    `arrives(key)`: what is entered of the key, before the rating or `after` it.
    """
    own = new_key()
    with closing(connect(folder / "state" / "hub.db")) as db, db.atomic():
        db.conn.execute(
            "INSERT INTO device_keys VALUES (?, ?, ?)", (device, public(own).decode(), NOW)
        )

        def learn():
            if arrives is not None:
                said = msgspec.json.encode(arrives(own))
                entry = ledger.Entry(
                    kind="key", recorded_at=NOW, device=device, invitation="", body=said
                )
                ledger.append(db, entry)

        if not after:
            learn()
        place = rate(db, own, "SL-forged", FEW + 1, device)
        if after:
            learn()
    return own, place


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)


def verify(folder, *more):
    return run("verify", "--config", folder / "hub.toml", *more)


def exported(folder, *more):
    """The same, of an export, on a computer that has nothing of the hub's."""
    out = folder.parent / "out"
    assert run("export", "--config", folder / "hub.toml", "--out", out).exit_code == 0
    return run("verify", "--export", out, *more)


def test_an_honest_ledger_stands_though_the_certificate_is_over(folder, papers):
    for said in (verify(folder), exported(folder, "--device-ca", papers.folder / "device-ca.pem")):
        assert said.exit_code == 0, said.output
        assert "没有发现改动\n" in said.output
        assert "签发 CA" not in said.output


def test_a_rating_of_a_planted_key_is_named(folder, papers):
    """The attack as it was found: key beside the ledger, invitation and rating in it."""
    _, place = attack(folder)
    for said in (verify(folder), exported(folder)):
        assert said.exit_code == 1, said.output
        assert f"✗ 第 {place} 条：签名所用的密钥当时不在台账里" in said.output


@pytest.mark.parametrize("what", ["self-signed", "other-ca", "another-key", "another", "garbage"])
def test_a_planted_key_with_a_made_up_certificate_is_named(folder, papers, pem, tmp_path, what):
    other = Papers(tmp_path / "other", now() - timedelta(days=365))

    def arrives(own):
        if what == "self-signed":
            self_signed(tmp_path, NAME)
            shown = (tmp_path / "self.pem").read_text("ascii")
        else:
            shown = {
                "other-ca": lambda: text(issue(other, own)),
                "another-key": lambda: pem,
                "another": lambda: text(issue(papers, own, "kiosk-02")),
                "garbage": lambda: "x",
            }[what]()
        return Arrival(public_key=public(own).decode(), certificate=shown)

    _, place = attack(folder, arrives=arrives)
    for said in (verify(folder), exported(folder, "--device-ca", papers.folder / "device-ca.pem")):
        assert said.exit_code == 1, said.output
        assert f"✗ 第 {place - 2} 条：评价器 {NAME} 的证书不是签发 CA 签的" in said.output
        assert f"✗ 第 {place} 条：签名所用的密钥" in said.output


def test_a_planted_key_that_calls_itself_trial_is_named(folder):
    """The kiosk has a certificate: a key without one is not its."""
    _, place = attack(folder, arrives=lambda own: Arrival(public_key=public(own).decode()))
    said = verify(folder)
    assert said.exit_code == 1
    assert f"✗ 第 {place - 2} 条" in said.output
    assert f"✗ 第 {place} 条" in said.output


def test_a_kiosk_that_never_was_wants_an_explanation(folder):
    own, place = attack(
        folder, arrives=lambda own: Arrival(public_key=public(own).decode()), device="kiosk-99"
    )
    said = verify(folder)
    assert f"△ 第 {place - 2} 条：评价器 kiosk-99 的密钥没有证书，也不在配置中" in said.output
    assert (
        f"未核对：评价器 kiosk-99 的密钥没有证书（试用方式）：它签的 1 条（第 {place} 条起）"
        in (said.output)
    )
    (folder / "trial.pem").write_bytes(public(own))
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write('[[devices]]\nname = "kiosk-99"\npublic_key = "trial.pem"\n')
    said = verify(folder)
    assert "也不在配置中" not in said.output
    assert "（试用方式）" in said.output


def test_a_key_that_comes_after_its_rating_is_named(folder, papers):
    """Even one that the device CA has signed: what it signed before it was known is not its."""
    _, place = attack(
        folder,
        arrives=lambda own: Arrival(
            public_key=public(own).decode(), certificate=text(issue(papers, own))
        ),
        after=True,
    )
    said = verify(folder)
    assert said.exit_code == 1
    assert f"✗ 第 {place} 条：签名所用的密钥当时不在台账里" in said.output


def test_a_new_key_of_the_kiosk_is_believed_from_its_arrival_on(folder, papers):
    fresh = new_key()
    with closing(connect(folder / "state" / "hub.db")) as db, db.atomic():
        keys.remember(db, NAME, public(fresh), NOW, text(issue(papers, fresh)))
        rate(db, fresh, "SL-next", FEW + 1)
    said = verify(folder)
    assert said.exit_code == 0, said.output
    assert "没有发现改动\n" in said.output


def test_an_entry_of_a_key_that_says_nothing_is_named(folder):
    with closing(connect(folder / "state" / "hub.db")) as db, db.atomic():
        for body in (b"{}", b"\xff", b'{"public_key":"x"}'):
            ledger.append(
                db,
                ledger.Entry(kind="key", recorded_at=NOW, device=NAME, invitation="", body=body),
            )
    said = verify(folder)
    assert said.exit_code == 1
    assert said.output.count("评价器密钥的内容无法读取") == 3


def test_without_the_device_ca_it_is_said_that_keys_were_not_checked(folder, papers):
    text_of = (folder / "hub.toml").read_text(encoding="utf-8")
    (folder / "hub.toml").write_text(text_of.split("[broker]")[0], encoding="utf-8")
    for said in (verify(folder), exported(folder)):
        assert said.exit_code == 0, said.output
        assert "未核对：没有给出评价器的签发 CA（--device-ca）" in said.output
    given = verify(folder, "--device-ca", papers.folder / "device-ca.pem")
    assert "签发 CA" not in given.output


def test_another_ca_than_the_halls_vouches_for_nobody(folder, papers, tmp_path):
    """And after a change of the CA the old and the new one are both given."""
    other = Papers(tmp_path / "other")
    said = verify(folder, "--device-ca", other.folder / "device-ca.pem")
    assert said.exit_code == 1
    both = (other.folder / "device-ca.pem", papers.folder / "device-ca.pem")
    said = verify(folder, *(each for path in both for each in ("--device-ca", path)))
    assert said.exit_code == 0, said.output
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"x")
    refused = verify(folder, "--device-ca", broken)
    assert refused.exit_code == 2
    assert "不是证书" in refused.output


def test_a_ledger_of_before_this_rule_is_only_not_checked(tmp_path, papers, key, pem):
    """Its keys lie beside it alone; once the hub has started anew, they are vouched for."""
    db, _ = hall_of(tmp_path / "hub", papers)
    with closing(db):
        migrate(db)
        with db.atomic():
            db.conn.execute(
                "INSERT INTO device_keys VALUES (?, ?, ?)", (NAME, public(key).decode(), NOW)
            )
            rate(db, key, "SL1", 1)
        said = verify(tmp_path / "hub")
        assert said.exit_code == 0, said.output
        assert f"未核对：评价器 {NAME} 的密钥在台账登记密钥之前就有" in said.output
        held = certificates.Held(device=NAME, pem=pem, not_before=0, not_after=0, seen_at=NOW)
        roster = Roster(HALL, {}, {NAME: held}, text(papers.device_ca))
        remembered(db, roster, NOW)
        size = ledger.size(db)
        remembered(db, roster, NOW)
        assert ledger.size(db) == size
    said = verify(tmp_path / "hub")
    assert said.exit_code == 0, said.output
    assert "登记密钥之前" not in said.output


def test_a_kiosk_whose_certificate_was_swapped_can_still_be_revoked(folder, papers, key):
    """By its own key, as the ledger has it, not by that of whoever has swapped it."""
    own = text(issue(Papers(folder.parent / "other"), new_key()))
    for swapped in (own, "x"):
        held = certificates.Held(device=NAME, pem=swapped, not_before=0, not_after=0, seen_at=NOW)
        with closing(connect(folder / "state" / "hub.db")) as db:
            with db.atomic():
                certificates.keep(db, held)
            roster = Roster(HALL, {}, {NAME: held}, text(papers.device_ca))
            assert present(db, roster, NAME) == key.public_key()
            assert present(db, roster, "kiosk-99") is None
        done = run("revoke", NAME, "--reason", "被盗", "--config", folder / "hub.toml")
        assert done.exit_code == 0, done.output
        with closing(connect(folder / "state" / "hub.db")) as db:
            assert (NAME, revocations.digest(key.public_key())) in revocations.current(db)


@pytest.mark.parametrize("arrives", [None, "trial", "other-ca"])
def test_what_a_planted_key_signed_goes_to_no_city(folder, papers, key, pem, arrives):
    """The hub that starts again believes what its device CA has signed, and no other key."""
    other = Papers(folder.parent / "other")
    own, _ = attack(
        folder,
        arrives=arrives
        and (
            lambda own: Arrival(
                public_key=public(own).decode(),
                certificate=text(issue(other, own)) if arrives == "other-ca" else None,
            )
        ),
    )
    held = certificates.Held(device=NAME, pem=pem, not_before=0, not_after=0, seen_at=NOW)
    with closing(connect(folder / "state" / "hub.db")) as db:
        roster = Roster(HALL, {}, {NAME: held}, text(papers.device_ca))
        assert remembered(db, roster, NOW) == {NAME: [key.public_key()]}
        trial = Roster(HALL, {}, {}, None)
        assert own.public_key() in remembered(db, trial, NOW)[NAME]
