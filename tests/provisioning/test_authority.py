"""The authority: vouchers count once, whatever happens; keys stay locked; nothing is half done."""

import stat
import subprocess

import pytest
from cryptography import x509
from world_authority import DAY, NOW, PASSPHRASE, Judge, enrolled, new_authority, request

from protocol import signing
from protocol.certificates import RequestRefused
from protocol.errors import TopicError
from provisioning import keystore
from provisioning.authority import Authority
from provisioning.errors import (
    AuthorityError,
    Refused,
    VoucherExpired,
    VoucherForAnother,
    VoucherUnknown,
    VoucherUsed,
    WrongPassphrase,
)

HOUR = DAY / 24


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "ca"


@pytest.fixture
def authority(directory):
    with new_authority(directory) as opened:
        yield opened


def issued(authority, device="kiosk-01"):
    return authority.register.of_name(device)


def snapshot(directory):
    """Every byte, mode and time of a directory."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in directory.iterdir()
    }


# --- the directory


def test_keys_are_encrypted_and_for_their_owner_only(authority, directory):
    """Directory 0700, keys and register 0600, and no key opens without the passphrase."""
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    private = [*directory.glob("*.key"), directory / "authority.db"]
    assert len(private) == 4
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in directory.glob("*.key"):
        assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        wrong = ["openssl", "pkey", "-in", path, "-noout", "-passin", "pass:"]
        assert subprocess.run(wrong, capture_output=True, check=False).returncode != 0
        right = [*wrong[:-1], f"pass:{PASSPHRASE}"]
        assert subprocess.run(right, capture_output=True, check=False).returncode == 0


def test_an_authority_is_never_made_over_another(authority, directory):
    """The second attempt is refused and changes no byte."""
    before = snapshot(directory)
    with pytest.raises(AuthorityError, match="不会覆盖"):
        keystore.create(directory, PASSPHRASE, "另一个", NOW)
    assert snapshot(directory) == before
    assert list(directory.parent.iterdir()) == [directory]


def test_nothing_is_left_of_an_authority_that_could_not_be_made(directory, monkeypatch):
    """A disk that refuses the last file leaves neither the directory nor a key in another."""

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("provisioning.files._sync", full)
    with pytest.raises(AuthorityError, match="磁盘空间"):
        keystore.create(directory, PASSPHRASE, "示例区", NOW)
    assert list(directory.parent.iterdir()) == []


def test_a_directory_that_was_filled_in_the_meantime_wins(directory, monkeypatch):
    """Two people make an authority at once: the later one is refused, the earlier one is whole."""
    monkeypatch.setattr("provisioning.files.is_free", lambda _: True)
    new_authority(directory).close()
    before = snapshot(directory)
    with pytest.raises(AuthorityError):
        keystore.create(directory, PASSPHRASE, "另一个", NOW)
    assert snapshot(directory) == before


def test_a_short_passphrase_is_refused(directory):
    """Eleven characters are too few, and nothing is made."""
    with pytest.raises(AuthorityError, match="至少要 12 个字符"):
        keystore.create(directory, "x" * 11, "示例区", NOW)
    assert not directory.exists()


def test_a_wrong_passphrase_is_told_apart(authority, directory):
    """The message says to try again, before it speaks of damage."""
    with pytest.raises(WrongPassphrase, match="重新输入口令"):
        Authority.open(directory, "wrong horse battery")


def test_the_root_key_may_be_elsewhere(authority, directory):
    """Everyday work needs the two CAs only."""
    (directory / "root.key").unlink()
    with Authority.open(directory, PASSPHRASE) as again:
        assert enrolled(again, "kiosk-01")


def open_key(directory):
    (directory / "device-ca.key").chmod(0o640)


def lose_key(directory):
    (directory / "server-ca.key").unlink()


def mix_keys(directory):
    (directory / "device-ca.key").write_bytes((directory / "server-ca.key").read_bytes())


def spoil_certificate(directory):
    (directory / "device-ca.pem").write_bytes(b"rubbish")


def spoil_register(directory):
    (directory / "authority.db").write_bytes(b"rubbish" * 1000)


def lose_register(directory):
    (directory / "authority.db").unlink()


@pytest.mark.parametrize(
    ("harm", "advice"),
    [
        (open_key, "chmod 600"),
        (lose_key, "核对 --dir"),
        (mix_keys, "同一份备份"),
        (spoil_certificate, "从备份恢复"),
        (spoil_register, "从备份恢复"),
        (lose_register, "pingyi-provision init"),
    ],
)
def test_a_harmed_directory_is_refused_with_advice(authority, directory, harm, advice):
    """Each kind of damage has its own next step; nothing is repaired in silence."""
    authority.close()
    harm(directory)
    with pytest.raises(AuthorityError, match=advice):
        Authority.open(directory, PASSPHRASE)


# --- vouchers


def test_a_voucher_brings_one_certificate(authority, tmp_path):
    """The chain that comes back is good for connecting, and it is recorded with its voucher."""
    chain = enrolled(authority, "kiosk-01", hardware="SN-示例-1")
    assert Judge(tmp_path, authority.root_pem).verdict(chain, "sslclient") == "ok"
    (entry,) = issued(authority)
    assert (entry.hall, entry.hardware, entry.revoked_at) == ("hall-a", "SN-示例-1", None)
    leaf = x509.load_pem_x509_certificates(chain)[0]
    assert int(entry.serial_number, 16) == leaf.serial_number


def test_a_voucher_is_good_once(authority):
    """The second use is refused, for another key and for the same one."""
    key = signing.generate_key()
    voucher = authority.voucher("kiosk-01", "hall-a", NOW)
    authority.issue(request("kiosk-01", key), voucher, NOW)
    for csr in (request("kiosk-01", key), request("kiosk-01")):
        with pytest.raises(VoucherUsed, match="kiosk-01 的这张入网凭证已经用过"):
            authority.issue(csr, voucher, NOW)
    assert len(issued(authority)) == 1


def test_a_certificate_lost_on_the_way_can_be_collected_again(authority):
    """Same voucher, same key: the same certificate; another key gets nothing."""
    key = signing.generate_key()
    voucher = authority.voucher("kiosk-01", "hall-a", NOW)
    with pytest.raises(VoucherUnknown):
        authority.collect(request("kiosk-01", key), voucher)
    chain = authority.issue(request("kiosk-01", key), voucher, NOW)
    assert authority.collect(request("kiosk-01", key), voucher) == chain
    with pytest.raises(VoucherUsed):
        authority.collect(request("kiosk-01"), voucher)
    authority.revoke("kiosk-01", "被盗", NOW)
    with pytest.raises(VoucherUsed):
        authority.collect(request("kiosk-01", key), voucher)
    assert len(issued(authority)) == 1


def test_a_voucher_expires(authority):
    """A minute too late is too late, and the certificate is not made."""
    voucher = authority.voucher("kiosk-01", "hall-a", NOW, hours=2)
    with pytest.raises(VoucherExpired, match="已过期"):
        authority.issue(request("kiosk-01"), voucher, NOW + 2 * HOUR)
    assert not issued(authority)
    assert authority.issue(request("kiosk-01"), voucher, NOW + 1.99 * HOUR)


def test_a_voucher_of_another_kiosk_is_refused_and_stays_good(authority):
    """It names both devices; the right one may still use it."""
    voucher = authority.voucher("kiosk-01", "hall-a", NOW)
    with pytest.raises(VoucherForAnother, match=r"给 kiosk-01 的.*“kiosk-02”"):
        authority.issue(request("kiosk-02"), voucher, NOW)
    assert not authority.register.entries()
    assert authority.issue(request("kiosk-01"), voucher, NOW)


@pytest.mark.parametrize("guess", ["", "0" * 32, "-" * 39, "凭证", "\udc80", "x" * 100_000])
def test_a_voucher_that_was_never_made_is_refused(authority, guess):
    """Whatever is typed, nothing is issued."""
    authority.voucher("kiosk-01", "hall-a", NOW)
    with pytest.raises(VoucherUnknown, match="请重新执行 enrol"):
        authority.issue(request("kiosk-01"), guess, NOW)
    assert not authority.register.entries()


def test_a_voucher_may_be_typed_carelessly(authority):
    """Capitals, blanks and missing dashes do not matter."""
    voucher = authority.voucher("kiosk-01", "hall-a", NOW)
    careless = f"  {voucher.upper().replace('-', ' ')} "
    assert authority.issue(request("kiosk-01"), careless, NOW)


def test_the_register_holds_no_voucher_in_clear(authority, directory):
    """A stolen copy of the register opens nothing."""
    voucher = authority.voucher("kiosk-01", "hall-a", NOW)
    content = (directory / "authority.db").read_bytes()
    for form in (voucher, voucher.replace("-", "")):
        assert form.encode() not in content
        assert bytes.fromhex(voucher.replace("-", "")) not in content


def test_a_bad_request_does_not_cost_the_voucher(authority):
    """The operator mends the kiosk and uses the same voucher."""
    voucher = authority.voucher("kiosk-01", "hall-a", NOW)
    with pytest.raises(RequestRefused):
        authority.issue(b"rubbish", voucher, NOW)
    assert not issued(authority)
    assert authority.issue(request("kiosk-01"), voucher, NOW)


def test_a_voucher_is_for_a_proper_name(authority):
    """Names that could mean something to a broker get none."""
    for device, hall in (("kiosk/01", "hall-a"), ("#", "hall-a"), ("kiosk-01", "")):
        with pytest.raises(TopicError):
            authority.voucher(device, hall, NOW)


def test_no_kiosk_gets_the_name_of_a_hub(authority):
    """A broker lets hub-hall-a speak to every kiosk; only the hub's own certificate says so."""
    with pytest.raises(Refused, match="只给大厅服务器"):
        authority.voucher("hub-hall-a", "hall-a", NOW)
    with pytest.raises(Refused, match="server-certificate"):
        authority.renew(request("hub-hall-a"), "hub-hall-a", NOW)


