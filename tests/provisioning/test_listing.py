"""The list: each certificate in the one state that it is in."""

import pytest
from world_authority import DAY, NOW, enrolled, new_authority

from provisioning import listing
from provisioning.listing import State


@pytest.fixture
def authority(tmp_path):
    with new_authority(tmp_path / "ca") as opened:
        yield opened


def state(authority, device, now):
    (entry,) = authority.register.of_name(device)
    return listing.state(entry, now)


def test_a_certificate_grows_old_in_three_steps(authority):
    """Valid, then due for renewal at two thirds, then expired: as the kiosk itself reckons."""
    enrolled(authority, "kiosk-01")
    due = NOW - DAY + 91 * DAY * 2 / 3
    assert state(authority, "kiosk-01", NOW) is State.VALID
    assert state(authority, "kiosk-01", due - DAY / 24) is State.VALID
    assert state(authority, "kiosk-01", due) is State.DUE
    assert state(authority, "kiosk-01", NOW + 89.9 * DAY) is State.DUE
    assert state(authority, "kiosk-01", NOW + 90 * DAY) is State.EXPIRED


def test_revoked_stays_revoked_whatever_the_date(authority):
    """An expired one that was revoked is listed as revoked: that is the news about it."""
    enrolled(authority, "kiosk-01")
    authority.revoke("kiosk-01", "被盗", NOW)
    assert state(authority, "kiosk-01", NOW) is State.REVOKED
    assert state(authority, "kiosk-01", NOW + 1000 * DAY) is State.REVOKED


def test_the_newest_of_each_name_is_shown_and_hubs_are_told_from_kiosks(authority):
    """A renewed or replaced kiosk takes one row; a hub's identity is not a kiosk."""
    enrolled(authority, "kiosk-02")
    enrolled(authority, "kiosk-01")
    enrolled(authority, "kiosk-01", hardware="SN-2")
    authority.issue_hub("hall-a", NOW)
    authority.issue_server(["hub.example"], NOW)
    shown = listing.newest(authority.register.entries())
    assert [(row[0], row[2]) for row in listing.rows(shown, NOW)] == [
        ("hub-hall-a", "服务器"),
        ("kiosk-01", "评价器"),
        ("kiosk-02", "评价器"),
        ("hub.example", "服务器"),
    ]
    assert shown[1].hardware == "SN-2"
