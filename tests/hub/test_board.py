"""What kiosks should show is published anew whenever it changes, under growing versions."""

import hashlib
import sqlite3
import threading

import pytest
from msgspec.structs import replace
from world_hall import CALLER, CONFIG, NOW, OTHER_WINDOW, WINDOW, Hall, a_case

from hub.accounts import changes
from hub.accounts.changes import Job
from hub.config import ScreensConfig
from hub.counter import portraits
from hub.counter.board import Board
from hub.counter.windows import Windows
from hub.rules.access import CONSOLE, Role
from hub.store import bindings
from protocol import wire
from protocol.messages import Portrait, Settings, Slot, Staff

FACE, OTHER_FACE = b"\xff\xd8 face", b"\xff\xd8 another"


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


def settings(hall, device="k1"):
    return [wire.decode(Settings, data) for data in hall.sent(device, "settings")]


def slots(hall, device="k1"):
    return [wire.decode(Slot, data) for data in hall.sent(device, "invitation")]


def test_everything_is_for_all_devices(hall):
    """After a new connection every device gets photograph, settings and slot, in this order."""
    hall.board.everything()
    hall.quiet()
    assert [(device, str(leaf)) for device, leaf, _ in hall.published] == [
        (device, leaf) for device in ("k1", "k2") for leaf in ("portrait", "settings", "invitation")
    ]
    shown = settings(hall)[0]
    assert (shown.hall_name, shown.window.name) == ("示例大厅", WINDOW)
    assert shown.staff.name == "示例甲"
    assert settings(hall, "k2")[0].window.name == OTHER_WINDOW
    assert slots(hall)[0].invitation is None


def test_strangers_get_nothing(hall):
    """Nothing is published for a device that is not configured."""
    hall.board.refresh(["k9"])
    hall.quiet()
    assert hall.published == []


def test_a_pause_is_what_the_citizen_reads(hall):
    """A pause reaches the settings with its reason, and leaves them again."""
    hall.ask(hall.desk.pause(WINDOW, "示例原因", CALLER))
    hall.ask(hall.desk.pause(WINDOW, None, CALLER))
    assert [each.paused for each in settings(hall)] == ["示例原因", None]


def test_versions_grow_even_when_the_clock_goes_back(hall):
    """A device ignores older versions, so neither slot nor settings may ever fall behind."""
    for step in (0, 0, -3_600_000, -3_600_000, 5, 7_200_000):
        hall.now += step
        hall.board.refresh(["k1"])
        hall.quiet()
    for found in (slots(hall), settings(hall)):
        versions = [each.version for each in found]
        assert versions == sorted(set(versions))
        assert len(versions) == 6
    assert slots(hall)[-1].version == hall.now


# ---------------------------------------------------------------- what could not be told


def test_what_a_full_writer_did_not_take_is_told_later(tmp_path):
    """An invitation that was answered reaches its kiosk, though the writer had no room for it."""
    with Hall(tmp_path, limit=1) as hall:
        taken, go = threading.Event(), threading.Event()
        held = hall.writer.submit(lambda _: (taken.set(), go.wait(10)))
        assert taken.wait(10)
        waiting = hall.writer.submit(lambda _: None)
        hall.board.refresh(["k1"])
        hall.board.refresh(["k2"])
        go.set()
        held.result(10)
        waiting.result(10)
        hall.quiet()
        assert hall.published == []
        hall.board.tidy()
        hall.quiet()
        assert len(slots(hall)) == len(slots(hall, "k2")) == 1
        hall.published.clear()
        hall.board.tidy()
        hall.quiet()
        assert hall.published == []


def test_what_could_not_be_committed_is_told_later(hall):
    """A disk that was full for a moment costs the citizen a moment, not the invitation."""
    hall.writer.call(lambda db: db.conn.execute("ALTER TABLE slots RENAME TO away"))
    with pytest.raises(sqlite3.Error):
        hall.writer.call(lambda db: db.conn.execute("SELECT * FROM slots"))
    hall.ask(hall.desk.invite(WINDOW, "SL0001", 1, case=a_case()))
    hall.board.tidy()
    hall.quiet()
    assert hall.published == []
    hall.writer.call(lambda db: db.conn.execute("ALTER TABLE away RENAME TO slots"))
    hall.board.tidy()
    hall.quiet()
    assert slots(hall)[-1].invitation.serial == "SL0001"
    assert settings(hall)[-1].staff.name == "示例甲"


