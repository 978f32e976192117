"""The kiosk's power is cut at every step of taking up a certificate: the old one, or the new."""

import os
import signal
import sys

from keeper_world import HUB_AHEAD_MS, Line
from renewal_world import AUTHORITY, DAY, NOW, Enrolled, leaf_of

from device import identity
from protocol import wire
from protocol.messages import Certificate

MINUTE = DAY / 1440
TOUCHING = ("open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir")


def take_up(kiosk, chain):
    """What the keeper does with a certificate that the hub hands over."""
    renewing = kiosk.renewing(Line(), lambda: 0)
    renewing.answered(wire.encode(Certificate(chain=chain)))
    renewing.tick(HUB_AHEAD_MS, quiet=True)


def dies_at(step, kiosk, chain):
    """Let a child take the certificate up and die before its n-th step on the disk; if it did."""
    child = os.fork()
    if child == 0:
        try:
            left = [step]

            def count():
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            def audit(event, arguments):
                if event in TOUCHING and str(kiosk.state) in str(arguments[:2]):
                    count()

            fsync = os.fsync
            os.fsync = lambda handle: (count(), fsync(handle))
            sys.addaudithook(audit)
            take_up(kiosk, chain)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_a_power_cut_at_any_step_leaves_the_old_certificate_or_the_new(tmp_path):
    """Never none; the same chain, which the hub sends again, then brings the new one for good."""
    found = []
    for step in range(200):
        kiosk = Enrolled(tmp_path / str(step), 70)
        new = kiosk.next()
        killed = dies_at(step, kiosk, new)
        found.append(kiosk.stored())  # raises for anything half, fails for nothing
        assert found[-1] in (kiosk.first, new)
        assert identity.enrolled(kiosk.state).terms == AUTHORITY.terms()
        found[-1] = found[-1] == new
        take_up(kiosk, new)
        assert leaf_of(kiosk.stored()) == leaf_of(new)
        if not killed:
            break
    assert found[-1]
    assert len(found) > 15
    assert found == sorted(found)  # once the new one is there, it stays
    assert {True, False} == set(found[:-1])


def test_what_a_power_cut_left_is_tidied_by_the_next_renewal(tmp_path):
    """No old identity fills the card over the years."""
    kiosk = Enrolled(tmp_path, 70)
    step = 0
    while dies_at(step, kiosk, kiosk.next(at=NOW + step * MINUTE)):
        step += 1
    assert step > 15
    assert len(list(tmp_path.glob("identity-*"))) == 1
