"""What a kiosk remembers of the invitations it was sent, and that it never grows."""

from session_world import invitation, name

from device.asked import OFFERED, SERVICES, Asked


def test_an_invitation_is_known_until_it_has_ended():
    """As the screen got it; afterwards only how often its service was asked for is left."""
    asked = Asked()
    asked.offer(invitation(1))
    assert name(1) in asked
    assert asked.get(name(1)) == invitation(1)
    asked.shown(name(1))
    asked.forget(name(1))
    assert name(1) not in asked
    assert asked.get(name(1)) is None
    asked.offer(invitation(2, case=1))
    assert asked.before(name(2)) == 1


def test_one_showing_counts_once():
    """Told twice, and of an invitation that is not known, it changes nothing."""
    asked = Asked()
    asked.offer(invitation(1))
    for _ in range(2):
        asked.shown(name(1))
        asked.shown(name(9))
    asked.offer(invitation(2, case=1))
    assert (asked.before(name(1)), asked.before(name(2)), asked.before(name(9))) == (0, 1, 0)


def test_only_the_latest_services_are_remembered():
    """One that is asked for again stays; the one that was not for longest goes."""
    asked = Asked()
    for number in range(1, SERVICES + 1):
        asked.offer(invitation(number))
        asked.shown(name(number))
        asked.forget(name(number))
    for number, case in ((SERVICES + 1, 1), (SERVICES + 2, SERVICES + 2)):
        asked.offer(invitation(number, case=case))
        asked.shown(name(number))
    assert len(asked._times) == SERVICES
    for number, case, before in ((SERVICES + 3, 1, 2), (SERVICES + 4, 2, 0), (SERVICES + 5, 3, 1)):
        asked.offer(invitation(number, case=case))
        assert asked.before(name(number)) == before


def test_mishaps_do_not_pile_up():
    """Invitations whose end is never heard of: the oldest is let go."""
    asked = Asked()
    for number in range(1, OFFERED + 11):
        asked.offer(invitation(number))
        asked.shown(name(number))
    assert (name(10) in asked, name(11) in asked) == (False, True)
    assert len(asked._before) == OFFERED
    assert not asked.issued_before(1_000_000)
    assert asked.issued_before(1_000_001)
