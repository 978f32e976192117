import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from upstream_cities import NAMES, http, raw_city, speak
from upstream_world import Hub, a_case, until

from hub.rules.records import service_record
from hub.upstream.dialects import Accepted, AlreadyExists, Refused, Unavailable, judge
from hub.upstream.dialects.answers import parse
from hub.upstream.dialects.transport import Reply

RECORD = service_record(a_case())


OK = {
    "plain": b'{"success": true, "code": "ok", "message": ""}',
    "flat": b'{"result": "1", "resultmsg": ""}',
    "form": b'{"success": true, "code": "200", "errorMessage": "", "serviceCode": "s"}',
    "envelope": b'{"success": "true", "code": "0", "message": ""}',
    "token": b'{"code": 200, "msg": ""}',
}
NO = {
    "plain": b'{"success": false, "code": "x", "message": "no"}',
    "flat": b'{"result": "0", "resultmsg": "no"}',
    "form": b'{"success": false, "code": "-1", "errorMessage": "no"}',
    "envelope": b'{"success": "false", "code": "1", "message": "no"}',
    "token": b'{"code": 500, "msg": "no"}',
}


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def ask(name, folder, answer, timeout_s=5.0, **city):
    """Return what a dialect makes of an answer, what was asked, and what may be kept of it."""
    kept = []

    async def story():
        async with raw_city(answer, **city) as (url, asked):
            dialect = speak(name, url, folder, timeout_s=timeout_s)
            try:
                return await dialect.send("service", RECORD, keep=kept.append), asked
            finally:
                await dialect.close()

    return (*asyncio.run(story()), kept)


def garbage(ok, no):
    """Return answers that are none, made of the city's words for yes and no."""
    return {
        "html": http(200, b"<html>ok</html>", "text/html"),
        "html that calls itself json": http(200, b"<html>ok</html>"),
        "empty": http(200, b""),
        "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
        "an empty object": http(200, b"{}"),
        "other members": http(200, b'{"status": "ok"}'),
        "a list": http(200, b"[" + ok + b"]"),
        "a text": http(200, b'"success"'),
        "two answers": http(200, ok + ok),
        "invalid utf-8": http(200, ok[:-1] + b', "x": "\xff\xfe"}'),
        "huge": http(200, ok + b" " * (10 << 20)),
        "deep": http(200, b"[" * 500_000),
        "cut short": http(200, ok).replace(b"Content-Length: ", b"Content-Length: 9"),
        "redirect": http(302, ok, more="Location: /elsewhere\r\n"),
        "redirect of the body": http(307, b"{}", more="Location: /elsewhere\r\n"),
        "server error": http(500, ok),
        "refusal of a broken server": http(503, no),
        "page not found": http(404, b"<html>404</html>", "text/html"),
        "success and 4xx": http(400, ok),
        "not signed in": http(401, no),
        "forbidden": http(403, no),
        "too many": http(429, no),
        "not http": b"220 smtp.example ESMTP\r\n",
        "long header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        "bad compression": http(200, b"junk", more="Content-Encoding: gzip\r\n"),
        "nothing": b"",
    }


ERRORS_INSIDE = {
    "plain": [
        b'{"success": true, "code": "500", "message": "x"}',
        b'{"success": "true", "code": "ok"}',
        b'{"code": "ok"}',
    ],
    "flat": [b'{"result": 1.0}', b'{"result": null}', b'{"result": ["1"]}', b'{"result": "01"}'],
    "form": [
        b'{"success": true, "code": "-1", "errorMessage": "x"}',
        b'{"success": false, "code": "200"}',
        b'{"success": true}',
        b'{"success": "TRUE", "code": "200"}',
        b'{"code": "200"}',
        b'{"data": {"success": true, "code": "200"}}',
        b'{"success": false, "code": "404", "errorMessage": "x"}',
        '{"success": false, "code": "-1", "errorMessage": "签名错误"}'.encode(),
        '{"success": false, "code": "-1", "errorMessage": "系统繁忙，请稍后再试"}'.encode(),
    ],
    "envelope": [
        b'{"success": "true", "code": "1"}',
        b'{"success": "false", "code": "0"}',
        b'{"success": "yes", "code": "0"}',
        b'{"code": 0}',
        '{"success": "false", "code": "9", "message": "appMark 未授权"}'.encode(),
    ],
    "token": [b'{"code": 201}', b'{"code": true}', b'{"code": "200 "}x', b'{"code": 401}'],
}


@pytest.mark.parametrize("kind", garbage(b"", b""))
def test_garbage_is_neither_success_nor_the_records_fault(name, kind, tmp_path):
    """Whatever is not the city's plain word means: try again later."""
    answer, asked, kept = ask(name, tmp_path, garbage(OK[name], NO[name])[kind])
    assert isinstance(answer, Unavailable)
    # A redirect is not followed; only a token that is not believed is had anew, once.
    assert len(asked) == (2 if (name, kind) == ("token", "not signed in") else 1)
    assert "示例" not in answer.reason
    assert {each.verdict for each in kept if each.purpose == "service"} == {"unavailable"}
    assert "示例甲" not in repr(kept)
    assert "ID-JIA" not in repr(kept)