def test_a_stopped_writer_owes_nobody_anything(tmp_path):
    """At its next start the hub tells everybody anyway."""
    with Hall(tmp_path) as hall:
        pass
    hall.board.everything()
    hall.board.tidy()
    assert hall.published == []


# ---------------------------------------------------------------- what the hall wishes


def board_of(hall, screens, windows=CONFIG.windows, **more):
    """A board of this hall by another configuration."""
    return Board(
        hall.writer,
        CONFIG.hall_name,
        Windows(windows),
        ("k1", "k2"),
        hall.codes,
        now=hall.clock,
        online=hall.online.__contains__,
        publish=hall._publish,
        screens=screens,
        **more,
    )


def test_the_hall_s_wishes_reach_every_screen(hall):
    """Times, language, announcements; a kiosk without a window has them too."""
    hall.ask(hall.bindings.unpair(OTHER_WINDOW, CALLER))
    hall.published.clear()
    wishes = ScreensConfig(
        elder=True, english=False, announcements=("示例公告", "又一条"), thanks_s=15, reasons_s=90
    )
    board_of(hall, wishes).everything()
    hall.quiet()
    for device in ("k1", "k2"):
        (said,) = settings(hall, device)
        assert (said.thanks_ms, said.reasons_ms) == (15_000, 90_000)
        assert (said.elder, said.english) == (True, False)
        assert said.announcements == ("示例公告", "又一条")
    assert settings(hall, "k2")[0].window is None


@pytest.mark.parametrize("hall_wide", [True, False])
def test_a_window_may_differ_from_the_hall(hall, hall_wide):
    """Elder mode where the hall has none, or none where it has; who says nothing follows."""
    first, *others = CONFIG.windows
    board = board_of(
        hall, ScreensConfig(elder=hall_wide), (replace(first, elder=not hall_wide), *others)
    )
    board.everything()
    hall.quiet()
    assert settings(hall)[0].elder is not hall_wide
    assert settings(hall, "k2")[0].elder is hall_wide


def test_without_wishes_screens_are_as_the_messages_have_it(hall):
    """The defaults of configuration and messages are the same."""
    hall.board.refresh(["k1"])
    hall.quiet()
    (said,) = settings(hall)
    plain = Settings(version=1, hall_name="示例大厅", catalogue=said.catalogue)
    for field in ("thanks_ms", "reasons_ms", "elder", "english", "announcements", "portrait"):
        assert getattr(said, field) == getattr(plain, field), field


# ---------------------------------------------------------------- photographs


def an_account(hall, name="jia", staff=Staff(name="示例甲")):  # noqa: B008 - frozen
    change(hall, lambda job: changes.add_user(job, name, [Role.WINDOW], staff, "x"))


def change(hall, work):
    """Make a change as the pages do, and tell the kiosks that it alters."""
    altered = set()
    hall.writer.call(lambda db: work(Job(db=db, now=NOW, by=CONSOLE, changed=altered)))
    hall.board.refresh(altered)
    hall.quiet()


def told(hall, device="k1"):
    """What was published of photographs, in order with the digests that settings name."""
    found = []
    for to, leaf, data in hall.published:
        if to == device and leaf == "portrait":
            found.append(wire.decode(Portrait, data).picture if data else b"")
        elif to == device and leaf == "settings":
            found.append(wire.decode(Settings, data).portrait)
    return found


def digest(picture):
    return hashlib.sha256(picture).hexdigest()


def test_a_photograph_goes_to_the_kiosk_of_its_clerk_before_the_settings_name_it(hall):
    """And to no other; taken away, an empty message takes its place on the broker."""
    hall.board.everything()
    hall.quiet()
    hall.published.clear()
    an_account(hall)
    change(hall, lambda job: portraits.add(job, "jia", FACE))
    change(hall, lambda job: portraits.add(job, "jia", OTHER_FACE))
    change(hall, lambda job: portraits.remove(job, "jia"))
    assert told(hall) == [FACE, digest(FACE), OTHER_FACE, digest(OTHER_FACE), b"", ""]
    assert told(hall, "k2") == []
    (first, *_) = hall.sent("k1", "portrait")
    assert wire.decode(Portrait, first).digest == digest(FACE)


