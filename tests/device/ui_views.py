"""What the screen is shown in tests: every state, with ordinary and with the longest names."""

from msgspec.structs import replace

from device.events import Draft
from device.session import Ending, Screen, Session
from device.view import EnrolmentView, Step, View
from protocol.messages import Invitation, Pairing, Settings, Staff, Window

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


LINK = "https://hub.example/r/Zk3Qx7mD0hT5uY9wB1nV2c"
LONGEST_LINK = "https://hub.example/r/" + "Ab0-" * 44 + "Ab"
HUB_MS = 1_795_400_000_000
EVENING_MS = 1_795_431_000_000
PAIRING = Pairing(code="384219", until=HUB_MS + 97_000, qr="https://hub.example/pair?code=384219")
LONGEST_PAIRING = replace(PAIRING, qr="https://hub.example/" + "Ab0-" * 45)
LONGEST_WINDOW = Window(name=("𠮷䶮" + LONG)[:40], label=LONG[40:80])


def draft(level, **more):
    return Draft(invitation="a" * 32, level=level, elapsed_ms=900, tapped_ms=9_000, **more)


AROUND = ("connected", "text_input", "ready")


def view(screen, invitation=INVITATION, settings=SETTINGS, **more):
    around = {name: more.pop(name) for name in AROUND if name in more}
    if screen is Screen.ENDING:
        more = {"deadline_ms": 12_000, **more}
    elif screen not in (Screen.IDLE, Screen.PAUSED):
        more = {"invitation": invitation, "deadline_ms": 58_000, **more}
    return View(
        session=Session(screen=screen, **more),
        settings=settings,
        clock="09:42",
        date="11月23日 星期一",
        now_ms=10_000,
        **{"connected": True, **around},
    )


def unpaired(pairing=PAIRING, settings=SETTINGS, **more):
    """What a kiosk shows that has no window yet."""
    bare = replace(settings, window=None, staff=None, announcement="", pairing=pairing)
    usual = {"hub_ms": HUB_MS, "device": "kiosk-01", "now_ms": 10_000, **more}
    around = {name: usual.pop(name) for name in ("hub_ms", "device", "now_ms")}
    return replace(view(Screen.IDLE, settings=bare, **usual), **around)


CONFIRM = replace(PAIRING, window=WINDOW)
PAIRINGS = {
    "pairing": unpaired(),
    "pairing_longest": unpaired(LONGEST_PAIRING, LONGEST_SETTINGS, device="k" * 32),
    "pairing_plain": unpaired(replace(PAIRING, qr="384219")),
    "confirm": unpaired(CONFIRM),
    "confirm_longest": unpaired(
        replace(PAIRING, window=LONGEST_WINDOW), LONGEST_SETTINGS, device="k" * 32
    ),
    "pairing_over": unpaired(hub_ms=PAIRING.until),
    "pairing_away": unpaired(connected=False),
    "pairing_none": unpaired(None),
}
ONE_SIGN = replace(INVITATION, staff=Staff(name="㛃"), matter="䶮")
ANNOUNCED = replace(
    SETTINGS, announcements=("本周六上午照常办公", "办理社保业务请先取号，2 楼自助区可打印证明")
)
VIEWS = {
    "connecting": view(Screen.IDLE, settings=None, connected=False),
    "idle": view(Screen.IDLE),
    "idle_nobody": view(Screen.IDLE, settings=replace(SETTINGS, staff=None)),
    "idle_words": view(
        Screen.IDLE,
        settings=replace(SETTINGS, window=Window(name="滨海新区不动产登记综合受理03窗口")),
    ),
    "idle_longest": view(Screen.IDLE, settings=LONGEST_SETTINGS, connected=False),
    "idle_elder": view(Screen.IDLE, settings=replace(SETTINGS, elder=True)),
    "invited": view(Screen.INVITED),
    "invited_one_sign": view(Screen.INVITED, ONE_SIGN),
    "invited_longest": view(Screen.INVITED, LONGEST, LONGEST_SETTINGS, connected=False),
    "invited_unbroken": view(Screen.INVITED, UNBROKEN),
    "saving": view(Screen.SAVING, draft=draft(4)),
    "thanks": view(Screen.THANKS, draft=draft(5)),
    "thanks_bad": view(Screen.THANKS, draft=draft(1)),
    "thanks_2": view(Screen.THANKS, draft=draft(2)),
    "thanks_3": view(Screen.THANKS, draft=draft(3)),
    "thanks_4": view(Screen.THANKS, draft=draft(4)),
    "thanks_chosen": view(Screen.THANKS, draft=draft(4, reasons=("407",))),
    "thanks_bad_chosen": view(Screen.THANKS, draft=draft(2, reasons=("208",))),
    "thanks_words": view(Screen.THANKS, draft=draft(3), text_input=True),
    "thanks_bad_words": view(Screen.THANKS, draft=draft(1, comment="示例\n两行"), text_input=True),
    "thanks_link": view(Screen.THANKS, draft=draft(5), link=LINK),
    "thanks_bad_link": view(Screen.THANKS, draft=draft(1), link=LINK),
    "thanks_chosen_link": view(Screen.THANKS, draft=draft(2, reasons=("208",)), link=LONGEST_LINK),
    "thanks_link_words": view(Screen.THANKS, draft=draft(4), link=LINK, text_input=True),
    "thanks_bad_link_words": view(
        Screen.THANKS, draft=draft(1, comment=LONG[:150]), link=LONGEST_LINK, text_input=True
    ),
    "thanks_flat": view(Screen.THANKS, draft=draft(5), ready=False),
    "thanks_bad_flat": view(Screen.THANKS, draft=draft(1), ready=False),
    "thanks_flat_words": view(
        Screen.THANKS, draft=draft(4, reasons=("407",)), link=LINK, text_input=True, ready=False
    ),
    "thanks_full": view(Screen.THANKS, draft=draft(1, comment=LONG[:150]), text_input=True),
    **{f"ending_{ending}": view(Screen.ENDING, ending=ending) for ending in Ending},
    "paused": view(Screen.PAUSED, pause="系统维护，请到相邻窗口办理"),
    "paused_longest": view(Screen.PAUSED, pause=LONG[:60], connected=False),
    "out_of_service": replace(
        view(Screen.OUT_OF_SERVICE, draft=draft(4), connected=False), device="kiosk-01"
    ),
    "out_of_service_longest": replace(
        view(Screen.OUT_OF_SERVICE, LONGEST, LONGEST_SETTINGS, draft=draft(4), kept=True),
        device="k" * 32,
    ),
}
CITIZENS = (Screen.INVITED, Screen.SAVING, Screen.THANKS, Screen.ENDING)


