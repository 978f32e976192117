"""Who may call: keys are known by their digest alone."""

import hashlib

import pytest
from web_world import Hall, case_path, open_hall, window_path

from hub.config import ApiConfig, ConfigError
from hub.web import auth

ROUTES = [
    ("GET", case_path()),
    ("PUT", case_path()),
    ("POST", window_path("invitations")),
    ("DELETE", window_path("invitations/current")),
    ("GET", "/api/v1/invitations/" + "0" * 32),
    ("PUT", window_path("pause")),
    ("DELETE", window_path("pause")),
    ("GET", "/api/v1/openapi.json"),
]


def test_nobody_is_let_in_without_the_right_key(tmp_path):
    """Every route answers 401 with a challenge, whatever stands in the header."""
    with open_hall(tmp_path) as hall:
        for method, path in ROUTES:
            for shown in ("", "Bearer", "Bearer  ", "Basic x", "Bearer wrong", f"Token {hall.key}"):
                answer = hall.ask(method, path, Authorization=shown)
                assert (answer.status, answer.kind) == (401, "unauthorized")
                assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="pingyi"')
        digest = hashlib.sha256(hall.key.encode()).hexdigest()
        for odd in (hall.key + "x", hall.key[:-1], digest, "\xe9" * 9, "x" * 5000):
            answer = hall.ask("GET", case_path(), Authorization=f"Bearer {odd}")
            assert answer.status == 401
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_scheme_is_read_in_any_case(tmp_path):
    """RFC 9110: the name of a scheme has no case."""
    with open_hall(tmp_path) as hall:
        answer = hall.ask("GET", case_path(), Authorization=f"bearer {hall.key}")
        assert answer.kind == "unknown_case"


def test_without_a_key_file_every_call_is_refused(tmp_path, monkeypatch):
    """A hub without keys is closed, and says how to open it."""
    keyless = ApiConfig()
    plain = Hall.app

    def app(self):
        self.config = keyless
        return plain(self)

    monkeypatch.setattr(Hall, "app", app)
    with open_hall(tmp_path) as hall:
        answer = hall.ask("GET", case_path())
        assert answer.status == 401
        assert "pingyi-hub key" in answer.body["detail"]
        assert "key_files" in answer.body["detail"]


def test_a_new_key_is_long_and_told_by_its_digest():
    """The digest is all that a key file holds."""
    key, digest = auth.new_key()
    assert len(key) >= 43
    assert digest == hashlib.sha256(key.encode()).hexdigest()
    assert auth.new_key()[0] != key


def test_key_files_allow_comments_and_several_keys(tmp_path):
    """One digest a line, upper or lower case; what follows a # is a note."""
    one, two = (auth.new_key()[1] for _ in range(2))
    (tmp_path / "a").write_text(f"# 甲系统\n{one}\n\n  {two.upper()}  # 乙系统\n", encoding="utf-8")
    keys = auth.read_keys(ApiConfig(key_files=("a",)), tmp_path)
    assert keys == (bytes.fromhex(one), bytes.fromhex(two))


def test_all_bad_lines_of_key_files_are_named_at_once(tmp_path):
    """File and line of each, and never the line itself: it might be a key."""
    (tmp_path / "a").write_text("secret\n" + "0" * 64 + "\n" + "0" * 63 + "\n", encoding="utf-8")
    (tmp_path / "b").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as caught:
        auth.read_keys(ApiConfig(key_files=("a", "b", "c")), tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.split("：")[0] for line in lines] == [
        str(tmp_path / name) for name in ("a", "a", "b", "c")
    ]
    assert "第 1 行" in lines[0]
    assert "第 3 行" in lines[1]
    assert "secret" not in str(caught.value)