def test_a_photograph_travels_only_when_it_is_another(hall):
    """40 KB are not sent with every invitation, but are to a broker that is connected anew."""
    an_account(hall)
    change(hall, lambda job: portraits.add(job, "jia", FACE))
    hall.board.everything()
    hall.quiet()
    hall.published.clear()
    for number in range(3):
        hall.invite(serial=f"SL{number}")
        hall.board.refresh(["k1"])
        hall.quiet()
    assert set(told(hall)) == {digest(FACE)}
    hall.published.clear()
    hall.board.everything()
    hall.quiet()
    assert told(hall) == [FACE, digest(FACE)]


def test_a_face_goes_with_its_clerk(hall):
    """Who signs on brings theirs; nobody's stays beside another's name."""
    an_account(hall)
    change(hall, lambda job: portraits.add(job, "jia", FACE))
    hall.board.everything()
    hall.quiet()
    hall.published.clear()
    hall.ask(hall.bindings.sign_on(WINDOW, Staff(name="示例丙"), CALLER))
    assert told(hall) == [b"", ""]
    hall.ask(hall.bindings.sign_on(OTHER_WINDOW, Staff(name="示例甲"), CALLER))
    assert told(hall, "k2") == [FACE, digest(FACE)]
    hall.ask(hall.bindings.unpair(OTHER_WINDOW, CALLER))
    assert told(hall, "k2")[-2:] == [b"", ""]


def test_an_account_that_is_another_clerk_now_shows_no_face(hall):
    """The photograph was of somebody else; the one it was of has it no more either."""
    an_account(hall)
    change(hall, lambda job: portraits.add(job, "jia", FACE))
    change(hall, lambda job: changes.set_staff(job, "jia", Staff(name="示例丁", number="9")))
    hall.published.clear()
    for clerk in (Staff(name="示例丁", number="9"), Staff(name="示例甲")):
        hall.ask(hall.bindings.sign_on(WINDOW, clerk, CALLER))
    assert set(told(hall)) <= {b"", ""}


def test_two_changes_in_one_commit_end_with_what_holds(hall):
    """Read before either was sent, the second one's photograph is sent by the next tidying."""
    an_account(hall)
    change(hall, lambda job: portraits.add(job, "jia", FACE))
    hall.board.everything()
    hall.quiet()
    hall.published.clear()

    def give(picture):
        job = lambda db: portraits.add(  # noqa: E731
            Job(db=db, now=NOW, by=CONSOLE, changed=set()), "jia", picture
        )
        return hall.writer.submit(job)

    taken, go = threading.Event(), threading.Event()
    hall.writer.submit(lambda _: (taken.set(), go.wait(10)))
    assert taken.wait(10)
    for picture in (OTHER_FACE, FACE):  # wait together, so that they are one commit
        give(picture)
        hall.board.refresh(["k1"])
    go.set()
    hall.quiet()
    hall.board.tidy()
    hall.quiet()
    assert [each for each in told(hall) if isinstance(each, bytes)][-1] == FACE
    assert told(hall)[-1] == digest(FACE)


def test_a_revoked_kiosk_gets_no_face_and_one_that_is_believed_again_does(hall):
    """What the guard took back from the broker is published anew, not taken for published."""
    an_account(hall)
    change(hall, lambda job: portraits.add(job, "jia", FACE))
    hall.published.clear()
    revoked = set()
    board = board_of(hall, None, believed=lambda device: device not in revoked)
    board.refresh(["k1"])
    hall.quiet()
    revoked.add("k1")
    board.forget("k1")
    board.refresh(["k1"])
    hall.quiet()
    assert told(hall) == [FACE, digest(FACE)]
    revoked.clear()
    board.refresh(["k1"])
    hall.quiet()
    assert told(hall) == [FACE, digest(FACE)] * 2


def test_the_largest_photograph_fits_into_a_message(hall):
    """As base64, with its digest, below the limit of the wire."""
    an_account(hall)
    largest = bytes(45_000)
    change(hall, lambda job: portraits.add(job, "jia", largest))
    assert largest in told(hall)


def test_a_clerk_of_a_window_system_is_known_by_name_and_number(hall):
    """Signed on by interface, without a word of the account; another number is another clerk."""
    an_account(hall, staff=Staff(name="示例戊", number="0099"))
    change(hall, lambda job: portraits.add(job, "jia", FACE))
    hall.ask(hall.bindings.sign_on(WINDOW, Staff(name="示例戊", number="0099"), CALLER))
    assert told(hall)[-1] == digest(FACE)
    hall.ask(hall.bindings.sign_on(WINDOW, Staff(name="示例戊", number="0100"), CALLER))
    assert told(hall)[-2:] == [b"", ""]
    assert bindings.seat(hall.reader, WINDOW).staff.number == "0100"
