"""How the way to the broker is configured: encrypted, or plain because somebody says so."""

import re

import pytest
from click.testing import CliRunner
from tls_world import HALL, Papers, new_key

from device import config as kiosk_config
from device.identity import IdentityError
from device.tls import of_state
from hub import configfile as hub_configfile
from hub.__main__ import main as hub_command
from hub.link import broker as embedded
from hub.link import mosquitto

HUB = f'hall = "{HALL}"\nhall_name = "示例大厅"\nstate = "s"\n'
KIOSK = f'hall = "{HALL}"\ndevice = "k1"\nstate = "s"\n'
FILES = 'ca = "root.pem"\ncertificate = "hub.pem"\nkey = "hub.key"\n'


def complaints(module, path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(module.ConfigError) as caught:
        module.load(path)
    return dict(line.split("：", 2)[1:] for line in str(caught.value).splitlines())


@pytest.mark.parametrize("host", ["192.0.2.7", "0.0.0.0", "::", "hub.example", "localhost.example"])
def test_plain_beyond_this_machine_must_be_said(tmp_path, host):
    """A host that is not loopback needs TLS, or the words insecure = true; on both sides."""
    hub, kiosk = f'[broker]\nhost = "{host}"\n', f'[hub]\nhost = "{host}"\n'
    path = tmp_path / "a.toml"
    assert "insecure = true" in complaints(hub_configfile, path, HUB + hub)["broker.tls"]
    assert "insecure = true" in complaints(kiosk_config, path, KIOSK + kiosk)["hub.tls"]
    path.write_text(HUB + hub + "insecure = true\n", encoding="utf-8")
    assert hub_configfile.load(path).broker.insecure
    path.write_text(KIOSK + kiosk + "insecure = true\n", encoding="utf-8")
    assert kiosk_config.load(path).hub.insecure
    path.write_text(KIOSK + kiosk + "tls = true\n", encoding="utf-8")
    assert kiosk_config.load(path).hub.tls


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_plain_on_this_machine_is_for_trials(tmp_path, host):
    """On loopback nothing has to be said."""
    path = tmp_path / "a.toml"
    path.write_text(f'{HUB}[broker]\nhost = "{host}"\n', encoding="utf-8")
    assert not hub_configfile.load(path).broker.tls
    path.write_text(f'{KIOSK}[hub]\nhost = "{host}"\n', encoding="utf-8")
    assert not kiosk_config.load(path).hub.tls


def test_tls_takes_all_its_files(tmp_path):
    """What is missing is named; the embedded broker cannot do it; files have to be there."""
    path = tmp_path / "hub.toml"
    told = complaints(hub_configfile, path, HUB + '[broker]\ntls = true\ncrl = "crl.pem"\n')
    named = ("tls", "ca", "certificate", "key", "device_ca", "crl")
    assert set(told) == {f"broker.{key}" for key in named}
    assert "内置消息服务不支持 TLS" in told["broker.tls"]
    text = f"{HUB}[broker]\nembedded = false\ntls = true\n{FILES}"
    told = complaints(hub_configfile, path, text)
    assert set(told) == {"broker.ca", "broker.certificate", "broker.key"}
    assert "找不到文件" in told["broker.key"]


def test_no_kiosk_may_have_the_name_of_a_hub(tmp_path):
    """`hub-…` has a hub's rights at the broker: refused on both sides."""
    path = tmp_path / "a.toml"
    device = f'[[devices]]\nname = "hub-{HALL}"\npublic_key = "a.toml"\n'
    assert "大厅服务器" in complaints(hub_configfile, path, HUB + device)["devices[1].name"]
    text = KIOSK.replace('"k1"', f'"hub-{HALL}"')
    assert "大厅服务器" in complaints(kiosk_config, path, text)["device"]
    assert mosquitto.hub_user(HALL) == f"hub-{HALL}"


@pytest.fixture
def enrolled(tmp_path):
    """A kiosk's state directory as enrolment leaves it, and the papers it came from."""
    papers = Papers(tmp_path / "papers")
    papers.device("k1")
    (tmp_path / "identity").mkdir()
    for source, target in (
        ("k1.pem", "identity/device.pem"),
        ("root.pem", "identity/ca.pem"),
        ("k1.key", "device-key.pem"),
    ):
        (tmp_path / target).write_bytes((papers.folder / source).read_bytes())
    return tmp_path, papers


def test_a_kiosk_without_a_certificate_says_so(enrolled):
    """Missing, damaged, or of another key: in Chinese, with what to do."""
    state, papers = enrolled
    of_state(state)
    other = new_key()
    papers.device("k1", file="other", key=other)
    (state / "identity" / "device.pem").write_bytes((papers.folder / "other.pem").read_bytes())
    with pytest.raises(IdentityError, match="请重新入网"):
        of_state(state)
    (state / "identity" / "device.pem").write_text("rubbish", encoding="ascii")
    with pytest.raises(IdentityError, match="请重新入网"):
        of_state(state)
    (state / "identity" / "device.pem").unlink()
    with pytest.raises(IdentityError, match="pingyi-kiosk enrol"):
        of_state(state)


@pytest.fixture
def asked(tmp_path):
    """What broker-config is asked with; all of it good."""
    papers = Papers(tmp_path / "papers")
    papers.server()
    files = FILES.replace("root", "papers/root")
    (tmp_path / "hub.toml").write_text(
        f"{HUB}[broker]\nembedded = false\ntls = true\nport = 8883\n{files}"
        'device_ca = "papers/device-ca.pem"\nkick_password = "secrets/kick"\n',
        encoding="utf-8",
    )
    words = {
        "--config": tmp_path / "hub.toml",
        "--out": tmp_path / "out",
        "--certificate": papers.folder / "server.pem",
        "--key": papers.folder / "server.key",
        "--crl": papers.folder / "list.pem",
    }
    return tmp_path, papers, words


def run(words):
    arguments = [str(part) for pair in words.items() for part in pair]
    return CliRunner().invoke(hub_command, ["broker-config", *arguments])


def test_broker_config_writes_a_folder_and_again(asked):
    """All files, secrets not for everybody; a second run keeps the password of the first."""
    folder, _, words = asked
    assert run(words).exit_code == 0
    out = folder / "out"
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in out.iterdir()} == {
        "mosquitto.conf": "0o644",
        "pingyi.acl": "0o644",
        "kick.acl": "0o644",
        "kick.users": "0o640",
        "ca.pem": "0o644",
        "server.pem": "0o644",
        "server.key": "0o640",
        "crl.pem": "0o644",
    }
    secret = folder / "secrets" / "kick"
    assert secret.stat().st_mode & 0o777 == 0o600
    before = secret.read_bytes()
    assert len(before) > 30
    assert before.strip().decode() not in (out / "kick.users").read_text(encoding="ascii")
    assert run(words).exit_code == 0
    assert secret.read_bytes() == before
    named = re.findall(r"^\w*file (\S+)$", (out / "mosquitto.conf").read_text(), re.MULTILINE)
    assert named
    assert all((out / name).is_file() for name in named)


