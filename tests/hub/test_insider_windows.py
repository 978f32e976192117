"""Windows, invitations and versions under an insider: nobody is asked by what was bent.

The hub runs, and somebody writes into its file by SQL, its ledger included.
"""

import logging

import msgspec
import pytest
from world_hall import (
    CALLER,
    CONFIG,
    DEVICES,
    EMPTY_WINDOW,
    OTHER_WINDOW,
    VAULT,
    WINDOW,
    Hall,
    an_invitation,
    rated,
)

from hub.counter.board import Board
from hub.counter.desk import Desk
from hub.counter.vigil import Vigil
from hub.counter.windows import Windows
from hub.errors import NobodySignedOn, NotPaired
from hub.store import bindings, invitations, recovery
from hub.store.vault import Vault
from protocol import wire
from protocol.messages import Settings, Slot, Staff


class Watched(Hall):
    """A hall whose board and desk share one vigil, as the hub's do."""

    def __init__(self, folder):
        super().__init__(folder)
        self.vigil = Vigil(VAULT)
        windows = Windows(CONFIG.windows)
        self.board = Board(
            self.writer,
            CONFIG.hall_name,
            windows,
            DEVICES,
            self.codes,
            now=self.clock,
            online=self.online.__contains__,
            publish=self._publish,
            vigil=self.vigil,
        )
        self.desk = Desk(
            self.writer,
            VAULT,
            windows,
            now=self.clock,
            changed=self.board.refresh,
            vigil=self.vigil,
        )

    def do(self, *statements):
        def job(db):
            for statement in statements:
                db.conn.execute(*statement if isinstance(statement, tuple) else (statement,))

        self.writer.call(job)

    def refreshed(self, device="k1"):
        """What the kiosk is told now: settings and slot."""
        self.board.refresh([device])
        self.quiet()
        return (
            wire.decode(Settings, self.sent(device, "settings")[-1]),
            wire.decode(Slot, self.sent(device, "invitation")[-1]),
        )

    def invited(self, **more):
        return invitations.get(self.reader, self.invite(**more).status.id).invitation


@pytest.fixture
def hall(tmp_path):
    with Watched(tmp_path) as found:
        yield found


def critical(caplog, words):
    return [
        each
        for each in caplog.records
        if words in each.message and each.levelno == logging.CRITICAL
    ]


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE sign_ons SET name = '示例冤' WHERE window = '1号窗口'",
        "UPDATE sign_ons SET number = '9' WHERE window = '1号窗口'",
        "DELETE FROM sign_ons WHERE window = '1号窗口'",
    ],
)
def test_a_bent_seat_invites_nobody(hall, caplog, deed):
    """Refused in words, told in the log and at `/readyz`; the kiosk shows no such clerk."""
    hall.do(deed)
    for _ in range(3):
        with pytest.raises(NobodySignedOn, match="签到与台账不符"):
            hall.invite()
    assert hall.rows("SELECT count(*) FROM ledger WHERE kind = 'invited'") == [(0,)]
    assert "1号窗口" in hall.vigil.alarm
    assert len(critical(caplog, "window=altered")) == 1
    assert hall.refreshed()[0].staff is None
    assert hall.invite(window=OTHER_WINDOW, serial="SL2").new


def test_a_clerk_put_at_a_window_where_nobody_signed_on_invites_nobody(hall):
    """Nor a kiosk that was put there."""
    hall.do(
        f"INSERT INTO sign_ons VALUES ('{EMPTY_WINDOW}', '', '示例冤', '', 1)",  # noqa: S608
    )
    hall.writer.call(lambda db: bindings.pair(db, EMPTY_WINDOW, "k9", by="console", now=hall.now))
    with pytest.raises(NobodySignedOn, match="签到与台账不符"):
        hall.invite(window=EMPTY_WINDOW)


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE pairings SET device = 'kx' WHERE window = '1号窗口'",
        "DELETE FROM pairings WHERE window = '1号窗口'",
        "INSERT INTO pairings VALUES ('3号窗口', 'k9', 1)",
    ],
)
def test_a_bent_pairing_invites_nobody(hall, deed):
    """The citizens of one window are not asked at another."""
    hall.do(deed)
    with pytest.raises(NotPaired, match="配对与台账不符"):
        hall.invite(window=EMPTY_WINDOW if "3号" in deed else WINDOW)
    assert "与台账不符" in hall.vigil.alarm


