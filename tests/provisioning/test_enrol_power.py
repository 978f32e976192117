"""The kiosk's power is cut at every step of its enrolment: its identity is whole, or not there."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cables import Cable
from enrol_world import Office
from world_authority import PASSPHRASE

from device import identity
from protocol.enrolment import conversation, link
from provisioning import keystore
from provisioning.authority import Authority

ROOT = Path(__file__).parents[2]
CHILD = ROOT / "tests" / "device" / "enrol_child.py"


@pytest.fixture
def kiosks(tmp_path):
    """Give a function that lets a kiosk live in a state directory, up to a step."""
    cable = Cable(tmp_path)
    parent = subprocess.Popen(
        [sys.executable, str(CHILD), cable.kiosk],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def live(state, last=0):
        parent.stdin.write(f"{state} {last}\n")
        parent.stdin.flush()
        return parent.stdout.readline().strip()

    live.port = cable.desk
    yield live
    parent.stdin.close()
    parent.wait(30)
    parent.stdout.close()
    cable.close()


@pytest.fixture
def offices(tmp_path):
    """Give a function that makes a register with nothing in it, of one authority."""
    place, opened = tmp_path / "authority", []
    keystore.create(place, PASSPHRASE, "示例区", datetime.now(UTC))
    empty = (place / "authority.db").read_bytes()

    def office():
        while opened:
            opened.pop().close()
        (place / "authority.db").write_bytes(empty)
        opened.append(Authority.open(place, PASSPHRASE))
        return Office(opened[-1], place)

    yield office
    while opened:
        opened.pop().close()


def desk_at_work(office, port):
    """Start the desk; return a function that waits for its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(office.desk(port).run()))
    thread.start()

    def result():
        thread.join(30)
        assert not thread.is_alive(), "the desk is still at it"
        return results[0]

    return result


def test_a_power_cut_at_any_step_leaves_the_identity_whole_or_none(
    kiosks, offices, tmp_path, monkeypatch
):
    """Killed at each step in turn, then started again: the desk goes on, with one voucher."""
    monkeypatch.setattr(link, "LOST_MS", 300)
    monkeypatch.setattr(conversation, "QUIET_MS", 300)
    monkeypatch.setattr(conversation, "SLOW_MS", {})
    office = offices()
    result = desk_at_work(office, kiosks.port)
    steps = int(kiosks(tmp_path / "uncut"))
    result()
    found = set()
    for last in range(1, steps + 1):
        state = tmp_path / f"kiosk-{last}"
        office = offices()
        result = desk_at_work(office, kiosks.port)
        assert kiosks(state, last) == "killed"
        left = identity.enrolled(state)  # raises for anything half
        found.add(left is not None)
        assert kiosks(state) != "killed", last
        assert result().passed
        assert office.vouchers() == (1, 1), last
        (entry,) = office.certificates()
        now = identity.enrolled(state)
        assert now.certificate.read_text().startswith(entry.pem)
        assert sorted(path.name.split("-")[0] for path in state.iterdir()) == [
            "device",
            "identity",
            "identity",
        ], last
    assert found == {True, False}


def test_a_kiosk_that_is_enrolled_anew_keeps_the_old_identity_until_the_new_is_whole(
    kiosks, offices, tmp_path, monkeypatch
):
    """Killed at each step of a second enrolment: there is one identity at any time."""
    monkeypatch.setattr(link, "LOST_MS", 300)
    monkeypatch.setattr(conversation, "QUIET_MS", 300)
    monkeypatch.setattr(conversation, "SLOW_MS", {})
    office, state = offices(), tmp_path / "kiosk"
    result = desk_at_work(office, kiosks.port)
    steps = int(kiosks(state))
    result()
    first = identity.enrolled(state).certificate.resolve()
    seen = set()
    for last in range(1, steps + 1, 3):
        result = desk_at_work(office, kiosks.port)
        killed = kiosks(state, last) == "killed"
        seen.add(identity.enrolled(state).certificate.resolve() == first)
        if killed:
            kiosks(state)
        result()
        first = identity.enrolled(state).certificate.resolve()
    assert seen == {True, False}