@pytest.mark.parametrize(
    ("name", "body"), [(name, body) for name in NAMES for body in ERRORS_INSIDE[name]]
)
def test_an_error_inside_of_a_200_is_neither_success_nor_the_records_fault(name, body, tmp_path):
    """Halves of a success, contradictions, complaints about our access: try again later."""
    assert isinstance(ask(name, tmp_path, http(200, body))[0], Unavailable)


def test_the_garbage_test_would_see_a_success_and_a_refusal(name, tmp_path):
    """The city's plain yes and no, by the same way."""
    assert ask(name, tmp_path, http(200, OK[name]))[0] == Accepted()
    assert ask(name, tmp_path, http(200, NO[name]))[0] == Refused("no")
    assert ask(name, tmp_path, http(400, NO[name]))[0] == Refused("no")


def test_a_city_that_does_not_answer_in_time_is_unavailable(name, tmp_path):
    """The time limit covers the whole exchange, also an answer that comes drop by drop."""
    late = Unavailable("上级平台未在规定时间内应答")
    assert ask(name, tmp_path, None, timeout_s=0.2)[0] == late
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n"
    assert ask(name, tmp_path, head, timeout_s=0.2, drip=b" ")[0] == late


def test_nobody_listening_is_unavailable(name, tmp_path):
    """A refused connection is no answer either."""

    async def story():
        dialect = speak(name, "http://127.0.0.1:1", tmp_path)
        try:
            return await dialect.send("rating", RECORD)
        finally:
            await dialect.close()

    assert isinstance(asyncio.run(story()), Unavailable)


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, b'{"success":true,"code":"ok","message":""}', Accepted()),
        (200, b'{"success":true}', Accepted()),
        (200, b'{"success":false,"code":"exists","message":"x"}', AlreadyExists()),
        (409, b'{"success":false,"code":"exists","message":"x"}', AlreadyExists()),
        (200, b'{"success":false,"code":"e1","message":"no"}', Refused("no")),
        (400, b'{"success":false,"code":"e1","message":"no"}', Refused("no")),
        (422, b'{"success":false,"code":"e1"}', Refused("上级平台拒收，未说明原因（代码 e1）")),
    ],
)
def test_the_citys_plain_words(status, body, meaning):
    """Accepted, repeated or refused: each only where the city says so."""
    assert judge(status, body) == meaning


@pytest.mark.parametrize(
    "body",
    [
        b'{"success":false,"success":true,"code":"ok"}',
        b'{"success":true,"success":false,"code":"ok"}',
        b'{"success":true,"code":"e1","code":"ok"}',
        b'{"success":true,"data":{"failed":1,"failed":0}}',
    ],
)
def test_an_answer_that_says_two_things_by_one_name_is_none(body):
    """Readers of JSON differ in which of the two they take: the record waits."""
    assert isinstance(judge(200, body), Unavailable)
    assert isinstance(parse(Reply(200, body)), Unavailable)


def test_a_name_that_stands_twice_with_the_same_value_is_no_contradiction():
    """A careless city, and nothing to mistake."""
    assert judge(200, b'{"success":true,"success":true,"code":"ok"}') == Accepted()


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(name, tmp_path):
    """Certificates are checked; the hall may name the authority it trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    host = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(host)
        .issuer_name(host)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "city.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)

    async def story():
        async with raw_city(http(200, OK[name]), server) as (url, asked):
            address = url.replace("http://127.0.0.1", "https://localhost")
            wary = speak(name, address, tmp_path)
            told = speak(name, address, tmp_path, tls=ssl.create_default_context(cafile=pem))
            try:
                first = await wary.send("service", RECORD)
                assert asked == []
                return first, await told.send("service", RECORD)
            finally:
                await wary.close()
                await told.close()

    first, second = asyncio.run(story())
    assert isinstance(first, Unavailable)
    assert second == Accepted()


def test_personal_data_stand_in_the_body_only(name, tmp_path):
    """Neither the address nor a header holds anything of the record; sealed, nor the body."""
    answer, asked, _ = ask(name, tmp_path, http(200, OK[name]))
    assert answer == Accepted()
    head, body = asked[0]
    assert head.startswith(b"POST /service HTTP/1.1\r\n")
    assert b"ID-JIA" not in head
    assert (b"ID-JIA" in body) == (name in {"plain", "flat"})


def test_what_the_city_repeats_of_the_citizen_is_struck_from_the_reason(tmp_path):
    """A refusal is kept in clear, so the citizen's data in it are not."""
    words = (
        '{"success":false,"code":"x","message":"示例甲 的证件 ID-JIA、\\n手机 13000000000 有误"}'
    )

    async def story(hub):
        async with raw_city(http(400, words.encode())) as (url, _):
            forwarder = hub.forwarder(url)
            forwarder.start()
            try:
                await until(hub.nothing_waits)
            finally:
                await forwarder.stop()

    hub = Hub(tmp_path)
    try:
        hub.case()
        asyncio.run(story(hub))
        assert hub.row("SL0001", "service")[1] == "＊＊＊ 的证件 ＊＊＊、 手机 ＊＊＊ 有误"
    finally:
        hub.close()
