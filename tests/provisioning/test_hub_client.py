"""The way to the hub: what answers there may be anything, and the key goes nowhere else."""

import socket
import threading

import pytest
from brokers import LOOPBACK, free_port
from hub_stand_in import KEY, problem, says, serving

from provisioning import hub_client
from provisioning.hub_client import AddressError, HubClient, HubTrouble, NotTaken


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("hub.example", "地址写法不对"),
        ("ftp://hub.example", "地址写法不对"),
        ("https://", "地址写法不对"),
        ("https://hub.example:many", "地址写法不对"),
        ("https://[::1", "地址写法不对"),
        ("https://user:secret@hub.example", "地址写法不对"),
        ("https://hub.example/?a=b", "地址写法不对"),
        ("http://hub.example:8750", "须加密传送"),
        ("http://10.0.0.8:8750", "须加密传送"),
    ],
)
def test_an_address_that_will_not_do_is_explained(url, words):
    """Before anything is sent; a key never goes in clear over a wire."""
    with pytest.raises(AddressError, match=words):
        HubClient(url, KEY, None)


@pytest.mark.parametrize("key", ["", "two words", "钥匙", "line\r\nHost: other"])
def test_a_key_that_cannot_stand_in_a_header_is_refused(key):
    """Nothing of it is repeated in the message."""
    with pytest.raises(AddressError, match="密钥文件的第一行") as failed:
        HubClient("http://localhost:1", key, None)
    assert not key or key not in str(failed.value)


def test_a_root_that_is_none_is_explained(tmp_path):
    """Not there, or no certificate."""
    for path in (tmp_path / "none.pem", tmp_path):
        with pytest.raises(AddressError, match=r"请指定签发机构的 root\.pem"):
            HubClient("https://hub.example", KEY, path)
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(AddressError, match="不能用作根证书"):
        HubClient("https://hub.example", KEY, tmp_path / "no.pem")


def test_it_asks_as_the_interface_wants_it_also_below_a_prefix(server):
    """With the key in the header, and the body as JSON."""
    assert server.client.waiting() == []
    server.answer = says(204)
    HubClient(server.url + "/pingyi/", KEY, None).answer("kiosk-01", "chain")
    assert server.asked == [
        ("GET", "/api/v1/renewals", f"Bearer {KEY}", b""),
        ("PUT", "/pingyi/api/v1/renewals/kiosk-01", f"Bearer {KEY}", b'{"chain":"chain"}'),
    ]


def test_no_proxy_of_the_environment_gets_the_key(server, monkeypatch):
    """The address is on the hall's own network."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:{free_port()}")
    assert server.client.waiting() == []


def test_a_redirection_is_not_followed(server):
    """Whoever answers cannot send the key elsewhere."""
    server.answer = says(302, Location=f"{server.url}/elsewhere")
    with pytest.raises(HubTrouble, match="不是大厅服务器的") as trouble:
        server.client.waiting()
    assert trouble.value.kind == "foreign"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (says(200, b"<html>"), "foreign", "请核对 --hub 的地址和端口"),
        (says(200, b"\xff"), "foreign", "请核对 --hub 的地址和端口"),
        (says(200, {"devices": []}), "foreign", "请核对 --hub 的地址和端口"),
        (says(200, [{"device": "../x", "request": "-"}]), "foreign", "请核对 --hub"),
        (says(200, b"[" * 100_000), "foreign", "请核对 --hub"),
        (says(404, b"nothing here"), "foreign", "请核对 --hub"),
        (says(502, b"bad gateway"), "away", "暂时没有应答（502）"),
        (says(503, problem("busy", "稍后重试")), "away", "不能受理（503）：稍后重试"),
        (says(401, problem("unauthorized", "密钥不正确")), "refuses", "密钥不正确。入网台"),
        (says(403, problem("forbidden", "没有权限")), "refuses", "--scope renewals"),
    ],
)
def test_what_the_server_says_is_put_in_words(server, answer, kind, words):
    """What to do next, for each; never a traceback."""
    server.answer = answer
    with pytest.raises(HubTrouble, match=words) as trouble:
        server.client.waiting()
    assert trouble.value.kind == kind


def test_an_endless_answer_is_given_up(server, monkeypatch):
    """A bound, not the desk's memory."""
    monkeypatch.setattr(hub_client, "ANSWER_LIMIT", 1_000)
    server.answer = says(200, b"[" + b" " * 2_000 + b"]")
    with pytest.raises(HubTrouble, match="不是大厅服务器的"):
        server.client.waiting()


def test_a_text_of_the_hub_moves_no_cursor(server):
    """It is shown on the operator's terminal."""
    server.answer = says(409, problem("certificate_unfit", "不能\x1b[2J用\r"))
    with pytest.raises(NotTaken) as refused:
        server.client.answer("kiosk-01", "chain")
    assert str(refused.value) == "不能[2J用"


@pytest.mark.parametrize("line", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Len"])
def test_something_that_is_no_web_server_is_told(line):
    """It hangs up, speaks another language, or breaks off."""
    with socket.create_server((LOOPBACK, 0)) as listening:

        def serve():
            client, _ = listening.accept()
            with client:
                client.recv(4096)
                client.sendall(line)

        thread = threading.Thread(target=serve)
        thread.start()
        client = HubClient(f"http://{LOOPBACK}:{listening.getsockname()[1]}", KEY, None)
        with pytest.raises(HubTrouble):
            client.waiting()
        thread.join(10)


def test_a_hub_that_is_not_there_is_told():
    """With what to look at."""
    with pytest.raises(HubTrouble, match="请检查网络，以及服务器是否在运行") as trouble:
        HubClient(f"http://{LOOPBACK}:{free_port()}", KEY, None).waiting()
    assert trouble.value.kind == "away"