def of_citizens():
    """The views on which a citizen's wish for language or size can be seen."""
    return {name: each for name, each in VIEWS.items() if each.session.screen in CITIZENS}


def in_english(shown):
    return replace(shown, session=replace(shown.session, english=True))


def for_elders(shown):
    return replace(shown, session=replace(shown.session, elder=True))


ENROLMENT = EnrolmentView("kiosk-01", "sample-hall", "/dev/pingyi/desk")
LONGEST_ENROLMENT = replace(
    ENROLMENT, device="k" * 32, hall="h" * 32, port="/dev/serial/by-id/usb-" + "W" * 80
)
NO_PORT = "无法打开端口 /dev/pingyi/desk：没有这个端口，请检查线缆是否插好、端口名称是否写对"
REACHED = "已用本机证书连接 hub.example:8883"
UNREACHED = "hub.example:8883 的服务器证书不可信：Hostname mismatch。请核对地址和本机时间"
REASON = (
    "两边显示的数字不一致：不能入网。请拔掉线缆，检查中间有没有接别的设备，"
    "在评价器上重新开始入网后再试"
)
ENROLMENTS = {
    "enrol_waiting": ENROLMENT,
    "enrol_no_port": replace(ENROLMENT, text=NO_PORT, again=True),
    "enrol_waiting_longest": replace(LONGEST_ENROLMENT, text=(NO_PORT + "W" * 300)),
    "enrol_joining": replace(ENROLMENT, step=Step.JOINING),
    "enrol_comparing": replace(ENROLMENT, step=Step.COMPARING, number="027645"),
    "enrol_comparing_longest": replace(LONGEST_ENROLMENT, step=Step.COMPARING, number="000000"),
    "enrol_issuing": replace(ENROLMENT, step=Step.ISSUING),
    "enrol_storing": replace(ENROLMENT, step=Step.STORING),
    "enrol_testing": replace(ENROLMENT, step=Step.TESTING),
    "enrol_done": replace(ENROLMENT, step=Step.DONE, text=REACHED, passed=True, again=True),
    "enrol_done_elsewhere": replace(ENROLMENT, step=Step.DONE, again=True),
    "enrol_done_unreached": replace(ENROLMENT, step=Step.DONE, text=UNREACHED),
    "enrol_done_longest": replace(LONGEST_ENROLMENT, step=Step.DONE, text=UNREACHED + "W" * 300),
    "enrol_failed": replace(ENROLMENT, step=Step.FAILED, text=REASON),
    "enrol_failed_longest": replace(
        LONGEST_ENROLMENT, step=Step.FAILED, text=REASON + LONG[:200], again=True
    ),
}
