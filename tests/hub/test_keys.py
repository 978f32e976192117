"""Keys of the interface: shown once, kept as a hash, open what they may until they end."""

import pytest
from click.testing import CliRunner
from web_world import open_hall
from world_hall import NOW

from hub.__main__ import main as hub_command
from hub.accounts.wording import SCOPES
from hub.rules.access import KEY_SCOPES, Scope
from hub.store import api_keys
from hub.store.database import connect, migrate

WINDOWS = "/api/v1/windows"
GIVEN = frozenset({Scope.WINDOWS, Scope.CASES})


@pytest.fixture
def db(tmp_path):
    db = connect(tmp_path / "hub.db")
    migrate(db)
    yield db
    db.close()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "hub.toml"
    path.write_text('hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n', encoding="utf-8")
    return path


def run(config, *words):
    ran = CliRunner().invoke(hub_command, ["key", *words, "--config", str(config)])
    return ran.exit_code, ran.stdout, ran.stderr


def test_a_key_says_who_comes_and_what_they_may(db):
    """It is long, no two are alike, and the caller's name is its number."""
    (name, key), (_, other) = (api_keys.create(db, "示例", GIVEN, NOW) for _ in range(2))
    assert key != other
    assert len(key.split("_", 2)[2]) >= 43  # 256 bits
    caller = api_keys.caller(db, key, NOW)
    assert (caller.name, caller.scopes, caller.staff) == (f"key:{name}", GIVEN, None)


def test_the_file_does_not_hold_a_key(db, tmp_path):
    """Whoever copies the database cannot call with it."""
    name, key = api_keys.create(db, "示例", GIVEN, NOW)
    db.conn.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert name.encode() in kept
    assert key.split("_", 2)[2].encode() not in kept


def test_whatever_is_not_the_key_opens_nothing(db):
    """One sign more or less, another's number, its hash, nothing, or noise."""
    (name, key), (other, _) = (api_keys.create(db, "示例", GIVEN, NOW) for _ in range(2))
    secret = key.split("_", 2)[2]
    for wrong in (
        "",
        "_",
        "__",
        name,
        secret,
        f"pingyi_{name}_",
        f"pingyi_{name}",
        key[:-1],
        key + "x",
        key.upper(),
        f"pingyi_{other}_{secret}",
        f"pingyi__{secret}",
        f"pingyi_{name}_{api_keys._digest(secret).hex()}",
        key.replace("pingyi", "pingy"),
        f"pingyi_{name}' OR '1'='1_{secret}",
        "\x00" * 99,
        "键" * 5_000,
    ):
        assert api_keys.caller(db, wrong, NOW) is None, wrong
    assert api_keys.caller(db, key, NOW)


def test_a_key_ends_on_its_day(db):
    """To the millisecond; a clock put back gives it no longer life than that."""
    _, key = api_keys.create(db, "示例", GIVEN, NOW, expires_at=NOW + 1_000)
    assert api_keys.caller(db, key, NOW + 999)
    assert api_keys.caller(db, key, NOW + 1_000) is None


def test_a_revoked_key_stays_revoked(db):
    """Whatever its end; once is enough, and a second time says so."""
    name, key = api_keys.create(db, "示例", GIVEN, NOW)
    assert api_keys.revoke(db, name, NOW)
    assert not api_keys.revoke(db, name, NOW)
    assert not api_keys.revoke(db, "00000000", NOW)
    assert api_keys.caller(db, key, NOW) is None
    assert [each.revoked_at for each in api_keys.listed(db)] == [NOW]


def test_a_scope_that_this_hub_does_not_know_is_no_scope(db):
    """As after a step back to an older hub: the key keeps what is known, and works."""
    _, key = api_keys.create(db, "示例", {"windows", "of_tomorrow"}, NOW)
    assert api_keys.caller(db, key, NOW).scopes == {Scope.WINDOWS}


