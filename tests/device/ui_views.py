"""What the screen is shown in tests: every state, with ordinary and with the longest names."""

from msgspec.structs import replace

from device.events import Draft
from device.session import Screen, Session
from device.view import View
from protocol.messages import Invitation, Settings, Staff, Window

STAFF = Staff(name="示例甲", number="0317", post="窗口工作人员")
WINDOW = Window(name="3号窗口", label="综合受理")
SETTINGS = Settings(
    version=1,
    hall_name="滨海示例政务服务中心",
    window=WINDOW,
    staff=STAFF,
    catalogue="2021.1",
    announcement="11月28日（周六）延时服务：不动产登记窗口 9:00–12:00",
)
INVITATION = Invitation(
    id="a" * 32,
    serial="12011620261123000123",
    service_number=1,
    matter="食品经营许可（新办）",
    window=WINDOW,
    staff=STAFF,
    issued_at=0,
    ttl_ms=60_000,
)
LONG = "示例长名𠮷㛃䶮（综合受理一窗通办）、登记" * 10
LONGEST_SETTINGS = replace(
    SETTINGS,
    hall_name=LONG[:40],
    window=Window(name=LONG[:40], label=LONG[40:80]),
    staff=Staff(name=LONG[:40], number="W" * 40, post=LONG[:40]),
    announcement=LONG[:120],
)
LONGEST = replace(
    INVITATION,
    matter=LONG[:200],
    serial="W1X2" * 16,
    service_number=99,
    window=LONGEST_SETTINGS.window,
    staff=LONGEST_SETTINGS.staff,
)
UNBROKEN = replace(INVITATION, matter="W" * 200, serial="-" + "W" * 63, staff=Staff(name="䶮"))


def draft(level, **more):
    return Draft(invitation="a" * 32, level=level, elapsed_ms=900, tapped_ms=9_000, **more)


def view(screen, invitation=INVITATION, settings=SETTINGS, **more):
    around = {name: more.pop(name) for name in ("connected", "text_input") if name in more}
    if screen not in (Screen.IDLE, Screen.PAUSED):
        more = {"invitation": invitation, "deadline_ms": 58_000, **more}
    return View(
        session=Session(screen=screen, **more),
        settings=settings,
        clock="09:42",
        date="11月23日 星期一",
        now_ms=10_000,
        **{"connected": True, **around},
    )


VIEWS = {
    "connecting": view(Screen.IDLE, settings=None, connected=False),
    "idle": view(Screen.IDLE),
    "idle_nobody": view(Screen.IDLE, settings=replace(SETTINGS, staff=None)),
    "idle_longest": view(Screen.IDLE, settings=LONGEST_SETTINGS, connected=False),
    "invited": view(Screen.INVITED),
    "invited_longest": view(Screen.INVITED, LONGEST, LONGEST_SETTINGS, connected=False),
    "invited_unbroken": view(Screen.INVITED, UNBROKEN),
    "saving": view(Screen.SAVING, draft=draft(4)),
    "reasons": view(Screen.REASONS, draft=draft(2)),
    "reasons_words": view(Screen.REASONS, draft=draft(1, comment="示例\n两行"), text_input=True),
    "thanks": view(Screen.THANKS, draft=draft(5)),
    "reasons_full": view(Screen.REASONS, draft=draft(1, comment=LONG[:150]), text_input=True),
    "thanks_bad": view(Screen.THANKS, draft=draft(1)),
    "thanks_words": view(Screen.THANKS, draft=draft(3), text_input=True),
    "paused": view(Screen.PAUSED, pause=LONG[:60], connected=False),
    "out_of_service": view(Screen.OUT_OF_SERVICE, draft=draft(4), connected=False),
}
