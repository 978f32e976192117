"""The authority when the power fails, and when two ask at once: all or nothing, once."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from world_authority import NOW, PASSPHRASE, enrolled, new_authority, request

from provisioning import files, keystore
from provisioning.authority import Authority


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "ca"


@pytest.fixture
def authority(directory):
    with new_authority(directory) as opened:
        yield opened


def issued(authority, device="kiosk-01"):
    return authority.register.of_name(device)


def test_a_kill_in_the_middle_of_making_leaves_all_or_nothing(directory, monkeypatch):
    """Before each file and each sync: the place stays free for another try, or is complete."""
    for step in range(100):
        child = os.fork()
        if child == 0:
            try:
                kill_at_step(monkeypatch, step)
                keystore.create(directory, PASSPHRASE, "示例区", NOW)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        if directory.exists():
            break
        assert os.WIFSIGNALED(status)
    assert step > 10
    with Authority.open(directory, PASSPHRASE) as authority:
        assert authority.register.entries() == []


def kill_at_step(monkeypatch, step):
    left = [step]

    def counted(real):
        def act(*arguments):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)

        return act

    for name in ("write", "_sync"):
        monkeypatch.setattr(files, name, counted(getattr(files, name)))


def dies_before(directory, statement, act):
    """Run `act(authority)` in a child that is killed before its n-th SQL statement; True if so."""
    child = os.fork()
    if child == 0:
        try:
            authority = Authority.open(directory, PASSPHRASE)
            left = [statement]

            def count(_):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            authority.register._connection.set_trace_callback(count)
            act(authority)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def test_a_kill_in_the_middle_of_issuing_leaves_all_or_nothing(authority, directory):
    """Before every single statement: the voucher is used and the certificate there, or neither."""
    outcomes = []
    for statement in range(100):
        device = f"kiosk-{statement}"
        csr, voucher = request(device), authority.voucher(device, "hall-a", NOW)
        killed = dies_before(directory, statement, lambda it, c=csr, v=voucher: it.issue(c, v, NOW))
        whole = len(issued(authority, device)) == 1
        outcomes.append(whole)
        if whole:
            assert authority.collect(csr, voucher)
        else:
            assert authority.issue(csr, voucher, NOW)
        assert len(issued(authority, device)) == 1
        if not killed:
            break
    assert outcomes[-1]
    assert len(outcomes) > 5
    assert not any(outcomes[:-1])


def test_a_kill_in_the_middle_of_replacing_a_machine_keeps_one_of_them(authority, directory):
    """At every statement the name has exactly one good certificate, the old or the new."""
    for statement in range(100):
        device = f"kiosk-{statement}"
        enrolled(authority, device)
        csr, voucher = request(device), authority.voucher(device, "hall-a", NOW)
        killed = dies_before(directory, statement, lambda it, c=csr, v=voucher: it.issue(c, v, NOW))
        holding = authority.register.holding(device, int(NOW.timestamp() * 1000))
        assert len(holding) == 1
        assert len(issued(authority, device)) == (1 if killed else 2)
        if not killed:
            break
    assert statement > 5


RIVAL = """
import sys
from pathlib import Path
from world_authority import NOW, PASSPHRASE, request
from provisioning.authority import Authority
from provisioning.errors import VoucherUsed
authority = Authority.open(Path(sys.argv[1]), PASSPHRASE)
csr = request("kiosk-01")
print("ready", flush=True)
sys.stdin.readline()
for voucher in sys.argv[2:]:
    try:
        authority.issue(csr, voucher, NOW)
        print("issued")
    except VoucherUsed:
        print("used")
"""


def test_two_processes_with_the_same_vouchers_share_them_out(authority, directory):
    """Each of thirty vouchers works in exactly one of the two, and no more is recorded."""
    vouchers = [authority.voucher("kiosk-01", "hall-a", NOW) for _ in range(30)]
    here = Path(__file__).parent
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", RIVAL, directory, *vouchers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(here), str(here.parents[1])))},
        )
        for _ in range(2)
    ]
    for rival in rivals:
        assert rival.stdout.readline() == "ready\n"
    for rival in rivals:
        rival.stdin.write("\n")
        rival.stdin.flush()
    answers = [rival.communicate(timeout=30)[0].split() for rival in rivals]
    assert all(sorted(pair) == ["issued", "used"] for pair in zip(*answers, strict=True))
    assert len(issued(authority)) == 30


def test_twenty_threads_enrol_side_by_side(authority):
    """One open authority serves a whole batch; everyone gets their own certificate."""
    with ThreadPoolExecutor(20) as pool:
        chains = list(pool.map(lambda n: enrolled(authority, f"kiosk-{n}"), range(20)))
    assert len(set(chains)) == 20
    assert len(authority.register.entries()) == 20
