import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from upstream_world import Hub, a_case, until

from hub.upstream.dialects import (
    Accepted,
    AlreadyExists,
    Plain,
    Refused,
    Unavailable,
    judge,
)
from hub.upstream.records import service_record

RECORD = service_record(a_case())


def http(status, body, kind="application/json", more=""):
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return (head + f"Connection: close\r\n{more}\r\n").encode() + body


@asynccontextmanager
async def raw_city(answer, tls=None):
    """Answer every request with these very bytes; yields the address and what was asked."""
    asked = []

    async def serve(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            asked.append((head, await reader.readexactly(int(length or 0))))
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        await server.wait_closed()


def ask(answer, timeout_s=5.0):
    async def story():
        async with raw_city(answer) as (url, asked):
            dialect = Plain(url, timeout_s=timeout_s)
            try:
                return await dialect.send("service", RECORD), asked
            finally:
                await dialect.close()

    return asyncio.run(story())


GARBAGE = {
    "html": http(200, b"<html>ok</html>", "text/html"),
    "empty": http(200, b""),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "error inside": http(200, b'{"success": true, "code": "500", "message": "x"}'),
    "success in words": http(200, b'{"success": "true", "code": "ok"}'),
    "no success": http(200, b'{"code": "ok"}'),
    "a list": http(200, b"[true]"),
    "invalid utf-8": http(200, b'{"success": true, "code": "ok", "message": "\xff\xfe"}'),
    "huge": http(200, b'{"success": true, "code": "ok"}' + b" " * (2 << 20)),
    "deep": http(200, b"[" * 500_000),
    "cut short": http(200, b'{"success": true, "code": "ok"}').replace(b"Length: 3", b"Length: 9"),
    "redirect": http(302, b'{"success": true, "code": "ok"}', more="Location: /elsewhere\r\n"),
    "redirect of the body": http(307, b"{}", more="Location: /elsewhere\r\n"),
    "server error": http(500, b'{"success": true, "code": "ok"}'),
    "refusal of a broken server": http(503, b'{"success": false, "code": "x", "message": "y"}'),
    "page not found": http(404, b"<html>404</html>", "text/html"),
    "success and 4xx": http(400, b'{"success": true, "code": "ok"}'),
    "not signed in": http(401, b'{"success": false, "code": "auth", "message": "no"}'),
    "too many": http(429, b'{"success": false, "code": "pace", "message": "slow"}'),
    "not http": b"220 smtp.example ESMTP\r\n",
    "long header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "bad compression": http(200, b"junk", more="Content-Encoding: gzip\r\n"),
    "nothing": b"",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_neither_success_nor_the_records_fault(name):
    """Whatever is not the city's plain word means: try again later."""
    answer, asked = ask(GARBAGE[name])
    assert isinstance(answer, Unavailable)
    assert len(asked) == 1  # and a redirect is not followed
    assert "示例" not in answer.reason


def test_a_city_that_does_not_answer_in_time_is_unavailable():
    """The time limit covers the whole exchange."""
    assert ask(None, timeout_s=0.1)[0] == Unavailable("上级平台未在规定时间内应答")


def test_nobody_listening_is_unavailable():
    """A refused connection is no answer either."""

    async def story():
        dialect = Plain("http://127.0.0.1:1")
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


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path):
    """Certificates are checked; the hall may name the authority it trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
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
        answer = http(200, b'{"success":true,"code":"ok"}')
        async with raw_city(answer, server) as (url, asked):
            address = url.replace("http://127.0.0.1", "https://localhost")
            wary = Plain(address)
            told = Plain(address, tls=ssl.create_default_context(cafile=pem))
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


def test_personal_data_stand_in_the_body_only():
    """Neither the address nor a header holds anything of the record."""
    answer, asked = ask(http(200, b'{"success":true,"code":"ok"}'))
    assert answer == Accepted()
    head, body = asked[0]
    assert head.startswith(b"POST /service HTTP/1.1\r\n")
    assert b"ID-JIA" not in head
    assert "示例甲".encode() in body


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