def test_a_hub_is_a_client_of_its_broker(authority, tmp_path):
    """Its second certificate connects, does not serve, and can be revoked like a kiosk's."""
    chain, _ = authority.issue_hub("hall-a", NOW)
    judge = Judge(tmp_path, authority.root_pem)
    assert judge.verdict(chain, "sslclient", at=NOW + 700 * DAY) == "ok"
    assert "purpose" in judge.verdict(chain, "sslserver")
    authority.revoke("hub-hall-a", "更换服务器", NOW)
    assert "revoked" in judge.verdict(chain, "sslclient", crl=authority.crl(NOW))


# --- one name, one machine, one hall


def test_another_machine_under_the_same_name_ends_the_first(authority, tmp_path):
    """The exchanged kiosk is out as soon as the new one is in."""
    first, second = enrolled(authority, "kiosk-01"), enrolled(authority, "kiosk-01")
    judge, crl = Judge(tmp_path, authority.root_pem), authority.crl(NOW)
    assert "revoked" in judge.verdict(first, "sslclient", crl=crl)
    assert judge.verdict(second, "sslclient", crl=crl) == "ok"


def test_a_copied_key_gets_no_second_name(authority):
    """A cloned storage card cannot become another kiosk."""
    key = signing.generate_key()
    enrolled(authority, "kiosk-01", key=key)
    with pytest.raises(Refused, match="已经属于 kiosk-01"):
        enrolled(authority, "kiosk-02", key=key)
    assert not issued(authority, "kiosk-02")


def test_a_name_is_in_one_hall_at_a_time(authority):
    """Another hall may have the name when it was given up; a voucher from before does not help."""
    early = authority.voucher("kiosk-01", "hall-b", NOW)
    enrolled(authority, "kiosk-01", hall="hall-a")
    with pytest.raises(Refused, match="hall-a"):
        authority.voucher("kiosk-01", "hall-b", NOW)
    with pytest.raises(Refused, match="hall-a"):
        authority.issue(request("kiosk-01"), early, NOW)
    authority.revoke("kiosk-01", "调往另一大厅", NOW)
    assert enrolled(authority, "kiosk-01", hall="hall-b")
