"""The keys to citizens' data: what they seal, and a key file that is lost, spoilt or open."""

import json
import os
import stat
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from hub.store import keyring, vault
from hub.store.vault import Vault, VaultError

CIPHERS = ("aes-256-gcm", "sm4-gcm")


@pytest.fixture(params=CIPHERS)
def box(request, tmp_path):
    return vault.load_or_create(tmp_path / "citizens.key", cipher=request.param)


@given(st.binary(max_size=200), st.text(max_size=60), st.sampled_from(CIPHERS))
def test_what_is_sealed_is_opened_in_its_place_only(plain, place, cipher):
    box = Vault(keyring.fresh(cipher, 0))
    sealed = box.seal(plain, place)
    assert box.open(sealed, place) == plain
    assert len(sealed) == 3 + 12 + len(plain) + 16
    with pytest.raises(VaultError, match="无法解密"):
        box.open(sealed, place + "/")


def test_any_altered_byte_is_noticed(box):
    """Header, nonce, ciphertext or tag: also the id of the key is part of what is checked."""
    box = Vault(keyring.with_new(box.ring, "aes-256-gcm", 0))
    sealed = box.seal("示例".encode(), "name/1/SL1")
    for at in range(len(sealed)):
        altered = sealed[:at] + bytes([sealed[at] ^ 3]) + sealed[at + 1 :]
        with pytest.raises(VaultError, match="无法解密"):
            box.open(altered, "name/1/SL1")
    for length in range(len(sealed)):
        with pytest.raises(VaultError, match="无法解密"):
            box.open(sealed[:length], "name/1/SL1")


def test_the_same_value_never_looks_the_same_twice(box):
    assert len({box.seal(b"x", "here") for _ in range(100)}) == 100


def test_it_is_the_standard_construction_and_nothing_of_our_own(box):
    """Whoever has the key opens a value by a plain AES-GCM or SM4-GCM."""
    sealed = box.seal("示例".encode(), "name/1/SL1")
    key = box.ring.now()
    front, nonce, rest = sealed[:3], sealed[3:15], sealed[15:]
    if key.cipher == "aes-256-gcm":
        assert AESGCM(key.key).decrypt(nonce, rest, front + b"name/1/SL1").decode() == "示例"
    else:
        opening = Cipher(algorithms.SM4(key.key), modes.GCM(nonce, rest[-16:])).decryptor()
        opening.authenticate_additional_data(front + b"name/1/SL1")
        assert (opening.update(rest[:-16]) + opening.finalize()).decode() == "示例"


def test_a_search_hash_depends_on_key_and_kind(box):
    other = Vault(keyring.fresh("aes-256-gcm", 0))
    one = box.digest("number", "13000000000")
    assert len(one) == 16
    assert one == box.digest("number", "13000000000")
    assert (
        len({one, box.digest("mobile", "13000000000"), other.digest("number", "13000000000")}) == 3
    )


def test_a_key_of_an_older_hub_goes_on(tmp_path):
    """32 bare bytes are key 0; what was sealed before opens, also once the file is a ring."""
    path = tmp_path / "citizens.key"
    key = os.urandom(32)
    path.write_bytes(key)
    path.chmod(0o600)
    box = vault.load_or_create(path, needed=True)
    old = (nonce := os.urandom(12)) + AESGCM(key).encrypt(nonce, b"x", b"SL1/1")
    sealed, digest = box.seal(b"y", "here"), box.digest("number", "1")
    assert path.read_bytes() == key
    keyring.write(path, keyring.with_new(box.ring, "sm4-gcm", 5))
    for again in (box, vault.load_or_create(path, needed=True)):
        assert again.open_first_form(old, "SL1/1") == b"x"
        assert again.open(sealed, "here") == b"y"
        assert again.digest("number", "1") == digest
        assert again.ring.now().cipher == "sm4-gcm"


def test_a_changed_file_is_noticed_at_the_next_value(box, tmp_path):
    """A running hub seals by the new key at once."""
    path = tmp_path / "citizens.key"
    before = box.seal(b"x", "here")
    keyring.write(path, keyring.with_new(box.ring, "sm4-gcm", 5))
    after = box.seal(b"x", "here")
    assert (before[1:3], after[1:3]) == (b"\0\1", b"\0\2")
    assert box.open(before, "here") == box.open(after, "here") == b"x"


