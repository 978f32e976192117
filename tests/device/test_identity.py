"""The key of a kiosk is made once, is whole, and is its own."""

import os
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from device import identity
from device.identity import IdentityError
from protocol import signing


def pem(key, password=None):
    lock = serialization.NoEncryption()
    if password:
        lock = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def put(path, data, mode=0o600):
    path.write_bytes(data)
    path.chmod(mode)
    return path


def numbers(key):
    return key.private_numbers().private_value


def test_a_key_is_made_once_and_stays(tmp_path):
    """The second start finds the key of the first; nobody else may read it."""
    path = tmp_path / "new" / "device-key.pem"
    key = identity.load_or_create(path)
    assert numbers(identity.load_or_create(path)) == numbers(key) == numbers(identity.load(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_half_written_key_is_never_taken(tmp_path):
    """What a power cut left of a first attempt is overwritten by the next."""
    put(tmp_path / "device-key.new", b"-----BEGIN PRIV")
    key = identity.load_or_create(tmp_path / "device-key.pem")
    assert numbers(identity.load(tmp_path / "device-key.pem")) == numbers(key)


def test_a_damaged_key_is_not_replaced(tmp_path):
    """It may still be saved by someone; a new key would be an unknown device to the hub."""
    path = put(tmp_path / "device-key.pem", b"damaged")
    with pytest.raises(IdentityError, match="已损坏"):
        identity.load_or_create(path)
    assert path.read_bytes() == b"damaged"


def test_a_missing_key_names_the_way_out(tmp_path):
    """The clerk's IT reads which command makes a key."""
    with pytest.raises(IdentityError, match="pingyi-kiosk enrol"):
        identity.load(tmp_path / "device-key.pem")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    """The error names the command that mends it."""
    path = put(tmp_path / "key.pem", pem(signing.generate_key()), mode)
    with pytest.raises(IdentityError, match="chmod 600"):
        identity.load(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        os.urandom(64),
        pem(signing.generate_key(), b"secret"),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(rsa.generate_private_key(65537, 2048)),
        identity.public_pem(signing.generate_key()),
    ],
    ids=["empty", "noise", "locked", "p384", "k256", "ed25519", "rsa", "public"],
)
def test_only_an_open_p256_key_is_taken(tmp_path, data):
    """Any other key could not sign what the hub accepts."""
    with pytest.raises(IdentityError, match="重新入网"):
        identity.load(put(tmp_path / "key.pem", data))


def test_an_unreadable_place_is_named(tmp_path):
    """A directory in the place of the key is an error that says so."""
    with pytest.raises(IdentityError, match="无法读取"):
        identity.load(tmp_path)


def test_the_public_half_is_all_the_hub_gets():
    """It verifies what the key signs and holds no secret."""
    key = signing.generate_key()
    text = identity.public_pem(key)
    assert b"PRIVATE" not in text
    public = serialization.load_pem_public_key(text)
    assert public.public_numbers() == key.public_key().public_numbers()
