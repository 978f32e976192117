"""Rows beside the ledger, put in, taken out or bent by SQL: `verify` names each of them."""

from contextlib import closing

import msgspec
import pytest
from world_hall import (
    KEYS,
    NOW,
    OTHER_WINDOW,
    STAMP,
    VAULT,
    WINDOW,
    Hall,
    an_invitation,
    expired,
    rated,
)

from hub.kiosks.keys import pem_of
from hub.store import bindings, invitations, keys, ledger, recovery, tables
from hub.store.database import connect
from hub.verification import report, sources
from protocol.messages import Staff


@pytest.fixture
def hall(tmp_path):
    """Three invitations at each of two windows: rated, refused for being late, still open."""
    with Hall(tmp_path) as found:
        found.writer.call(
            lambda db: [
                keys.remember(db, name, pem_of(key.public_key()), NOW) for name, key in KEYS.items()
            ]
        )
        numbers = {"k1": iter(range(1, 9)), "k2": iter(range(1, 9))}
        for number, (device, window) in enumerate((("k1", WINDOW), ("k2", OTHER_WINDOW)), start=1):
            for kind in ("rated", "late", "open"):
                name = found.invite(window, f"SL{kind}{number}").status.id
                asked = invitations.get(found.reader, name).invitation
                if kind != "open":
                    late = {} if kind == "rated" else {"elapsed_ms": asked.ttl_ms + 60_000}
                    seq = next(numbers[device])
                    found.send(rated(name, device, asked=asked, seq=seq, stamp=STAMP, **late))
        yield found


def do(hall, *statements):
    def job(db):
        for statement in statements:
            db.conn.execute(statement)

    hall.writer.call(job)


def verified(hall, *, vault=VAULT):
    found = []
    with closing(connect(hall.path)) as db:
        said = report.verify(sources.live(db, None, vault), found.append)
        left = report.around(db, found.append, vault)
    return found, (*said.unchecked, *left)


def grave(found):
    return [(each.what, each.position) for each in found if each.grave]


def position(hall, kind, serial):
    return hall.rows(
        "SELECT l.position FROM ledger AS l JOIN invitations AS i ON i.id = l.invitation"
        " WHERE l.kind = ? AND i.serial = ?",
        kind,
        serial,
    )[0][0]


def test_what_the_hub_itself_has_written_agrees(hall):
    """Every table as the hub leaves it, and every seal and seat in the ledger."""
    found, unchecked = verified(hall)
    assert found == []
    assert not any("邀请" in each for each in unchecked)


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("device = 'k2'", "评价器"),
        ("serial = 'SLX'", "办件"),
        ("service_number = 9", "办件"),
        ("issued_at = 5", "时间"),
        ("ttl_ms = 5", "时间"),
        ("body = x'7b7d'", "内容"),
        ("body = CAST(replace(CAST(body AS TEXT), '示例甲', '示例冤') AS BLOB)", "内容"),
    ],
)
def test_a_row_that_says_something_else_is_named(hall, deed, words):
    """By the entry that knows better, and by what of it differs."""
    place = position(hall, "invited", "SLopen1")
    do(hall, f"UPDATE invitations SET {deed} WHERE serial = 'SLopen1'")  # noqa: S608
    found, _ = verified(hall)
    assert ("account", place) in grave(found)
    assert any(words in each.text for each in found if each.position == place)


@pytest.mark.parametrize(
    ("serial", "deed"),
    [
        ("SLrated1", "outcome = 'expired'"),
        ("SLrated1", "outcome = NULL, outcome_id = NULL"),
        ("SLrated1", "outcome_id = 'x'"),
        ("SLrated1", "outcome_id = (SELECT outcome_id FROM invitations WHERE serial = 'SLrated2')"),
        ("SLlate1", "outcome = 'rated'"),
        ("SLopen1", "outcome = 'rated', outcome_id = 'x'"),
        ("SLopen1", "outcome = 'withdrawn'"),
    ],
)
def test_a_row_that_ends_otherwise_is_named(hall, serial, deed):
    """Also where two are bent so that the sums stay the same."""
    do(hall, f"UPDATE invitations SET {deed} WHERE serial = '{serial}'")  # noqa: S608
    found, _ = verified(hall)
    assert any(each.grave and "结果" in each.text for each in found), found


def test_two_rows_that_changed_their_outcomes_are_named_though_the_sums_agree(hall):
    """The account balances; each row is looked at all the same."""
    do(
        hall,
        "UPDATE invitations SET outcome = CASE outcome WHEN 'rated' THEN 'expired' ELSE 'rated' END"
        " WHERE serial IN ('SLrated1', 'SLlate1')",
    )
    assert hall.account().balanced
    found, _ = verified(hall)
    assert len([each for each in found if "结果" in each.text]) >= 2


