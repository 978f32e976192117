"""The public face of the ledger: what anyone may ask without a key, and what it proves."""

import base64
import json

import pytest
from web_world import CASE, LEDGER, LEDGER_KEY, open_hall

from hub.rules import tree
from hub.rules.checkpoint import Checkpoint, opened, sign, verifier
from hub.store import ledger
from hub.store import tree as store


@pytest.fixture
def hall(tmp_path):
    with open_hall(tmp_path) as hall:
        yield hall


def grow(hall, count):
    """Invite so often, then sign a checkpoint, as the notary does."""

    def job(db):
        while store.grow(db, 512):
            pass
        size = ledger.size(db)
        checkpoint = Checkpoint(LEDGER.name, size, tree.root(size, store.Nodes(db)))
        store.publish(db, checkpoint, sign(checkpoint, LEDGER_KEY), hall.now)
        return [tree.leaf_hash(ledger.line(each)) for each in ledger.entries(db)]

    for number in range(count):
        hall.invite(f"津示例{hall.writer.call(ledger.size):04d}{number}", case=CASE)
    return hall.writer.call(job)


def ask(hall, path):
    return hall.ask("GET", path, Authorization=None)


def unpacked(text):
    return base64.b64decode(text)


def test_the_newest_checkpoint_is_for_everyone(hall):
    leaves = grow(hall, 5)
    answer = ask(hall, "/ledger/checkpoint")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    by = verifier(ask(hall, "/ledger/key").text)
    assert by == LEDGER
    assert opened(answer.text, by).size == len(leaves)


def test_every_entry_can_be_proved_to_be_in(hall):
    leaves = grow(hall, 7)
    for position, leaf in enumerate(leaves, start=1):
        proof = ask(hall, f"/ledger/inclusion/{position}").body
        checkpoint = opened(proof["checkpoint"], LEDGER)
        assert unpacked(proof["entry_hash"]) == leaf
        path = [unpacked(each) for each in proof["proof"]]
        tree.check_inclusion(leaf, position - 1, checkpoint.size, path, checkpoint.root)


def test_an_old_checkpoint_is_proved_to_be_the_beginning(hall):
    grow(hall, 3)
    old = opened(ask(hall, "/ledger/checkpoint").text, LEDGER)
    grow(hall, 6)
    new = opened(ask(hall, "/ledger/checkpoint").text, LEDGER)
    proof = ask(hall, f"/ledger/consistency/{old.size}").body
    path = [unpacked(each) for each in proof["proof"]]
    tree.check_consistency(old.size, old.root, new.size, new.root, path)


def test_it_tells_hashes_and_counts_only(hall):
    grow(hall, 4)
    size = hall.writer.call(ledger.size)
    for path in ("checkpoint", "key", f"inclusion/{size}", "consistency/1"):
        text = ask(hall, f"/ledger/{path}").text
        for word in ("津示例", "示例甲", '"k1"', "invited", "1号窗口"):
            assert word not in text


@pytest.mark.parametrize("path", ["checkpoint", "inclusion/1", "consistency/1"])
def test_a_ledger_without_a_checkpoint_says_so(hall, path):
    answer = ask(hall, f"/ledger/{path}")
    assert (answer.status, answer.kind) == (404, "unknown_entry")


@pytest.mark.parametrize(
    "number", ["0", "-1", "x", "1.5", "9" * 30, "٣", "%00", "1e3", "999999", "18446744073709551616"]
)
@pytest.mark.parametrize("of", ["inclusion", "consistency"])
def test_what_is_not_there_is_refused_in_words(hall, of, number):
    grow(hall, 2)
    answer = hall.ask(
        "GET",
        f"/ledger/{of}/{number.encode().decode('latin-1')}"
        if number.isascii()
        else f"/ledger/{of}/%D9%A3",
    )
    assert answer.status in (404, 422)
    assert json.loads(answer.text)["detail"]