@pytest.mark.parametrize("place", ["kick", "out"])
def test_broker_config_says_what_to_do_where_it_may_not_write(asked, place):
    """Whoever runs it as another user than the folder's reads what to change."""
    folder, _, words = asked
    if place == "kick":
        config = (folder / "hub.toml").read_text(encoding="utf-8")
        changed = config.replace("secrets/kick", "hub.toml/kick")
        (folder / "hub.toml").write_text(changed, encoding="utf-8")
        wanted = f"sudo chown pingyi:pingyi {folder / 'hub.toml'}"
    else:
        words["--out"] = folder / "hub.toml" / "out"
        wanted = "请检查这个目录是否存在、是否可写"
    ran = run(words)
    assert ran.exit_code == 1
    assert wanted in ran.stderr
    assert "Errno" not in ran.output


def test_broker_config_refuses_what_would_lock_out(asked):
    """Another certificate's key, another authority's list, a rubbish file: nothing is written."""
    folder, papers, words = asked
    others = Papers(folder / "others")
    others.server()
    (folder / "rubbish").write_text("?", encoding="ascii")
    for option, file, complaint in (
        ("--key", others.folder / "server.key", "不是一对"),
        ("--key", folder / "rubbish", "不是没有口令的密钥"),
        ("--certificate", folder / "rubbish", "不是证书"),
        ("--certificate", folder / "none", "无法读取证书"),
        ("--crl", others.folder / "list.pem", "不是评价器签发 CA 签的"),
        ("--crl", papers.crl("over", days=0), "已经过期"),
        ("--crl", folder / "rubbish", "不是吊销名单"),
    ):
        ran = run(words | {option: file})
        assert (ran.exit_code, complaint in ran.output) == (1, True), ran.output
    assert not (folder / "out").exists()


def test_broker_config_names_what_the_configuration_lacks(asked):
    """Three keys that only this command needs."""
    folder, _, words = asked
    (folder / "hub.toml").write_text(HUB, encoding="utf-8")
    ran = run(words)
    assert ran.exit_code == 2
    assert all(
        f"broker.{key}：缺少此项" in ran.output for key in ("ca", "device_ca", "kick_password")
    )


def test_the_embedded_broker_says_what_it_cannot_do(free_port, caplog):
    """One clear line, each time it starts."""
    broker = embedded.EmbeddedBroker("127.0.0.1", free_port)
    broker.start()
    broker.stop()
    said = [record.getMessage() for record in caplog.records if "broker=embedded" in record.msg]
    assert len(said) == 1
    assert "\n" not in said[0]
    assert all(word in said[0] for word in ("不加密", "不验证", "不区分", "不能断开", "mosquitto"))