def test_signing_on_again_puts_it_right(hall, caplog):
    """The table then says what the ledger says; the alarm ends."""
    hall.do("UPDATE sign_ons SET name = '示例冤' WHERE window = '1号窗口'")
    with pytest.raises(NobodySignedOn):
        hall.invite()
    hall.writer.call(
        lambda db: bindings.sign_on(db, WINDOW, Staff(name="示例甲"), by="console", now=hall.now)
    )
    assert hall.invited().staff == Staff(name="示例甲")
    assert hall.vigil.alarm is None
    assert [each for each in caplog.records if "window=agrees-again" in each.message]


def test_the_hub_looks_by_itself_now_and_then(hall):
    """Before anybody is invited; what is put back ends the alarm."""
    hall.writer.call(hall.vigil.look)
    assert hall.vigil.alarm is None
    hall.do("UPDATE sign_ons SET name = '示例冤' WHERE window = '2号窗口'")
    hall.writer.call(hall.vigil.look)
    assert "2号窗口" in hall.vigil.alarm
    hall.do("UPDATE sign_ons SET name = '示例乙' WHERE window = '2号窗口'")
    hall.writer.call(hall.vigil.look)
    assert hall.vigil.alarm is None


def test_honest_changes_of_kiosk_and_clerk_never_alarm(hall):
    """Moved, replaced, signed off and on: each step is in the ledger too."""

    def job(db):
        bindings.sign_on(db, OTHER_WINDOW, Staff(name="示例甲"), by="console", now=hall.now)
        bindings.pair(db, WINDOW, "k2", by="console", now=hall.now)
        bindings.pair(db, EMPTY_WINDOW, "k1", by="console", now=hall.now)
        bindings.sign_off(db, OTHER_WINDOW, by="console", now=hall.now)
        bindings.sign_on(
            db, EMPTY_WINDOW, Staff(name="示例丁", number="4"), by="console", now=hall.now
        )
        bindings.unpair(db, WINDOW, by="console", now=hall.now)
        hall.vigil.look(db)

    hall.writer.call(job)
    assert hall.vigil.alarm is None
    assert hall.invite(window=EMPTY_WINDOW).new


# ------------------------------------------------------------ forged invitations


def forge(hall, *, seal, ledger=True, device="k1", **change):
    """Put an invitation into table and ledger by INSERT, as a stranger does."""
    forged = an_invitation("SLforged", **({"issued_at": hall.now + 1} | change))
    forged = msgspec.structs.replace(forged, seal=seal(forged))
    body = msgspec.json.encode(forged)
    row = (
        "INSERT INTO invitations (id, device, serial, service_number, body, issued_at, ttl_ms)"
        " VALUES (?, ?, ?, 1, ?, ?, ?)"
    )
    entry = (
        "INSERT INTO ledger (kind, recorded_at, device, invitation, body)"
        " VALUES ('invited', ?, ?, ?, ?)"
    )
    hall.do((row, (forged.id, device, forged.serial, body, forged.issued_at, forged.ttl_ms)))
    if ledger:
        hall.do((entry, (hall.now, device, forged.id, body)))
    hall.do("UPDATE slots SET version = version + 1000")
    return forged


@pytest.mark.parametrize(
    ("seal", "ledger"),
    [
        (lambda _: "0" * 32, True),
        (lambda _: "", True),
        (lambda forged: recovery.seal(Vault(b"o" * 32), "k1", forged), True),
        (lambda forged: recovery.seal(VAULT, "k2", forged), True),
        (lambda forged: recovery.seal(VAULT, "k1", forged), False),
    ],
    ids=["zeros", "none", "of another key", "of another kiosk", "not in the ledger"],
)
def test_a_forged_invitation_is_never_shown(hall, caplog, seal, ledger):
    """The one before it, which the hub has issued, is shown instead."""
    forged = forge(hall, seal=seal, ledger=ledger, staff=Staff(name="示例冤"))
    _, slot = hall.refreshed()
    assert slot.invitation is None
    assert forged.id not in slot.unsettled
    assert critical(caplog, "invitation=forged")
    own = hall.invited(serial="SLown")
    _, slot = hall.refreshed()
    assert slot.invitation == own


