"""Refusals in the ledger are judged again by the hub's own rule: nobody's word for them counts."""

import json
from contextlib import closing

import insider
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from world_hall import KEYS, NOW, TTL_MS, VAULT, Hall, rated, withdrawn

from hub.kiosks.keys import pem_of
from hub.rules.checkpoint import Verifier
from hub.rules.settle import GRACE_MS, judge
from hub.store import invitations, keys, ledger
from hub.store.database import connect
from hub.verification import report, sources
from protocol import signing

BY = Verifier(
    "pingyi/demo", Ed25519PrivateKey.from_private_bytes(b"l" * 32).public_key().public_bytes_raw()
)


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        pem = pem_of(KEYS["k1"].public_key())
        hall.writer.call(lambda db: keys.remember(db, "k1", pem, NOW))
        yield hall


def answered(hall, serial="SL0001", **change):
    """Let the desk invite and the kiosk answer; return the invitation and the signed bytes."""
    hall.invite(serial=serial)
    asked = invitations.of_case(hall.reader, serial, 1)[-1].invitation
    shown = replace(asked, **change.pop("shown", {}))
    return asked, hall.send(rated(asked.id, asked=shown, level=1, **change))


def by_insider(hall, *statements):
    """In the file of the running hub; each statement has found what it is to change."""
    assert all(insider.sql(hall.path, *statements))


def refused_as(hall, cause, kind, jws):
    """Turn the thanked rating into a refused one, and take it off its way to the city."""
    body = json.dumps({"refused": cause, "jws": jws.decode()}).encode()
    by_insider(
        hall,
        ("UPDATE ledger SET kind = ?, body = ? WHERE kind = 'rated'", kind, body),
        ("UPDATE invitations SET outcome = ? WHERE outcome = 'rated'", kind),
        ("DELETE FROM deliveries WHERE kind = 'rating'",),
    )


def live(hall, vault=VAULT):
    found = []
    with closing(connect(hall.path)) as db:
        result = report.verify(sources.live(db, None, vault), found.append)
    return found, result


def exported(hall, folder):
    found = []
    with closing(connect(hall.path)) as db:
        sources.export(db, folder, BY)
    result = report.verify(sources.exported(folder), found.append)
    return found, result


def told(found):
    return [(each.what, each.text) for each in found if each.grave]


@pytest.mark.parametrize(
    ("cause", "kind", "says"),
    [
        ("late", "expired", "以“超过时限”拒收，而按评价器签名的内容并非如此：应当计入"),
        ("late", "withdrawn", "以“超过时限”拒收，而按评价器签名的内容并非如此：应当计入"),
        ("unknown_reason", "withdrawn", "以“原因不在评价目录里”拒收，而按评价器签名的内容并非如此"),
        ("shown_otherwise", "withdrawn", "以“显示的内容不一致”拒收，内容其实一致"),
        ("foreign", "withdrawn", "以“foreign”拒收"),
        ("counts", "expired", "以“counts”拒收"),
        ("", "expired", "拒收，而按评价器签名的内容并非如此"),
    ],
)
def test_a_thanked_rating_that_is_written_down_as_refused_is_named(
    hall, tmp_path, cause, kind, says
):
    """By its own bytes: in the hub's file and in an export alike, and before any checkpoint."""
    _, jws = answered(hall)
    refused_as(hall, cause, kind, jws)
    assert says in "".join(text for _, text in told(live(hall)[0]))
    assert says in "".join(text for _, text in told(exported(hall, tmp_path / "out")[0]))


def test_a_rating_whose_kiosk_signed_no_words_is_not_refused_for_them(hall):
    asked, _ = answered(hall, serial="SL0002")
    old = signing.sign(rated(asked.id, level=1), KEYS["k1"])
    by_insider(hall, ("DELETE FROM ledger WHERE kind = 'rated'",))
    outcome = signing.verify(old, "k1", KEYS["k1"].public_key())
    body = json.dumps({"refused": "shown_otherwise", "jws": old.decode()}).encode()
    entry = ledger.Entry(
        kind="withdrawn",
        recorded_at=NOW,
        device="k1",
        invitation=asked.id,
        outcome=outcome.id,
        seq=outcome.seq,
        body=body,
    )
    hall.writer.call(lambda db: ledger.append(db, entry))
    assert "内容其实一致" in "".join(text for _, text in told(live(hall)[0]))


