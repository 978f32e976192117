"""Passwords: which are fit, and what it costs to look at one."""

import asyncio
import contextlib
import time

import pytest
from pages_world import ARGON2

from hub.accounts import passwords
from hub.accounts.denials import Denial, Denials
from hub.accounts.errors import Crowded, PasswordUnfit
from hub.accounts.passwords import Hasher
from hub.store import audit
from hub.store.database import connect, migrate
from hub.store.writer import Writer

GOOD = "雨伞在第三个抽屉里"


@pytest.fixture
def hasher():
    made = Hasher()
    yield made
    made.close()


@pytest.mark.parametrize(
    "password",
    [
        "short-one",
        "x" * 200,
        "aaaaaaaaaaaa",
        "1234567890",
        "0987654321",
        "abcdefghijkl",
        "qwertyuiop12",
        "password123",
        "Admin-Admin-1",
        "pingyi2345",
        "my-ZHANG-san-word",
        "ｐａｓｓｗｏｒｄ１２３",
    ],
)
def test_what_guessers_try_first_is_no_password(password):
    """Short, long, repeated, in order, a usual word, the name of the account; in any width."""
    with pytest.raises(PasswordUnfit):
        passwords.check(password, "zhang-san")


@pytest.mark.parametrize(
    "password", [GOOD + "三", "correct horse battery", "7Kd-92mQ-xv1", "２０２６年的夏天很热啊"]
)
def test_a_phrase_that_is_long_enough_is_one(password):
    """No rule of capitals and signs."""
    passwords.check(password, "zhang-san")


def test_a_given_password_is_fit_and_never_the_same():
    """About 99 bits, without letters that look alike."""
    made = {passwords.generate() for _ in range(100)}
    assert len(made) == 100
    for each in made:
        passwords.check(each, "zhang-san")
        assert not set(each) & set("il1o0")


def test_what_is_kept_is_argon2id_with_the_stated_parameters(hasher):
    """64 MiB, 3 passes, 4 lanes (RFC 9106, second choice), a new salt each time."""
    one, other = hasher.hash_now(GOOD), hasher.hash_now(GOOD)
    assert one.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert one != other


def test_an_input_method_does_not_change_a_password(hasher):
    """Full-width letters are those that another keyboard types (NFKC)."""

    async def right():
        return await hasher.verify("abc１２３ＸＹＺ示例", hasher.hash_now("abc123XYZ示例"))

    assert asyncio.run(right())


def test_a_user_who_is_not_there_costs_as_much_as_one_who_is(hasher):
    """Of the processor; the best of some tries each, in turns, differs by less than half."""
    kept = hasher.hash_now(GOOD)

    async def cost(of):
        begun = time.process_time()
        assert not await hasher.verify("wrong-one", of)
        return time.process_time() - begun

    async def costs():
        await cost(None)  # the first one makes what the others are compared with
        return [(await cost(kept), await cost(None)) for _ in range(7)]

    there, gone = (min(each) for each in zip(*asyncio.run(costs()), strict=True))
    assert 0.5 < there / gone < 2


def test_a_very_long_password_is_not_hashed_as_such(hasher):
    """It is wrong at the price of any other."""

    async def verify():
        return await hasher.verify(GOOD + "x" * 60_000, hasher.hash_now(GOOD))

    assert not asyncio.run(verify())


def test_no_more_are_taken_in_than_may_wait(hasher):
    """The 33rd is told so at once, whatever a look costs."""
    hasher._hashes = ARGON2
    kept = hasher.hash_now(GOOD)

    async def many():
        waiting = [asyncio.create_task(hasher.verify("x", kept)) for _ in range(passwords.QUEUE)]
        await asyncio.sleep(0)
        with pytest.raises(Crowded):
            await hasher.verify("x", kept)
        return await asyncio.gather(*waiting)

    assert asyncio.run(many()) == [False] * passwords.QUEUE


@contextlib.contextmanager
def trail_of(tmp_path):
    db = connect(tmp_path / "hub.db")
    migrate(db)
    writer = Writer(db)
    writer.start()
    clock = {"now": 1_000_000, "mono": 0}
    denials = Denials(writer, now=lambda: clock["now"], monotonic=lambda: clock["mono"])
    try:
        yield denials, clock, lambda: list(reversed(writer.call(audit.entries)))
    finally:
        writer.stop()


def denial(actor="unknown", target="", why="wrong_key"):
    return Denial(actor=actor, action="api", target=target, why=why, address="127.0.0.1")


def test_strangers_cannot_hide_what_a_user_tries(tmp_path):
    """Their noise uses up their own share of a minute."""
    with trail_of(tmp_path) as (denials, _, told):
        for number in range(1000):
            denials.note(denial(target=str(number)))
        denials.note(denial(actor="user:jia", why="audit"))
        assert [act.actor for act in told()] == ["unknown"] * 60 + ["user:jia"]


def test_what_was_only_counted_is_told_when_the_hub_stops(tmp_path):
    """Not lost with the process."""
    with trail_of(tmp_path) as (denials, clock, told):
        for _ in range(5):
            denials.note(denial())
        clock["now"] -= 5_000_000  # the hub's clock is put back: the minute is not measured by it
        denials.note(denial())
        assert len(told()) == 1
        denials.tend(closing=True)
        assert [act.detail.get("times") for act in told()] == [None, 5]
