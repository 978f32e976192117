"""What the authority takes back, gives again and hands out once more."""

import sqlite3
from contextlib import closing

import pytest
from cryptography import x509
from world_authority import DAY, NOW, Judge, enrolled, new_authority, request

from protocol import signing
from protocol.certificates import RequestRefused
from provisioning.errors import Refused, VoucherExpired


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "ca"


@pytest.fixture
def authority(directory):
    with new_authority(directory) as opened:
        yield opened


def issued(authority, device="kiosk-01"):
    return authority.register.of_name(device)


def test_revoking_takes_everything_back_and_says_so(authority):
    """All certificates, and the voucher that was not used; the key never returns."""
    key = signing.generate_key()
    enrolled(authority, "kiosk-01", key=key)
    authority.renew(request("kiosk-01", key), "kiosk-01", NOW + DAY)
    waiting = authority.voucher("kiosk-01", "hall-a", NOW + DAY)
    assert authority.revoke("kiosk-01", "被盗", NOW + DAY) == 2
    with pytest.raises(VoucherExpired, match="已被吊销"):
        authority.issue(request("kiosk-01"), waiting, NOW + DAY)
    with pytest.raises(Refused, match="已经吊销"):
        authority.revoke("kiosk-01", "被盗", NOW + DAY)
    with pytest.raises(Refused, match="重新生成密钥"):
        enrolled(authority, "kiosk-01", key=key, now=NOW + DAY)
    with pytest.raises(Refused, match="从未入网"):
        authority.revoke("kiosk-10", "被盗", NOW + DAY)
    assert enrolled(authority, "kiosk-01", now=NOW + DAY)


def test_a_kiosk_renews_what_it_holds(authority, tmp_path):
    """The new certificate is for the same key, name and hall, and needs no voucher."""
    key = signing.generate_key()
    enrolled(authority, "kiosk-01", key=key, hardware="SN-1")
    later = NOW + 61 * DAY
    chain = authority.renew(request("kiosk-01", key), "kiosk-01", later)
    judge = Judge(tmp_path, authority.root_pem)
    assert judge.verdict(chain, "sslclient", at=NOW + 150 * DAY) == "ok"
    assert issued(authority)[-1].hardware == "SN-1"


def test_only_who_holds_a_certificate_renews_it(authority):
    """Another key, a revoked device, one that slept past its expiry: a voucher is needed."""
    key = signing.generate_key()
    enrolled(authority, "kiosk-01", key=key)
    with pytest.raises(Refused, match="新的入网凭证"):
        authority.renew(request("kiosk-01"), "kiosk-01", NOW)
    with pytest.raises(RequestRefused):
        authority.renew(request("kiosk-02", key), "kiosk-01", NOW)
    asleep = NOW + 90 * DAY
    with pytest.raises(Refused, match="重新入网"):
        authority.renew(request("kiosk-01", key), "kiosk-01", asleep)
    assert enrolled(authority, "kiosk-01", key=key, now=asleep)
    authority.revoke("kiosk-01", "被盗", asleep)
    with pytest.raises(Refused):
        authority.renew(request("kiosk-01", key), "kiosk-01", asleep)


def test_what_was_renewed_is_handed_out_again_until_it_is_due_itself(authority):
    """A chain lost on the way to the kiosk costs no second certificate; nobody else gets it."""
    key = signing.generate_key()
    csr = request("kiosk-01", key)
    enrolled(authority, "kiosk-01", key=key)
    later = NOW + 61 * DAY
    assert authority.renewed(csr, "kiosk-01", later) is None
    chain = authority.renew(csr, "kiosk-01", later)
    assert authority.renewed(request("kiosk-01", key), "kiosk-01", later + 50 * DAY) == chain
    assert authority.renewed(request("kiosk-01"), "kiosk-01", later) is None
    assert authority.renewed(csr, "kiosk-01", later + 61 * DAY) is None
    with pytest.raises(RequestRefused):
        authority.renewed(csr, "kiosk-02", later)
    authority.revoke("kiosk-01", "被盗", later)
    assert authority.renewed(csr, "kiosk-01", later) is None
    assert len(issued(authority)) == 2


def test_an_expired_kiosk_comes_back_with_a_voucher_only(authority, tmp_path):
    """The same key and machine: renewing is refused and says what to do, enrolment works."""
    key = signing.generate_key()
    csr = request("kiosk-01", key)
    enrolled(authority, "kiosk-01", key=key)
    late = NOW + 90 * DAY
    with pytest.raises(Refused, match="请开具新的入网凭证，重新入网"):
        authority.renew(csr, "kiosk-01", late)
    assert authority.renewed(csr, "kiosk-01", late) is None
    chain = authority.issue(csr, authority.voucher("kiosk-01", "hall-a", late), late)
    judge = Judge(tmp_path, authority.root_pem)
    assert judge.verdict(chain, "sslclient", at=late + 89 * DAY) == "ok"
    assert authority.renew(csr, "kiosk-01", late + 61 * DAY)


def test_the_list_forgets_what_expired_long_ago(authority):
    """A revoked certificate stays on it for one list's life after its own expiry."""
    enrolled(authority, "kiosk-01")
    authority.revoke("kiosk-01", "报废", NOW)

    def listed(now):
        return len(list(x509.load_pem_x509_crl(authority.crl(now))))

    assert (listed(NOW), listed(NOW + 119 * DAY), listed(NOW + 121 * DAY)) == (1, 1, 0)


def test_the_register_refuses_to_be_edited(authority, directory):
    """Even with the database open by hand, certificates and revocations only grow."""
    enrolled(authority, "kiosk-01")
    authority.revoke("kiosk-01", "被盗", NOW)
    with closing(sqlite3.connect(directory / "authority.db")) as by_hand:
        for table in ("certificates", "revocations"):
            for statement in ("DELETE FROM {}", "UPDATE {} SET serial_number = 'x'"):
                with pytest.raises(sqlite3.IntegrityError, match="only grows"):
                    by_hand.execute(statement.format(table))