@pytest.mark.parametrize("serial", ["SLopen1", "SLrated1", "SLlate1"])
def test_a_row_that_was_taken_out_is_named(hall, serial):
    """Open or ended; the ledger still has its entry."""
    place = position(hall, "invited", serial)
    do(hall, f"DELETE FROM invitations WHERE serial = '{serial}'")  # noqa: S608
    found, _ = verified(hall)
    assert ("account", place) in grave(found)


def test_a_row_too_many_is_named(hall):
    """It stands in no entry of the ledger; the account does not balance either."""
    do(
        hall,
        "INSERT INTO invitations (id, device, serial, service_number, body, issued_at, ttl_ms)"
        " SELECT 'f' || substr(id, 2), device, serial, service_number, body, issued_at, ttl_ms"
        " FROM invitations WHERE serial = 'SLopen1'",
    )
    found, _ = verified(hall)
    texts = [each.text for each in found if each.grave]
    assert any("不在台账里" in each for each in texts), texts
    assert any("邀请表与台账不一致" in each for each in texts), texts


def test_rows_of_an_older_file_are_compared_without_its_newer_indexes(hall):
    """A backup of a hub of before has none; what is found is the same."""
    do(
        hall,
        "DROP INDEX ledger_invitation",
        "DROP INDEX ledger_bound",
        "DELETE FROM invitations WHERE serial = 'SLopen1'",
    )
    assert [bent.parts for bent in tables.invitations(hall.reader)] == [()]


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE sign_ons SET name = '示例冤' WHERE window = '1号窗口'",
        "UPDATE sign_ons SET post = '局长' WHERE window = '1号窗口'",
        "DELETE FROM sign_ons WHERE window = '1号窗口'",
        "DELETE FROM pairings WHERE window = '1号窗口'",
        "UPDATE pairings SET device = 'kx' WHERE window = '1号窗口'",
        "INSERT INTO pairings VALUES ('3号窗口', 'k9', 1)",
        "INSERT INTO sign_ons VALUES ('3号窗口', '', '示例冤', '', 1)",
        "INSERT INTO sign_ons VALUES ('没有的窗口', '', '示例冤', '', 1)",
    ],
)
def test_a_window_bound_past_the_ledger_is_named(hall, deed):
    """What the table says, and what the ledger says."""
    do(hall, deed)
    found, _ = verified(hall)
    [said] = [each for each in found if each.what == "binding"]
    assert said.grave
    assert "与台账不符" in said.text


@pytest.mark.parametrize("deed", ["DELETE FROM refusals", "UPDATE refusals SET times = 0"])
@pytest.mark.parametrize("evidence", [True, False])
def test_refusals_that_were_taken_out_are_named_as_far_as_it_can_be_told(hall, deed, evidence):
    """By the entries in which the hub closed an invitation, or by the evidence that is left."""
    do(hall, deed, *([] if evidence else ["DELETE FROM evidence"]))
    found, _ = verified(hall)
    assert [each.text for each in found if each.grave] == [
        f"评价器 {device} 的拒收记录（late）少于应有的：被删去或改动过" for device in ("k1", "k2")
    ]


def test_evidence_without_its_count_is_named(hall):
    """A forged signature that closed nothing leaves only this."""
    hall.hand_in(b"no signature")
    do(hall, "DELETE FROM refusals WHERE cause NOT IN ('late')")
    found, _ = verified(hall)
    assert [each.what for each in found if each.grave] == ["account"]


@pytest.mark.parametrize("version", [-1, (1 << 53) - 1, 1 << 53, (1 << 63) - 1])
def test_a_version_that_no_hub_reaches_is_named(hall, version):
    """A kiosk would refuse what is sent under it, or soon will."""
    do(hall, f"UPDATE slots SET version = {version} WHERE device = 'k1'")  # noqa: S608
    found, _ = verified(hall)
    assert [each.text for each in found if "显示版本号" in each.text and each.grave]


# ------------------------------------------------------------ invitations in the ledger itself


def enter(hall, device="k1", sealed=None, note=None, **change):
    """Put an invitation into ledger and table by INSERT alone; return its position."""
    asked = an_invitation("SLforged", **change)
    if sealed is not None:
        asked = msgspec.structs.replace(asked, seal=sealed(asked))

    def job(db):
        if note is not None:
            entry = ledger.Entry(
                kind="settings",
                recorded_at=NOW,
                device=device,
                invitation=asked.id,
                body=msgspec.json.encode(note),
            )
            ledger.append(db, entry)
        invitations.issue(db, device, asked)
        return ledger.size(db)

    return hall.writer.call(job)


