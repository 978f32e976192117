"""Pages out of templates: every text is escaped, every missing value is a fault."""

from collections.abc import Mapping
from typing import Any

import jinja2
from litestar import Response
from litestar.response import Redirect

from hub.accounts import wording
from hub.accounts.door import Person
from hub.rules.access import Role, Scope
from hub.web.pages.site import Http

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("hub.web.pages"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    "when": wording.when,
    "minute": lambda at: wording.when(at)[:16],
    "clock": lambda at: wording.when(at)[11:16],
    "day": lambda at: wording.when(at)[:10],
    "who": wording.who,
    "why": wording.why,
    "action": wording.action,
    "role": lambda role: wording.ROLES[role],
}

PLACES = (
    ("/my-window", "我的窗口", "签到、签退，看评价器是否正常", Scope.SIGN_ON),
    ("/windows", "窗口一览", "谁在哪个窗口，暂停与恢复，历史", Scope.BINDINGS),
    ("/rulings", "复核认定", "查看申请复核的评价，认定不予采纳", Scope.RULE),
    ("/kiosks", "评价器", "在线情况、证书、续期申请", Scope.DEVICES),
    ("/accounts", "账号", "新建、调整、重设口令、解锁", Scope.ACCOUNTS),
    ("/keys", "接口密钥", "发给窗口业务系统的密钥", Scope.ACCOUNTS),
    ("/audit", "操作记录", "谁在什么时候做了什么", Scope.AUDIT),
    ("/ruling-records", "认定记录", "复核认定的理由、证据和报送情况", Scope.AUDIT),
)
"""Where people go: address, name, what is there, the scope it takes."""

DAILY = {
    Role.WINDOW: "/my-window",
    Role.SUPERVISOR: "/windows",
    Role.OFFICE: "/windows",
    Role.IT: "/kiosks",
    Role.AUDITOR: "/audit",
}
"""What each role uses every day."""


def places(person: Person) -> list[tuple[str, str, str]]:
    """Return where somebody may go: address, name, what is there."""
    return [(to, name, what) for to, name, what, scope in PLACES if person.caller.may(scope)]


def page(
    request: Http,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> Response[str]:
    """Return a page; templates know `person` (None before the sign-in), `csrf` and `menu`."""
    person: Person | None = request.state.get("person")
    text = _ENVIRONMENT.get_template(template).render(
        hall_name=request.app.state.hall_name,
        person=person,
        csrf=person.session.csrf if person else "",
        menu=places(person) if person and not person.user.must_change else [],
        here=request.url.path,
        **values,
    )
    return Response(text, status_code=status, media_type="text/html", headers=headers)


def to(path: str) -> Redirect:
    """Return the way to another page, after a change (303, so that it is not made twice)."""
    return Redirect(path, status_code=303)