def test_nothing_is_sealed_by_a_key_that_is_gone_from_disk(box, tmp_path):
    """What only the memory of a process could open would be lost with it."""
    path = tmp_path / "citizens.key"
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(VaultError, match="从备份恢复"):
        box.seal(b"x", "here")
    keyring.write(path, keyring.fresh("aes-256-gcm", 0))
    other = box.seal(b"x", "here")
    path.write_bytes(data)
    with pytest.raises(VaultError, match="密钥不对"):
        box.open(other, "here")


def spoilt(ring):
    def change(**more):
        return json.dumps(ring | more).encode()

    key = ring["keys"][0]
    return {
        "empty": b"",
        "truncated": json.dumps(ring).encode()[:-20],
        "half a bare key": b"k" * 16,
        "a longer bare key": b"k" * 33,
        "duplicate id": change(keys=[key, key]),
        "current is missing": change(current=7),
        "no keys": change(keys=[]),
        "short key": change(keys=[key | {"key": "AAAA"}]),
        "key of the other cipher": change(keys=[key | {"cipher": "sm4-gcm"}]),
        "unknown cipher": change(keys=[key | {"cipher": "rot13"}]),
        "id out of range": change(keys=[key | {"id": 70_000}], current=70_000),
        "short index key": change(index="AAAA"),
        "no index key": json.dumps({k: v for k, v in ring.items() if k != "index"}).encode(),
        "unknown field": change(more=1),
        "another form": change(form="pingyi-citizens/9"),
        "not UTF-8": b"\xff\xfe" * 40,
        "zeros after a power cut": bytes(400),
    }


FAULTS = list(spoilt({"keys": [{}]}))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_spoilt_file_is_refused_whole(tmp_path, fault):
    """And left as it is; the message says to restore it, and quotes no key."""
    path = tmp_path / "citizens.key"
    vault.load_or_create(path)
    ring = json.loads(path.read_bytes())
    data = spoilt(ring)[fault]
    path.write_bytes(data)
    with pytest.raises(VaultError, match="从备份恢复") as refused:
        vault.load_or_create(path)
    assert path.read_bytes() == data
    assert ring["keys"][0]["key"] not in str(refused.value)
    assert ring["index"] not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_refused(box, tmp_path, mode):
    """At the start, and while the hub runs."""
    path = tmp_path / "citizens.key"
    path.chmod(mode)
    for use in (lambda: vault.load_or_create(path), lambda: box.seal(b"x", "here")):
        with pytest.raises(VaultError, match="chmod 600"):
            use()


def test_a_new_file_is_ours_alone(box, tmp_path):
    path = tmp_path / "citizens.key"
    keyring.write(path, keyring.with_new(box.ring, "sm4-gcm", 5))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["citizens.key"]


def test_no_key_is_shown_by_chance(box):
    """What is printed in a traceback or a log names keys, and does not hold them."""
    shown = f"{box.ring!r} {box.ring.now()!r} {box!r}"
    for secret in (box.ring.index, box.ring.now().key):
        assert repr(secret)[2:-1] not in shown


def test_two_commands_cannot_change_the_ring_at_once(tmp_path, box):
    path = tmp_path / "citizens.key"
    with (
        keyring.changing(path),
        pytest.raises(VaultError, match="另一个命令"),
        keyring.changing(path),
    ):
        pass
    with keyring.changing(path):
        pass


WRITE_WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
from hub.store import keyring
path = Path(sys.argv[1])
ring = keyring.with_new(keyring.read(path), "sm4-gcm", 5)
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    keyring.write(path, ring)
except OSError as error:
    print("refused", error.errno)
"""


def test_without_room_the_file_stays_as_it_was(box, tmp_path):
    """The disk gives out in the middle of writing the new ring."""
    path = tmp_path / "citizens.key"
    before = path.read_bytes()
    ran = subprocess.run(
        [sys.executable, "-c", WRITE_WITHOUT_ROOM, path],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ran.stdout.startswith("refused")
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["citizens.key"]
