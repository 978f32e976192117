"""Who may call the interface: keys are known by their hash alone, and open what they are for."""

import hashlib
import http.client
from contextlib import closing

from pages_world import CLERK, WINDOW, open_pages
from web_world import case_path, open_hall, window_path

from hub.rules.access import KEY_SCOPES, Scope
from hub.store import api_keys

ROUTES = [
    ("PUT", case_path(), Scope.CASES),
    ("GET", case_path(), Scope.CASES),
    ("POST", window_path("invitations"), Scope.INVITE),
    ("DELETE", window_path("invitations/current"), Scope.INVITE),
    ("GET", "/api/v1/invitations/" + "0" * 32, Scope.INVITE),
    ("PUT", window_path("pause"), Scope.PAUSE),
    ("DELETE", window_path("pause"), Scope.PAUSE),
    ("GET", "/api/v1/windows", Scope.WINDOWS),
    ("GET", window_path("")[:-1], Scope.WINDOWS),
    ("GET", window_path("bindings"), Scope.BINDINGS),
    ("POST", window_path("pairing"), Scope.PAIR),
    ("POST", window_path("pairing/confirmation"), Scope.PAIR),
    ("POST", window_path("pairing/cancellation"), Scope.PAIR),
    ("DELETE", window_path("pairing"), Scope.REBIND),
    ("POST", window_path("pairing/move"), Scope.REBIND),
    ("PUT", window_path("staff"), Scope.SIGN_ON_ANYONE),
    ("DELETE", window_path("staff"), Scope.SIGN_ON_ANYONE),
    ("GET", "/api/v1/renewals", Scope.RENEWALS),
    ("PUT", "/api/v1/renewals/kiosk-01", Scope.RENEWALS),
    ("POST", "/api/v1/documents", Scope.RULE),
    ("GET", "/api/v1/documents/" + "0" * 64, Scope.RULE),
    ("POST", "/api/v1/invitations/" + "0" * 32 + "/ruling", Scope.RULE),
    ("GET", "/api/v1/invitations/" + "0" * 32 + "/ruling", Scope.RULE),
    ("GET", "/api/v1/rulings", Scope.RULE),
    ("GET", "/api/v1/rulings/9", Scope.RULE),
    ("POST", "/api/v1/feed", Scope.FEED),
]


def make_key(hall, *scopes, **more):
    return hall.writer.call(
        lambda db: api_keys.create(db, "示例", frozenset(scopes), hall.now, **more)
    )


def test_nobody_is_let_in_without_the_right_key(tmp_path):
    """Every route answers 401 with a challenge, whatever stands in the header."""
    with open_hall(tmp_path) as hall:
        for method, path in [route[:2] for route in ROUTES] + [("GET", "/api/v1/openapi.json")]:
            for shown in ("", "Bearer", "Bearer  ", "Basic x", "Bearer wrong", f"Token {hall.key}"):
                answer = hall.ask(method, path, Authorization=shown)
                assert (answer.status, answer.kind) == (401, "unauthorized")
                assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="pingyi"')
        secret = hall.key.split("_", 2)[2]
        digest = hashlib.sha256(secret.encode()).hexdigest()
        odd = (hall.key + "x", hall.key[:-1], digest, hall.key.replace(secret, digest), "\xe9" * 9)
        for shown in (*odd, "pingyi__", "x" * 5000):
            answer = hall.ask("GET", case_path(), Authorization=f"Bearer {shown}")
            assert answer.status == 401
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_scheme_is_read_in_any_case(tmp_path):
    """RFC 9110: the name of a scheme has no case."""
    with open_hall(tmp_path) as hall:
        answer = hall.ask("GET", case_path(), Authorization=f"bearer {hall.key}")
        assert answer.kind == "unknown_case"


