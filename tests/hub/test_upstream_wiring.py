"""The whole hub as a process before a city of its own dialect, keys and authority."""

import ssl
from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from brokers import eventually, free_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from upstream_cities import MARK, WORD, StandIn, papers, quirks_file
from upstream_world import City
from world_hall import a_case, rated
from world_service import HubProcess, Kiosk

from demo import city_envelope
from hub.store import exchanges
from hub.store.database import connect

ACCESS = f"""
[upstream.access]
app_mark = "{MARK}"
app_word = "word"
city_key = "city.pub"
hall_key = "hall.key"
body_key = "body.key"
"""


@pytest.fixture
def hub(tmp_path):
    """A hub that has not been started."""
    hub = HubProcess(tmp_path, embedded=True, broker_port=free_port())
    yield hub
    hub.close()


@pytest.fixture
def authority(tmp_path):
    """A city's own authority as `city-ca.pem`, and its server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "city")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(Encoding.PEM)
    (tmp_path / "city-ca.pem").write_bytes(public)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.pem").write_bytes(secret + public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context


def configure(hub, upstream):
    papers(hub.folder)
    with hub.config.open("a", encoding="utf-8") as file:
        file.write(f"\n[upstream]\n{upstream}")


def register(hub, serial="SL0001", **change):
    facts = msgspec.to_builtins(a_case()) | change
    del facts["serial"], facts["service_number"]
    return hub.ask("PUT", f"/api/v1/cases/{serial}/1", facts)[0]


def test_a_rating_and_a_correction_reach_a_city_that_is_hard_to_please(hub, authority):
    """Token and SM4, TLS by its own authority, a quirks file: from the tap to the city."""
    with closing(StandIn("token", tls=authority)) as city:
        quirks = quirks_file(
            "token",
            ('update = "again"', 'update = "endpoint"'),
            ('# update = "/service/update"', 'update = "/update"'),
        )
        (hub.folder / "quirks.toml").write_text(quirks, encoding="utf-8")
        configure(
            hub,
            f'url = "{city.url}"\ndialect = "token"\nquirks = "quirks.toml"\n'
            f'ca = "city-ca.pem"\n{ACCESS}',
        )
        hub.start()
        with Kiosk(hub.broker_port) as kiosk:
            kiosk.beat()
            assert hub.invite()[0] == 201
            kiosk.rate(rated(eventually(kiosk.shows, "the invitation")))
            eventually(lambda: len(city.kept()) == 2, "case and rating at the city")
        applicant = {"name": "示例丁", "certificate_number": "ID-DING"}
        assert register(hub, applicant=applicant) < 300

        def corrected():
            return [r["userName"] for r in city.register.records if "satisfaction" not in r]

        eventually(lambda: corrected() == ["示例丁"], "the correction at the city")
        asked = len(city.asked)
        assert register(hub, applicant=applicant) < 300
        assert register(hub, applicant=applicant | {"name": "示例戊"}) < 300
        eventually(lambda: corrected() == ["示例戊"], "the second correction")
        assert len(city.asked) == asked + 1
        assert hub.end() == 0


def test_what_waits_behind_a_slow_answer_goes_together(hub):
    """Envelopes, a quirks file with lists: the stand-in city of the demo opens them."""
    public = city_envelope.papers(hub.folder / "city", MARK, WORD)
    quirks = quirks_file("envelope", ("batch = 1\n", "batch = 5\n"))
    (hub.folder / "quirks.toml").write_text(quirks, encoding="utf-8")
    options = "--envelopes", hub.folder / "city"
    with closing(City(hub.folder / "city.jsonl", *options)) as city:
        configure(
            hub,
            f'url = "{city.url}"\ndialect = "envelope"\nquirks = "quirks.toml"\n'
            f"parallel = 1\n{ACCESS}",
        )
        (hub.folder / "city.pub").write_bytes(public)
        city.control("slow", seconds=1)
        hub.start()
        serials = [f"SL{n}" for n in range(6)]
        for serial in serials:
            assert register(hub, serial) < 300
        eventually(lambda: len(city.kept()) == 6, "all cases at the city")
        assert hub.end() == 0
    assert sorted(key[0] for key in city.kept()) == serials
    with closing(connect(hub.db)) as db:
        assert any("同报" in line.sent for line in exchanges.latest(db, 9))


FAULTS = {
    "quirks": ('dialect = "flat"\nquirks = "quirks.toml"\n', "[addresses]\n", "quirks.toml"),
    "batch": (
        'dialect = "flat"\nquirks = "quirks.toml"\n',
        quirks_file("flat", ("additions = true\n", "additions = true\nbatch = 5\n")),
        "batch：报文格式 flat 一次只能报一条",
    ),
    "access": ('dialect = "form"\n', "", "upstream.access.app_mark"),
    "ca": ('ca = "quirks.toml"\n', "no certificate", "不是可用的证书"),
    "no file": ('ca = "nowhere.pem"\n', "", "找不到文件 nowhere.pem"),
    "dialect": ('dialect = "fax"\n', "", "upstream.dialect"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_hub_that_cannot_speak_to_its_city_says_so_and_does_not_start(fault, hub):
    """Before anything is opened; in Chinese, with the key or the file."""
    upstream, content, says = FAULTS[fault]
    (hub.folder / "quirks.toml").write_text(content, encoding="utf-8")
    configure(hub, f'url = "https://127.0.0.1:9"\n{upstream}')
    assert hub.run_to_the_end() in (1, 2)
    assert says in hub.says()
    assert "Traceback" not in hub.says()


def test_an_authority_without_tls_is_a_fault(hub):
    """It would not be asked."""
    configure(hub, 'url = "http://127.0.0.1:9"\nca = "city.pub"\n')
    assert hub.run_to_the_end() == 2
    assert "upstream.ca" in hub.says()
