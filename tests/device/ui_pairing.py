"""What the screen of a kiosk without a window shows; `ui_turns` says how it is run."""

from msgspec.structs import replace

from device.session import Screen
from tests.device.ui_turns import picture, run, say, stands
from tests.device.ui_views import (
    CONFIRM,
    HUB_MS,
    PAIRING,
    PAIRINGS,
    VIEWS,
    unpaired,
    view,
)


def pairings(stage):
    """Render every picture of a kiosk without a window."""
    for name, shown in PAIRINGS.items():
        stage.app.screen.draw(shown)
        yield
        yield from picture(stage, name)


def paired(stage):
    """Lead a kiosk from code to code to window, and tell what stands there each time."""
    screen = stage.app.screen
    another = replace(PAIRING, code="705618", qr="https://hub.example/pair?code=705618")
    asked = view(Screen.INVITED)
    for name, shown in (
        ("idle", VIEWS["idle"]),
        ("code", unpaired()),
        ("another", unpaired(another)),
        ("away", unpaired(another, connected=False)),
        ("back", unpaired(another)),
        ("confirm", unpaired(replace(CONFIRM, code="705618"))),
        ("paired", VIEWS["idle"]),
        ("asked", replace(asked, settings=unpaired().settings, hub_ms=HUB_MS)),
    ):
        screen.draw(shown)
        yield
        yield from picture(stage, name)
        say(name=f"{name}-pieces", pieces=len(list(screen.walk())))
    screen.draw(unpaired())
    yield from stands(stage)
    before = stage.app.frames
    for moment in range(60):
        screen.draw(unpaired(hub_ms=HUB_MS + moment * 50, now_ms=10_000 + moment * 50))
        yield
    say(name="ticking", frames=stage.app.frames - before)


run({"pairings": pairings, "paired": paired})