def test_an_invitation_reworded_so_that_the_refusal_fits_is_known_by_its_mark(hall, tmp_path):
    """Both entries are changed before a checkpoint: the kiosk signed the hub's own mark."""
    asked, jws = answered(hall)
    refused_as(hall, "shown_otherwise", "withdrawn", jws)
    other = msgspec.json.encode(replace(asked, matter="另一个事项"))
    by_insider(
        hall,
        ("UPDATE ledger SET body = ? WHERE kind = 'invited'", other),
        ("UPDATE invitations SET body = ?", other),
    )
    found, _ = live(hall)
    assert any("评价器签名的正是本服务器发出的邀请" in text for _, text in told(found))
    _, result = exported(hall, tmp_path / "out")
    assert any(
        "以“显示的内容不一致”拒收的，没有可用的 citizens.key" in each for each in result.unchecked
    ), "an export alone cannot tell, and says so"


def test_what_the_hub_itself_refused_stays_refused(hall, tmp_path):
    """Honest refusals of each kind pass, live and exported."""
    answered(hall, serial="SL1", elapsed_ms=TTL_MS + GRACE_MS + 1)
    answered(hall, serial="SL2", shown={"matter": "另一个事项"})
    answered(hall, serial="SL3", reasons=("199",))
    answered(hall, serial="SL4", elapsed_ms=TTL_MS + GRACE_MS)
    assert sorted(hall.ledger()) == ["expired", "rated", "withdrawn", "withdrawn"]
    assert told(live(hall)[0]) == []
    assert told(exported(hall, tmp_path / "out")[0]) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"elapsed_ms": TTL_MS + GRACE_MS + 1}, "late"),
        ({"reasons": ("199",)}, "refused"),
        ({"shown": {"matter": "另一个事项"}}, "invitation"),
    ],
)
def test_a_refused_rating_that_is_made_to_count_is_named_too(hall, tmp_path, change, what):
    _, jws = answered(hall, **change)
    by_insider(
        hall,
        ("UPDATE ledger SET kind = 'rated', body = ? WHERE outcome IS NOT NULL", jws),
        ("UPDATE invitations SET outcome = 'rated' WHERE outcome IS NOT NULL",),
    )
    assert what in dict(told(live(hall)[0]))
    assert what in dict(told(exported(hall, tmp_path / "out")[0]))


def test_the_cause_and_the_kind_of_a_refusal_belong_together(hall):
    _, jws = answered(hall, elapsed_ms=TTL_MS + GRACE_MS + 1)
    for cause, kind, says in (
        ("unknown_reason", "withdrawn", "而按签名的内容应以“超过时限”拒收"),
        ("late", "withdrawn", "应登记为 expired，却是 withdrawn"),
    ):
        body = json.dumps({"refused": cause, "jws": jws.decode()}).encode()
        by_insider(
            hall,
            ("UPDATE ledger SET kind = ?, body = ? WHERE outcome IS NOT NULL", kind, body),
        )
        assert says in "".join(text for _, text in told(live(hall)[0]))


def test_a_hub_of_before_that_granted_no_grace_is_only_asked(hall):
    _, jws = answered(hall, elapsed_ms=TTL_MS + GRACE_MS)
    refused_as(hall, "late", "expired", jws)
    found, _ = live(hall)
    assert ("refused", False) in [(each.what, each.grave) for each in found]
    assert told(found) == []


def test_a_rating_by_a_list_that_this_software_lacks_is_told_as_unchecked(hall):
    _, jws = answered(hall, catalogue="2099.1")
    assert hall.ledger() == ["withdrawn"]
    found, result = live(hall)
    assert told(found) == []
    assert any("本软件没有它的评价目录" in each for each in result.unchecked)
    assert (
        judge(
            signing.verify(jws, "k1", KEYS["k1"].public_key()), ttl_ms=TTL_MS, as_issued=True
        ).ends
        == "withdrawn"
    )


def test_a_withdrawal_is_no_refusal(hall):
    """What is no rating is never refused for its time or its reasons."""
    hall.invite()
    asked = invitations.of_case(hall.reader, "SL0001", 1)[-1].invitation
    jws = hall.send(withdrawn(asked.id, asked=asked))
    assert told(live(hall)[0]) == []
    body = json.dumps({"refused": "unknown_reason", "jws": jws.decode()}).encode()
    by_insider(hall, ("UPDATE ledger SET body = ? WHERE kind = 'withdrawn'", body))
    assert told(live(hall)[0])[0][0] == "refused"
