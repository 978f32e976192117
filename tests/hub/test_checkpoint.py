"""Signed checkpoints: the form of C2SP, and what is not believed."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hub.rules import checkpoint
from hub.rules.checkpoint import Checkpoint, CheckpointInvalid, Verifier

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
BY = Verifier("pingyi/demo", KEY.public_key().public_bytes_raw())
SAID = Checkpoint("pingyi/demo", 4711, bytes(range(32)))
NOTE = checkpoint.sign(SAID, KEY)


def test_a_checkpoint_reads_as_the_standard_says():
    origin, size, root, gap, line, end = NOTE.split("\n")
    assert (origin, size, gap, end) == ("pingyi/demo", "4711", "", "")
    assert base64.b64decode(root) == SAID.root
    dash, name, signature = line.split(" ")
    assert (dash, name) == ("—", "pingyi/demo")
    raw = base64.b64decode(signature)
    assert len(raw) == 4 + 64
    KEY.public_key().verify(raw[4:], NOTE[: NOTE.index("\n\n") + 1].encode())


def test_it_opens_for_who_holds_the_key():
    assert checkpoint.opened(NOTE, BY) == SAID


def test_the_key_survives_being_handed_on():
    assert checkpoint.verifier(str(BY)) == BY
    assert checkpoint.verifier(f"  {BY}\n") == BY


@pytest.mark.parametrize(
    "text",
    ["", "pingyi/demo", str(BY)[:-4], str(BY).replace("demo", "dome"), "a+b+c", f"x{BY}"],
)
def test_a_mangled_key_is_refused(text):
    with pytest.raises(CheckpointInvalid):
        checkpoint.verifier(text)


def test_a_witness_may_sign_beside_it():
    witness = checkpoint.sign(Checkpoint("witness", 0, bytes(32)), OTHER).split("\n\n")[1]
    assert checkpoint.opened(NOTE + witness, BY) == SAID
    head, own = NOTE.split("\n\n")
    assert checkpoint.opened(f"{head}\n\n{witness}{own}", BY) == SAID


def test_extension_lines_are_signed_and_allowed():
    text = f"pingyi/demo\n5\n{base64.b64encode(bytes(32)).decode()}\nmore\n"
    raw = base64.b64decode(NOTE.split(" ")[-1])[:4] + KEY.sign(text.encode())
    note = f"{text}\n— pingyi/demo {base64.b64encode(raw).decode()}\n"
    assert checkpoint.opened(note, BY).size == 5


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        NOTE.split("\n\n")[0],
        NOTE.replace("4711", "4712"),
        NOTE.replace("4711", "04711"),
        NOTE.replace("pingyi/demo\n", "pingyi/dome\n", 1),
        NOTE[:-1],
        NOTE.replace("— ", "- "),
        checkpoint.sign(SAID, OTHER),
        "x" * checkpoint.LIMIT + NOTE,
    ],
)
def test_what_is_not_signed_like_this_is_refused(note):
    with pytest.raises(CheckpointInvalid):
        checkpoint.opened(note, BY)


@given(st.text(), st.text())
def test_no_text_breaks_it(before, after):
    for note in (before, before + NOTE + after, f"{before}\n\n— pingyi/demo {after}\n"):
        try:
            found = checkpoint.opened(note, BY)
        except CheckpointInvalid:
            continue
        assert found == SAID
