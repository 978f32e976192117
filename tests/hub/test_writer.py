"""One thread writes: whole groups, each job for itself, and nothing stops it."""

import asyncio
import sqlite3
import threading

import pytest

from hub.store.database import connect
from hub.store.writer import Busy, Stopped, Writer

BOUND_S = 10


class Bench:
    """A writer on a real file with one table; `commits` counts the groups."""

    def __init__(self, path, **options):
        self.db = connect(path)
        self.db.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, body BLOB)")
        self.reader = connect(path)
        self.commits = 0
        self.writer = Writer(self.db, on_commit=self.committed, **options)
        self.gate = threading.Event()
        self.closed = False

    def committed(self):
        self.commits += 1

    def hold(self):
        """Occupy the writer until the gate opens; what comes meanwhile is one group."""
        entered = threading.Event()

        def job(_):
            entered.set()
            assert self.gate.wait(BOUND_S)

        future = self.writer.submit(job)
        assert entered.wait(BOUND_S)
        return future

    def put(self, x):
        return self.writer.submit(lambda db: insert(db, x))

    def kept(self):
        return [x for (x,) in self.reader.execute("SELECT x FROM t ORDER BY x")]

    def close(self):
        self.gate.set()
        if not self.closed:
            self.writer.stop()
        self.closed = True
        self.reader.close()


def insert(db, x, size=0):
    db.execute("INSERT INTO t VALUES (?, zeroblob(?))", (x, size))
    return x


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "t.db", limit=20)
    made.writer.start()
    yield made
    made.close()


def results(futures):
    return [future.exception(BOUND_S) or future.result() for future in futures]


def test_what_waits_is_one_group(bench):
    """Jobs that wait together are committed together, in their order."""
    held = bench.hold()
    futures = [bench.put(x) for x in range(5)]
    bench.gate.set()
    assert results([held, *futures]) == [None, 0, 1, 2, 3, 4]
    bench.writer.call(lambda _: None)
    assert bench.kept() == [0, 1, 2, 3, 4]
    assert bench.commits <= 3  # the held one, the five, and the last


def test_nothing_is_said_before_it_is_on_disk(bench):
    """When a future is resolved, another connection sees the row."""
    assert bench.put(1).result(BOUND_S) == 1
    assert bench.kept() == [1]


def test_nobody_sees_half_a_group(bench):
    """While a group runs, another connection sees none of it."""
    held = bench.hold()
    first, seen = bench.put(1), bench.writer.submit(lambda _: bench.kept())
    bench.gate.set()
    assert results([held, first, seen]) == [None, 1, []]


def test_a_job_that_raises_is_rolled_back_alone(bench):
    """What a failing job wrote is undone, its neighbours in the group are kept."""

    def half(db):
        insert(db, 2)
        raise ValueError("示例")

    held = bench.hold()
    futures = [bench.put(1), bench.writer.submit(half), bench.put(3)]
    bench.gate.set()
    assert held.result(BOUND_S) is None
    assert [type(each) for each in results(futures)] == [int, ValueError, int]
    assert bench.kept() == [1, 3]


