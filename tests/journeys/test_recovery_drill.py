"""A hub that loses its disk: a backup, the kiosks and the city bring everything back, once."""

import shutil
import signal

import pytest
from brokers import eventually
from plain_hall import WINDOWS, Evaluator, PlainHall


@pytest.fixture
def hall(tmp_path, mosquitto):
    hall = PlainHall(tmp_path, mosquitto.port)
    hall.start_city()
    hall.start_hub()
    yield hall
    hall.close()


def recovered(hall):
    """The devices that have said all again."""
    rows = hall.rows("SELECT device FROM recovery WHERE ended_at IS NOT NULL ORDER BY device")
    return [device for (device,) in rows]


@pytest.mark.timeout(180)
def test_a_lost_disk_loses_no_rating(hall):
    """Rated before, after and without the hub; then its disk is gone, and all comes back."""
    with Evaluator(hall, "k1") as first, Evaluator(hall, "k2") as second:
        kiosks = (first, second)

        def both(condition, what):
            def look():
                for kiosk in kiosks:
                    kiosk.turn()
                return condition()

            return eventually(look, what, 40)

        first.rate(hall.invite("k1", "SL-before"), 5)
        both(lambda: hall.arrived() == {"SL-before": 5}, "the city has the first")
        code, words = hall.command("backup", "--out", str(hall.folder / "copy"), "--with-keys")
        assert code == 0, words

        first.rate(hall.invite("k1", "SL-after"), 1, ("108",))
        second.rate(hall.invite("k2", "SL-other"), 3)
        withdrawn = hall.invite("k2", "SL-withdrawn")
        second.sees(withdrawn)
        hall.withdraw("k2")
        ratings = {"SL-before": 5, "SL-after": 1, "SL-other": 3}
        both(lambda: hall.arrived() == ratings, "the city has what came after the backup")
        both(lambda: not first.waits() + second.waits(), "all is answered for")

        alone = hall.invite("k1", "SL-alone")
        first.sees(alone)
        hall.end("hub", signal.SIGKILL)
        shutil.rmtree(hall.state)
        first.rate(alone, 2, ("207",))

        code, words = hall.command("restore", "--from", str(hall.folder / "copy"), "--yes")
        assert code == 0, words
        assert hall.rows("SELECT count(*) FROM ledger WHERE kind = 'rated'") == [(1,)]
        assert "恢复：" in hall.command("status")[1]
        hall.start_hub()
        both(lambda: recovered(hall) == sorted(WINDOWS), "every kiosk has said all again")
        assert "评价器都补报完了" in hall.command("status")[1]

        ended = "SELECT kind, count(*) FROM ledger WHERE seq IS NOT NULL GROUP BY kind"
        assert dict(hall.rows(ended)) == {"rated": 4, "withdrawn": 1}
        waiting = hall.command("upstream", "status")[1]
        assert "重新登记" in waiting, waiting
        for serial in ("SL-after", "SL-other", "SL-alone"):
            hall.register(serial)
        everything = ratings | {"SL-alone": 2}
        both(lambda: hall.arrived() == everything, "the city has each rating once")
        left = "SELECT count(*) FROM deliveries WHERE state <> 'accepted'"
        both(lambda: hall.rows(left) == [(0,)], "nothing waits for the city")

        first.rate(hall.invite("k1", "SL-new"), 4)
        both(lambda: hall.arrived() == everything | {"SL-new": 4}, "and life goes on")

    code, words = hall.command("verify")
    assert code == 0, words
    assert "✗" not in words
    code, words = hall.command("restore", "--finish")
    assert (code, "已结束" in words) == (0, True), words
    assert "没有进行中的恢复" in hall.command("restore", "--finish")[1]
    assert hall.command("verify")[0] == 0