def by_hub(asked, device="k1"):
    return recovery.seal(VAULT, device, asked)


@pytest.mark.parametrize(
    "sealed",
    [
        None,
        lambda _: "0" * 32,
        lambda asked: by_hub(asked, "k2"),
        lambda asked: by_hub(msgspec.structs.replace(asked, staff=Staff(name="示例乙"))),
    ],
    ids=["none", "zeros", "of another kiosk", "of other words"],
)
def test_an_invitation_forged_by_insert_is_named(hall, sealed):
    """Table and ledger agree; the keyed seal cannot be made by who has the database alone."""
    place = enter(hall, sealed=sealed)
    found, _ = verified(hall)
    assert ("mark", place) in grave(found)
    assert "不是本服务器登记的" in next(each.text for each in found if each.position == place)


def test_an_invitation_under_a_clerk_who_did_not_sit_there_is_named(hall):
    """Though its seal fits: the hub believed a table that said so."""
    do(hall, "UPDATE sign_ons SET name = '示例冤' WHERE window = '1号窗口'")
    place = enter(hall, sealed=by_hub, staff=Staff(name="示例冤"))
    do(hall, "UPDATE sign_ons SET name = '示例甲' WHERE window = '1号窗口'")
    found, _ = verified(hall)
    assert grave(found) == [("invitation", place)]
    assert "示例冤" in found[0].text
    assert "示例甲" in found[0].text


def test_an_invitation_at_a_kiosk_that_did_not_stand_there_is_named(hall):
    """k2 stands at another window."""
    place = enter(hall, device="k2", sealed=lambda asked: by_hub(asked, "k2"))
    found, _ = verified(hall)
    assert grave(found) == [("invitation", place)]


def test_the_seat_at_that_place_in_the_ledger_counts(hall):
    """Who comes and goes later changes nothing for the ratings before."""

    def job(db):
        bindings.sign_on(db, WINDOW, Staff(name="示例丙", number="3"), by="console", now=NOW)
        bindings.sign_off(db, WINDOW, by="console", now=NOW)
        bindings.unpair(db, WINDOW, by="console", now=NOW)

    hall.writer.call(job)
    assert verified(hall)[0] == []


def test_what_a_kiosk_brought_back_after_a_disaster_needs_its_seal_alone(hall):
    """Where it was asked is lost with the disk; without the seal the note helps nobody."""
    note = recovery.Note(recovery="reentered", since=NOW)
    gone = Staff(name="示例丙")
    enter(hall, note=note, sealed=by_hub, staff=gone)
    assert verified(hall)[0] == []
    forged = enter(hall, note=note, sealed=lambda _: "0" * 32, staff=gone)
    assert grave(verified(hall)[0]) == [("mark", forged)]


def test_a_binding_that_does_not_begin_where_the_last_one_ended_wants_an_explanation(hall):
    """The clerk signed off whom somebody had put into the table."""
    do(hall, "UPDATE sign_ons SET name = '示例冤' WHERE window = '1号窗口'")
    hall.writer.call(
        lambda db: bindings.sign_on(db, WINDOW, Staff(name="示例甲"), by="console", now=NOW)
    )
    found, _ = verified(hall)
    assert [(each.what, each.grave) for each in found] == [("binding", False)]
    assert "示例冤" in found[0].text


def test_without_the_key_seals_are_said_to_be_unchecked(hall):
    """As in an export: how many, and where they can be checked."""
    enter(hall, sealed=lambda _: "0" * 32)
    found, unchecked = verified(hall, vault=None)
    assert found == []
    assert any("7 条邀请是否由服务器登记" in each for each in unchecked), unchecked


def test_seals_of_before_there_were_any_are_said_to_be_unchecked(tmp_path):
    """Until the first that is sealed; behind it none may be without."""
    with Hall(tmp_path) as old:
        for name in ("SL1", "SL2"):
            old.issue(an_invitation(name))
        found, unchecked = verified(old)
        assert found == []
        assert any(each.startswith("2 条邀请") and "没有标记" in each for each in unchecked)
        old.invite(serial="SL3")
        old.issue(an_invitation("SL4"))
        old.send(expired(old.rows("SELECT id FROM invitations WHERE serial = 'SL3'")[0][0]))
        assert "mark" in [each.what for each in verified(old)[0] if each.grave]
