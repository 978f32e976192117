"""A clerk who is shut out by a command does not stay on the kiosk's screen."""

import time
from contextlib import closing

import pytest
from brokers import eventually, free_port
from click.testing import CliRunner
from world_hall import OTHER_WINDOW, SEATS, WINDOW, Hall
from world_service import HubProcess, Kiosk

from hub.__main__ import main
from hub.counter.seats import Seats
from hub.rules.access import Role
from hub.store import bindings, users
from hub.store.database import connect
from protocol.messages import Staff
from protocol.topics import Leaf

NOW = time.time_ns() // 1_000_000
CLERK = SEATS[WINDOW][1]


def test_a_disabled_clerk_vanishes_from_a_running_hubs_kiosk(tmp_path):
    hub = HubProcess(tmp_path, embedded=True, broker_port=free_port())
    with closing(connect(hub.db)) as db, db.atomic():
        users.add(db, "jia", [Role.WINDOW], CLERK, password="-", now=NOW)
    try:
        hub.start()
        with Kiosk(hub.broker_port) as kiosk:
            kiosk.beat()
            eventually(lambda: shown(kiosk) == CLERK, "the clerk's card")
            done = CliRunner().invoke(main, ["user", "disable", "jia", "--config", str(hub.config)])
            assert done.exit_code == 0, done.output
            eventually(lambda: shown(kiosk) is None, "an empty card", 5)
        assert hub.end() == 0
        assert "unclosed database" not in hub.says()
    finally:
        hub.close()


def shown(kiosk):
    said = kiosk.all(Leaf.SETTINGS)
    return said[-1].staff if said else "nothing"


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


def test_only_kiosks_where_somebody_else_sits_are_told(hall):
    told = []
    with closing(Seats(hall.path, told.append)) as seats:
        seats.look()
        assert told == []
        hall.writer.call(lambda db: bindings.sign_off(db, WINDOW, by="console", now=NOW))
        seats.look()
        seats.look()
        assert told == [{"k1"}]
        other = Staff(name="示例丙")
        hall.writer.call(lambda db: bindings.sign_on(db, OTHER_WINDOW, other, by="x", now=NOW))
        hall.writer.call(lambda db: bindings.unpair(db, WINDOW, by="x", now=NOW))
        hall.writer.call(lambda db: bindings.sign_on(db, WINDOW, CLERK, by="x", now=NOW))
        seats.look()
        assert told == [{"k1"}, {"k2"}]


def test_what_cannot_be_read_now_is_read_the_next_time(hall):
    told = []
    with closing(Seats(hall.path, told.append)) as seats:
        hall.writer.call(lambda db: db.execute("ALTER TABLE sign_ons RENAME TO away"))
        seats.look()
        hall.writer.call(lambda db: db.execute("ALTER TABLE away RENAME TO sign_ons"))
        hall.writer.call(lambda db: bindings.sign_off(db, WINDOW, by="console", now=NOW))
        seats.look()
        assert told == [{"k1"}]
