"""How long who has guessed wrong has to wait."""

from hub.rules.tries import Limit, Tries, failed


def test_tries_double_up_to_their_longest():
    """free, then first, twice that, and so on; a clock put back is no longer wait."""
    limit = Limit(free=2, first_ms=10, longest_ms=35, forget_ms=1_000)
    tries, waits = Tries(), []
    for _ in range(6):
        tries = failed(tries, limit, 1_000)
        waits.append(tries.wait_ms(1_000))
    assert waits == [0, 10, 20, 35, 35, 35]
    assert tries.wait_ms(999) == 0
    assert failed(tries, limit, 999).wait_ms(999) == 35
    assert failed(tries, limit, 2_001).wait_ms(2_001) == 0