def test_the_interface_asks_for_the_key_at_every_call(tmp_path):
    """Ended or revoked between two calls: the second is 401, with the challenge of RFC 6750."""
    with open_hall(tmp_path) as hall:
        name, hall.key = hall.writer.call(
            lambda db: api_keys.create(db, "示例", GIVEN, hall.now, expires_at=hall.now + 1)
        )
        assert hall.ask("GET", WINDOWS).status == 200
        hall.now += 1
        answer = hall.ask("GET", WINDOWS)
        assert (answer.status, answer.kind) == (401, "unauthorized")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert "过期" in answer.body["detail"]
        hall.now -= 1
        assert hall.ask("GET", WINDOWS).status == 200
        hall.writer.call(lambda db: api_keys.revoke(db, name, hall.now))
        assert hall.ask("GET", WINDOWS).status == 401


# ---------------------------------------------------------------- the commands


def test_a_key_is_made_before_the_hub_has_ever_run(config):
    """The command makes the database; the key goes to stdout alone, so that it can be piped."""
    code, key, told = run(
        config, "add", "示例系统", "--scope", "cases", "--scope", "invite", "--days", "30"
    )
    assert code == 0
    assert "只显示这一次" in told
    name = key.split("_")[1]
    assert name in told
    assert key.strip() not in told
    db = connect(config.parent / "state" / "hub.db")
    try:
        (kept,) = api_keys.listed(db)
        acts = db.execute("SELECT actor, action, target, detail FROM audit").fetchall()
        caller = api_keys.caller(db, key.strip(), kept.created_at)
    finally:
        db.close()
    assert (kept.id, kept.label) == (name, "示例系统")
    assert kept.expires_at == kept.created_at + 30 * 86_400_000
    assert caller.scopes == {Scope.CASES, Scope.INVITE}
    assert [act[:3] for act in acts] == [("console", "add_key", name)]
    assert key.split("_", 2)[2].strip() not in acts[0][3]


def test_the_list_tells_what_each_key_is(config):
    """Number, state, days, for whom, for what; nothing at all is said in words."""
    assert "还没有接口密钥" in run(config, "list")[1]
    names = [
        run(config, "add", label, "--scope", "windows")[1].split("_")[1] for label in ("甲", "乙")
    ]
    code, told, _ = run(config, "revoke", names[0])
    assert (code, told) == (0, f"密钥 {names[0]} 已停用。\n")
    lines = dict(line.split("  ", 1) for line in run(config, "list")[1].splitlines())
    assert lines[names[0]].startswith("已停用")
    assert lines[names[1]].startswith("有效")
    assert "长期" in lines[names[1]]
    assert lines[names[1]].endswith("乙  windows")


@pytest.mark.parametrize(
    "words",
    [
        ("add", "示例"),
        ("add", "--scope", "cases"),
        ("add", "示例", "--scope", "everything"),
        ("add", "示例", "--scope", "accounts"),
        ("add", "示例", "--scope", "sign_on"),
        ("add", "示例", "--scope", "cases", "--days", "0"),
        ("add", "", "--scope", "cases"),
        ("add", "长" * 41, "--scope", "cases"),
        ("add", "示\n例", "--scope", "cases"),
        ("revoke",),
    ],
)
def test_a_wrong_command_makes_no_key(config, words):
    """No scope, an unknown one, one that only people may have, no days, no name for people."""
    code, out, told = run(config, *words)
    assert code == 2
    assert out == ""
    assert told
    assert "还没有接口密钥" in run(config, "list")[1]


def test_revoking_what_is_not_there_is_told(config):
    """A number that was mistyped must not look like success."""
    code, _, told = run(config, "revoke", "abcdef01")
    assert code == 1
    assert "key list" in told


def test_every_scope_of_a_key_is_explained():
    """The help says in Chinese what each is for."""
    told = "".join(CliRunner().invoke(hub_command, ["key", "add", "--help"]).output.split())
    assert set(SCOPES) == KEY_SCOPES
    for scope, meaning in SCOPES.items():
        assert f"{scope}{meaning}" in told