def test_a_forged_one_on_top_does_not_hide_the_hubs_own(hall):
    """Newer than what the citizen is to be asked, by its time."""
    own = hall.invited()
    forge(hall, seal=lambda _: "0" * 32)
    _, slot = hall.refreshed()
    assert slot.invitation == own


def test_a_row_whose_words_were_bent_is_not_shown(hall):
    """Another clerk, or nothing that could be read."""
    own = hall.invited()
    for body in (b"\x00", msgspec.json.encode(an_invitation(id=own.id, staff=Staff(name="冤")))):
        hall.do(("UPDATE invitations SET body = ? WHERE id = ?", (body, own.id)))
        _, slot = hall.refreshed()
        assert slot.invitation is None
    outcome = rated(own.id, asked=own)  # it was shown before that: the rating counts
    hall.send(outcome)
    assert hall.committed() == [outcome.id]


def test_while_the_key_cannot_be_read_nothing_unproved_is_shown(hall, tmp_path, caplog):
    """What cannot be looked at might be forged; it is published once it can."""
    own = hall.invited()
    lost = Vigil(Vault(b"k" * 32, tmp_path / "gone.key"))
    assert hall.writer.call(lambda db: lost.genuine(db, "k1", own)) is False
    assert critical(caplog, "invitation=unchecked")
    assert hall.writer.call(lambda db: hall.vigil.genuine(db, "k1", own)) is True


# ------------------------------------------------------------ versions


@pytest.mark.parametrize(
    "version", [(1 << 53) + 1, 1 << 53, 9_000_000_000_000_000_000, (1 << 63) - 1, -5]
)
def test_a_version_that_no_kiosk_would_take_begins_anew(hall, caplog, version):
    """Both messages are well-formed again, above what the kiosk has really seen."""
    before = hall.refreshed()[1].version
    hall.do(("UPDATE slots SET version = ?", (version,)))
    hall.now += 5
    own = hall.invited()
    settings, slot = hall.refreshed()
    assert before < slot.version < before + 1000
    assert settings.version == slot.version
    assert slot.invitation == own
    assert critical(caplog, "slot=altered")


def test_a_version_pushed_up_to_the_end_is_an_alarm(hall):
    """Kiosks follow it for a while; then only a kiosk that starts again listens."""
    hall.refreshed()
    hall.do(("UPDATE slots SET version = ? WHERE device = 'k1'", ((1 << 53) - 100,)))
    before = hall.refreshed()[1].version
    assert hall.refreshed()[1].version == before + 1
    hall.writer.call(hall.vigil.look)
    assert "k1" in hall.vigil.alarm
    assert "重新启动" in hall.vigil.alarm


def test_pages_and_pairing_go_on_beside_a_bent_window(hall):
    """Another kiosk is paired there as ever, and so it is put right."""
    hall.do("UPDATE pairings SET device = 'kx' WHERE window = '1号窗口'")
    hall.writer.call(lambda db: bindings.unpair(db, WINDOW, by=CALLER.name, now=hall.now))
    hall.writer.call(lambda db: bindings.pair(db, WINDOW, "k1", by=CALLER.name, now=hall.now))
    assert hall.invite().new


def test_a_forged_one_that_never_ends_keeps_no_service_from_being_rated(hall):
    """Open for ever, at another kiosk, by its own word; the desk does not wait for it."""
    forge(hall, seal=lambda _: "0" * 32, device="k2", issued_at=hall.now + 10**12)
    assert hall.invite(serial="SLforged").new


def test_a_forged_invitation_is_told_once(hall, caplog):
    """However often the kiosk is told what to show."""
    forge(hall, seal=lambda _: "0" * 32)
    for _ in range(3):
        hall.refreshed()
    assert len(critical(caplog, "invitation=forged")) == 1
