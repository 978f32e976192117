"""Rounds of renewal: signed once, refused once, and never what a hub alone asks for."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hub_stand_in import problem, says, serving
from world_authority import new_authority, request

from protocol import signing
from provisioning import renewing

YEAR = timedelta(days=365)


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.fixture
def desk(tmp_path):
    """An authority of today, one kiosk whose certificate is due, and the round as it is run."""
    now = datetime.now(UTC)
    with new_authority(tmp_path / "ca", now - YEAR) as authority:
        key = signing.generate_key()
        then = now - YEAR / 5
        voucher = authority.voucher("kiosk-01", "hall-a", then)
        authority.issue(request("kiosk-01", key), voucher, then)
        yield SimpleNamespace(authority=authority, key=key, now=now)


def test_a_chain_that_the_hub_never_takes_is_signed_once(server, desk):
    """Also for other request bytes, as after a restart of the kiosk: the register does not fill."""

    def answer(method, _):
        if method == "PUT":
            return says(409, problem("certificate_unfit", "已有更新的证书"))()
        csr = request("kiosk-01", desk.key).decode()
        return says(200, [{"device": "kiosk-01", "request": csr, "asked_at": 1, "more": 2}])()

    server.answer = answer
    for _ in range(5):
        (result,) = renewing.run(server.client, desk.authority, lambda: desk.now)
        assert str(result) == "kiosk-01：没有续期：大厅服务器没有接受：已有更新的证书"
    assert len(desk.authority.register.of_name("kiosk-01")) == 2
    chains = {body for method, *_, body in server.asked if method == "PUT"}
    assert len(chains) == 1


def test_a_hub_that_asks_for_a_stranger_gets_nothing(server, desk):
    """Its list is not believed: garbage, a new key, a kiosk that was never enrolled."""
    good = request("kiosk-01", desk.key).decode()
    listed = [
        {"device": "kiosk-01", "request": "garbage"},
        {"device": "kiosk-01", "request": request("kiosk-01").decode()},
        {"device": "kiosk-02", "request": request("kiosk-02").decode()},
        {"device": "kiosk-02", "request": good},
        {"device": "hub-hall-a", "request": request("hub-hall-a").decode()},
        {"device": "kiosk-01", "request": good},
    ]
    server.answer = lambda method, _: says(204)() if method == "PUT" else says(200, listed)()
    results = list(renewing.run(server.client, desk.authority, lambda: desk.now))
    assert [result.until is None for result in results] == [True] * 5 + [False]
    assert all(result.why for result in results[:5])
    assert len(desk.authority.register.entries()) == 2
    assert sum(method == "PUT" for method, *_ in server.asked) == 1


def test_a_watch_says_a_refusal_once(server, desk):
    """Until it is another one, or is back after it was gone."""
    said, listed = [], [{"device": "kiosk-02", "request": request("kiosk-02").decode()}]
    server.answer = lambda *_: says(200, listed)()
    watch = renewing.Watch(
        lambda: renewing.run(server.client, desk.authority, lambda: desk.now),
        said.append,
        register_unusable=str,
    )
    watch.turn()
    watch.turn()
    assert len(said) == 1
    listed[0]["request"] = "garbage"
    watch.turn()
    watch.turn()
    assert len(said) == 2
    gone = listed.pop()
    watch.turn()
    listed.append(gone)
    watch.turn()
    assert len(said) == 3


def test_a_watch_survives_a_register_that_is_locked(server, desk, tmp_path):
    """Another command is at it for long: said once, and once that it is over."""
    said = []
    csr = request("kiosk-01", desk.key).decode()

    def answer(method, _):
        return (
            says(204)()
            if method == "PUT"
            else says(200, [{"device": "kiosk-01", "request": csr}])()
        )

    server.answer = answer
    watch = renewing.Watch(
        lambda: renewing.run(server.client, desk.authority, lambda: desk.now),
        said.append,
        register_unusable=lambda error: f"登记簿：{error}",
    )
    desk.authority.register._connection.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(tmp_path / "ca" / "authority.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        watch.turn()
        watch.turn()
        assert said == ["登记簿：database is locked"]
        other.rollback()
    watch.turn()
    assert said[1].startswith("kiosk-01：已续期")
    assert said[2:] == ["已恢复正常，继续续期。"]
