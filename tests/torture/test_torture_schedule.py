"""The faults of a run follow from its seed, and every kind of them comes."""

from bench.torture.faults import ClockJump, FullDisk, ReadOnly
from bench.torture.schedule import KINDS, schedule
from bench.torture.truncation import TruncatedHub, TruncatedOutbox

KIOSKS = ("kiosk-01", "kiosk-02")


def test_the_same_seed_gives_the_same_faults():
    first = schedule(7, 300, KIOSKS, disks=True, clocks=True)
    assert first == schedule(7, 300, KIOSKS, disks=True, clocks=True)
    assert first != schedule(8, 300, KIOSKS, disks=True, clocks=True)
    assert len(first) == 300


def test_a_short_run_has_every_family_of_faults_at_least_once():
    faults = schedule(1, 60, KIOSKS, disks=True, clocks=True)
    kinds = {fault.kind for fault in faults}
    for wanted in (
        *(f"kill-{who}" for who in ("kiosk", "hub", "broker", "city")),
        *(f"freeze-{who}" for who in ("kiosk", "hub", "broker", "city")),
        "power-cut",
        "truncated-outbox",
        "truncated-hub",
    ):
        assert wanted in kinds
    assert any(kind.startswith("wire-hub-city") for kind in kinds)
    assert len(faults) >= len(KINDS)


def test_what_this_machine_cannot_do_is_left_out():
    faults = schedule(1, 500, KIOSKS, disks=False, clocks=False)
    assert not [each for each in faults if isinstance(each, FullDisk | ReadOnly | ClockJump)]


def test_a_long_run_truncates_files_to_nothing_and_by_a_little_after_kills_and_clean_stops():
    faults = schedule(1, 1000, KIOSKS, disks=True, clocks=True)
    for kind in (TruncatedHub, TruncatedOutbox):
        found = [each for each in faults if isinstance(each, kind)]
        assert {each.killed for each in found} == {True, False}
        assert min(each.left for each in found) == 0.0
        assert max(each.left for each in found) > 0.99
