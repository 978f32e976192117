"""An authority on the disk, kiosks that ask it, and OpenSSL as the judge of what it signs."""

import subprocess
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import serialization

from protocol import certificates, signing
from provisioning import keystore
from provisioning.authority import Authority

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PASSPHRASE = "示例口令-只用于自动测试"


def new_authority(directory, now=NOW):
    """Make an authority and open it."""
    keystore.create(directory, PASSPHRASE, "示例区", now)
    return Authority.open(directory, PASSPHRASE)


def request(device, key=None):
    """Return the request of a kiosk, with a new key unless one is given."""
    csr = certificates.request(key or signing.generate_key(), device)
    return csr.public_bytes(serialization.Encoding.PEM)


def enrolled(authority, device, *, hall="hall-a", key=None, now=NOW, hardware=""):
    """Return the chain of a kiosk that was just given its first certificate."""
    csr = request(device, key)
    return authority.issue(csr, authority.voucher(device, hall, now), now, hardware=hardware)


class Judge:
    """`openssl verify` as a broker or a kiosk would do it, at a moment of our choice."""

    def __init__(self, directory, root_pem):
        self._directory = directory
        self._root = self._file("root.pem", root_pem)

    def verdict(self, chain, purpose, *, at=NOW, crl=None, host=None):
        """Return 'ok' or OpenSSL's reason for refusing."""
        file = self._file("chain.pem", chain)
        command = ["openssl", "verify", "-x509_strict", "-CAfile", self._root]
        command += ["-attime", str(int(at.timestamp())), "-purpose", purpose]
        if crl is not None:
            command += ["-crl_check", "-CRLfile", self._file("crl.pem", crl)]
        if host is not None:
            command += ["-verify_hostname", host]
        done = subprocess.run(
            [*command, "-untrusted", file, file], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return "ok"
        return done.stderr.split("lookup: ")[1].split("\n")[0]

    def _file(self, name, data):
        path = self._directory / name
        path.write_bytes(data)
        return str(path)