def test_a_failed_commit_fails_all_its_jobs(bench):
    """If the commit itself fails, nobody is told that it went well."""

    def promise_broken_at_commit(db):
        db.execute("CREATE TABLE child (x REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
        db.execute("INSERT INTO child VALUES (99)")

    held = bench.hold()
    futures = [bench.put(1), bench.writer.submit(promise_broken_at_commit), bench.put(2)]
    bench.gate.set()
    held.result(BOUND_S)
    assert {type(each) for each in results(futures)} == {sqlite3.IntegrityError}
    assert bench.kept() == []
    assert bench.put(3).result(BOUND_S) == 3


def test_a_full_disk_fails_the_whole_group(bench):
    """SQLite undoes the whole transaction when the disk is full: no job of it succeeds."""
    pages = bench.writer.call(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    bench.writer.call(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    held = bench.hold()
    futures = [
        bench.put(1),
        bench.writer.submit(lambda db: insert(db, 2, size=100_000)),
        bench.put(3),
    ]
    bench.gate.set()
    held.exception(BOUND_S)
    assert {str(each) for each in results(futures)} == {"database or disk is full"}
    assert bench.kept() == []
    bench.writer.call(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone())
    assert bench.put(1).result(BOUND_S) == 1


def test_a_full_writer_says_so_at_once(bench):
    """Beyond its limit the writer takes nothing and waits for nobody."""
    held = bench.hold()
    futures = [bench.put(x) for x in range(20)]
    with pytest.raises(Busy):
        bench.put(20)
    bench.gate.set()
    assert results([held, *futures]) == [None, *range(20)]
    assert bench.kept() == list(range(20))


def test_a_stopped_writer_takes_nothing_and_loses_nothing(bench):
    """What was taken before the stop is committed; afterwards it says `Stopped`."""
    held = bench.hold()
    futures = [bench.put(x) for x in range(3)]
    stopper = threading.Thread(target=bench.writer.stop)
    stopper.start()
    bench.gate.set()
    stopper.join(BOUND_S)
    bench.closed = True
    assert results([held, *futures]) == [None, 0, 1, 2]
    with pytest.raises(Stopped):
        bench.put(4)
    assert bench.kept() == [0, 1, 2]


def test_no_job_falls_between_the_doors(tmp_path):
    """Whoever hands in during the stop gets a result or `Stopped`, never silence."""
    bench = Bench(tmp_path / "t.db", limit=10_000)
    bench.writer.start()
    taken, begun = [], threading.Event()

    def hand_in():
        for x in range(100_000):
            try:
                taken.append(bench.put(x))
            except Busy:
                continue
            except Stopped:
                return
            begun.set()

    hand = threading.Thread(target=hand_in)
    hand.start()
    assert begun.wait(BOUND_S)
    bench.writer.stop()
    bench.closed = True
    hand.join(BOUND_S)
    assert all(future.done() for future in taken)
    assert len(bench.kept()) == len(taken)
    bench.close()


def test_a_coroutine_waits_for_the_commit(bench):
    """What it is given is on disk; what the job raises it raises."""

    async def work():
        assert await bench.writer.run(lambda db: insert(db, 1)) == 1
        assert bench.kept() == [1]
        with pytest.raises(sqlite3.IntegrityError):
            await bench.writer.run(lambda db: insert(db, 1))

    asyncio.run(work())


def test_who_is_concerned_is_told_after_the_commit_and_only_then(bench):
    """Once for each change that was made, with what another connection sees by then."""
    told = []

    def job(x):
        def work(db, concerned):
            concerned.add(f"k{x}")
            return insert(db, x)

        return work

    def tell(concerned):
        told.append((concerned, bench.kept()))

    async def work():
        assert await bench.writer.change(job(1), tell) == 1
        with pytest.raises(sqlite3.IntegrityError):
            await bench.writer.change(job(1), tell)
        await bench.writer.change(lambda _, __: None, tell)

    asyncio.run(work())
    assert told == [({"k1"}, [1]), (set(), [1])]


@pytest.mark.parametrize("begun", [True, False])
def test_who_hangs_up_takes_back_only_what_has_not_begun(bench, begun):
    """A change that is being made is made, and told to whom it concerns; else neither."""
    told, entered = [], threading.Event()

    def job(db, concerned):
        entered.set()
        assert bench.gate.wait(BOUND_S)
        concerned.add("k1")
        return insert(db, 1)

    async def work():
        if not begun:
            bench.hold()
        waiting = asyncio.create_task(bench.writer.change(job, told.append))
        await asyncio.sleep(0)  # until the job is handed in
        if begun:
            assert await asyncio.to_thread(entered.wait, BOUND_S)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        bench.gate.set()
        assert await bench.writer.run(lambda db: insert(db, 2)) == 2

    asyncio.run(work())
    assert (bench.kept(), told) == (([1, 2], [{"k1"}]) if begun else ([2], []))


def test_a_writer_that_never_started_can_be_stopped(tmp_path):
    """A hub that cannot start still closes its file."""
    bench = Bench(tmp_path / "t.db")
    bench.close()
    with pytest.raises(Stopped):
        bench.put(1)


def test_who_gives_up_waiting_does_not_hurt(bench):
    """A job cancelled before its turn is left out, one already running goes on."""
    held = bench.hold()
    futures = [bench.put(1), bench.put(2)]
    assert futures[0].cancel()
    assert not held.cancel()
    bench.gate.set()
    assert futures[1].result(BOUND_S) == 2
    assert bench.kept() == [2]


def test_what_follows_a_job_comes_before_what_follows_the_group(tmp_path):
    """`then` is called in the writer's thread, in order, each before its group's `on_commit`."""
    events = []
    bench = Bench(tmp_path / "t.db")
    bench.writer.on_commit(lambda: events.append(("group", threading.current_thread().name)))
    bench.writer.start()
    held = bench.hold()
    for x in (1, 2):
        bench.writer.submit(
            lambda db, x=x: insert(db, x),
            lambda done: events.append((done.result(), threading.current_thread().name)),
        )
    bench.gate.set()
    held.result(BOUND_S)
    bench.close()
    assert events == [(what, "writer") for what in ("group", 1, 2, "group")]


def test_a_failing_follower_does_not_stop_the_writer(bench, caplog):
    """An exception in `on_commit` or in a callback is logged, and the next job is committed."""

    def fail(*_):
        raise RuntimeError("示例")

    bench.writer.on_commit(fail)
    bench.writer.submit(lambda db: insert(db, 1), fail).result(BOUND_S)
    assert bench.put(2).result(BOUND_S) == 2
    bench.close()
    assert "on-commit=failed" in caplog.text


def test_a_disk_that_takes_nothing_is_remembered_until_something_is_written(bench):
    """Looking works meanwhile, and says nothing about it."""
    pages = bench.writer.call(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    bench.writer.call(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    with pytest.raises(sqlite3.OperationalError):
        bench.writer.call(lambda db: insert(db, 1, size=100_000))
    assert "full" in bench.writer.trouble
    bench.writer.call(lambda db: db.execute("SELECT 1").fetchone())
    assert bench.writer.trouble
    bench.writer.call(lambda db: db.execute("PRAGMA max_page_count = 1073741823").fetchone())
    bench.put(2).result(BOUND_S)
    assert bench.writer.trouble == ""


def test_what_the_database_itself_refuses_is_no_trouble_of_the_disk(bench):
    bench.put(1).result(BOUND_S)
    with pytest.raises(sqlite3.IntegrityError):
        bench.put(1).result(BOUND_S)
    assert bench.writer.trouble == ""