def test_a_key_opens_its_scope_and_nothing_beyond(tmp_path):
    """Each route with a key of every scope but its own is 403; with its own alone it is not."""
    with open_hall(tmp_path) as hall:
        alone = {scope: make_key(hall, scope)[1] for scope in KEY_SCOPES}
        without = {scope: make_key(hall, *(KEY_SCOPES - {scope}))[1] for scope in KEY_SCOPES}
        for method, path, scope in ROUTES:
            answer = hall.ask(method, path, Authorization=f"Bearer {without[scope]}")
            assert (answer.status, answer.kind) == (403, "forbidden"), (method, path)
            assert f'scope="{scope}"' in answer.headers["WWW-Authenticate"]
            answer = hall.ask(method, path, Authorization=f"Bearer {alone[scope]}")
            assert answer.status not in (401, 403), (method, path)


def test_every_route_of_the_interface_says_what_it_takes(tmp_path):
    """A route that names no scope would be open to every key: only the description is."""
    with open_hall(tmp_path) as hall:
        app = hall.app()
        found = {
            (method, route.path): handler.opt.get("scope")
            for route in app.routes
            if route.path.startswith("/api/")
            for method, (handler, _) in getattr(route, "route_handler_map", {}).items()
            if method != "OPTIONS"
        }
        assert len(found) > len(ROUTES)
        assert {path for (_, path), scope in found.items() if scope is None} == {
            "/api/v1/openapi.json"
        }


def test_a_key_that_is_revoked_or_over_is_out_at_once(tmp_path):
    """Nothing of a key is remembered between two calls."""
    with open_hall(tmp_path) as hall:
        name, key = make_key(hall, Scope.CASES)
        _, short = make_key(hall, Scope.CASES, expires_at=hall.now + 1000)
        for each in (key, short):
            assert hall.ask("GET", case_path(), Authorization=f"Bearer {each}").status == 404
        hall.writer.call(lambda db: api_keys.revoke(db, name, hall.now))
        assert hall.ask("GET", case_path(), Authorization=f"Bearer {key}").status == 401
        hall.now += 1000
        assert hall.ask("GET", case_path(), Authorization=f"Bearer {short}").status == 401


def test_the_database_holds_no_key(tmp_path):
    """Who reads the file finds hashes."""
    with open_hall(tmp_path) as hall:
        secret = hall.key.split("_", 2)[2].encode()  # it may hold a stroke itself
        files = [path.read_bytes() for path in tmp_path.glob("hub.db*")]
        assert files
        assert not any(secret in data for data in files)


def test_what_a_key_is_denied_stands_in_the_trail(tmp_path):
    """Who, what, which scope was missing, from where; the same again is counted."""
    with open_pages(tmp_path) as hall:
        name, key = make_key(hall, Scope.CASES)
        for _ in range(3):
            assert hall.api("GET", "/api/v1/windows", key).status == 403
        (told,) = hall.trail("forbidden")
        assert (told.actor, told.target) == (f"key:{name}", "GET /api/v1/windows")
        assert told.detail == {"why": "windows", "address": "127.0.0.1"}
        assert not told.allowed
        hall.mono += 60_000
        hall.site.door.tend()
        assert hall.trail("forbidden")[-1].detail["times"] == 2


def test_guessing_keys_does_not_flood_the_trail(tmp_path):
    """A thousand wrong keys from one address are one entry a minute, with their number."""
    with open_pages(tmp_path) as hall, closing(connect(hall)) as connection:
        for number in range(1000):
            connection.request(
                "GET", "/api/v1/windows", headers={"Authorization": f"Bearer pingyi_{number}_x"}
            )
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 401
        assert len(hall.trail("api")) == 1
        hall.mono += 60_000
        hall.site.door.tend()
        first, rest = hall.trail("api")
        assert (first.actor, first.detail["why"]) == ("unknown", "wrong_key")
        assert rest.detail["times"] == 999


def connect(hall):
    return http.client.HTTPConnection("127.0.0.1", hall.port, timeout=10)


def test_a_cookie_opens_nothing_of_the_interface(tmp_path):
    """A signed-in browser that is made to call the interface is a stranger there."""
    with open_pages(tmp_path) as hall:
        clerk = hall.signed_in(CLERK)
        for method, path, _ in ROUTES:
            answer = clerk.send(method, path, csrf=clerk.csrf())
            assert answer.status == 401, (method, path)
            assert WINDOW not in answer.text
