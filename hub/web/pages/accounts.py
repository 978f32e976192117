"""Users: add, roles, the clerk that citizens see, a new password, disable, unlock (账号)."""

from typing import Any

from litestar import Response, get, post

from hub.accounts import changes, lockout, passwords
from hub.accounts.errors import AccountError
from hub.accounts.wording import ROLE_MEANINGS
from hub.rules.access import Role, Scope
from hub.store import portraits, users
from hub.web.pages import render, troubles
from hub.web.pages.forms import Form
from hub.web.pages.portraits import DONE as PORTRAIT_DONE
from hub.web.pages.site import Http, TheSite, form, person
from protocol import strict
from protocol.messages import Staff

_DONE = {
    "roles": "角色已保存，该账号须重新登录。",
    "staff": "工作人员信息已保存。",
    "disabled": "账号已停用，已登录的随即退出。",
    "enabled": "账号已启用。",
    "unlocked": "已解除锁定，可以立即登录。",
    **PORTRAIT_DONE,
}
_ONE = "/accounts/{name:str}"
_BACK = "/accounts/{name}"


@get("/accounts", scope=Scope.ACCOUNTS)
async def accounts(request: Http, site: TheSite) -> Response[Any]:
    """Show all users."""
    return render.page(request, "accounts.html", users=await site.register.look(users.listed))


@get("/accounts/new", scope=Scope.ACCOUNTS)
async def new(request: Http) -> Response[Any]:
    """Ask what to know of a new user."""
    return _ask(request)


@post("/accounts/new", scope=Scope.ACCOUNTS, back="/accounts", status_code=200)
async def add(request: Http, site: TheSite) -> Response[Any]:
    """Add a user; the password is shown on this page only."""
    asked = form(request)
    name, password = asked.text("name").lower(), passwords.generate()
    try:
        changes.check_name(name)
        roles, staff = _roles(asked), _staff(asked)
        kept = await site.hasher.hash(password)
        await site.register.change(
            person(request).caller, lambda job: changes.add_user(job, name, roles, staff, kept)
        )
    except (AccountError, strict.Faults) as error:
        _, said, status, _ = troubles.explain(request, error)
        return _ask(request, status=status, said=said, asked=asked)
    return _show(request, name, password, new=True)


@get(_ONE, scope=Scope.ACCOUNTS, back="/accounts")
async def account(request: Http, site: TheSite) -> Response[Any]:
    """Show one user."""
    name = str(request.path_params["name"])
    found, locks, portrait = await site.register.look(
        lambda db: (
            changes.user(db, name),
            lockout.locks_of(db, site.now(), name),
            portraits.of_user(db, name),
        )
    )
    return render.page(
        request,
        "account.html",
        user=found,
        locks=locks,
        portrait=portrait,
        roles=ROLE_MEANINGS,
        myself=found.name == person(request).user.name,
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )


@post(_ONE + "/roles", scope=Scope.ACCOUNTS, back=_BACK, status_code=200)
async def set_roles(request: Http, site: TheSite) -> Response[Any]:
    """Give a user other roles."""
    name, roles = str(request.path_params["name"]), _roles(form(request))
    await site.register.change(
        person(request).caller, lambda job: changes.set_roles(job, name, roles)
    )
    return render.to(f"/accounts/{name}?done=roles")


@post(_ONE + "/staff", scope=Scope.ACCOUNTS, back=_BACK, status_code=200)
async def set_staff(request: Http, site: TheSite) -> Response[Any]:
    """Say which clerk citizens see."""
    name, staff = str(request.path_params["name"]), _staff(form(request))
    await site.register.change(
        person(request).caller, lambda job: changes.set_staff(job, name, staff)
    )
    return render.to(f"/accounts/{name}?done=staff")


@post(_ONE + "/password", scope=Scope.ACCOUNTS, back=_BACK, status_code=200)
async def give_password(request: Http, site: TheSite) -> Response[Any]:
    """Give a user a password that they have to change; it is shown on this page only."""
    name, password = str(request.path_params["name"]), passwords.generate()
    kept = await site.hasher.hash(password)
    await site.register.change(
        person(request).caller, lambda job: changes.give_password(job, name, kept)
    )
    return _show(request, name, password, new=False)


@post(_ONE + "/disable", scope=Scope.ACCOUNTS, back=_BACK, status_code=200)
async def disable(request: Http, site: TheSite) -> Response[Any]:
    """Shut a user out."""
    name = str(request.path_params["name"])
    await site.register.change(person(request).caller, lambda job: changes.disable(job, name))
    return render.to(f"/accounts/{name}?done=disabled")


@post(_ONE + "/enable", scope=Scope.ACCOUNTS, back=_BACK, status_code=200)
async def enable(request: Http, site: TheSite) -> Response[Any]:
    """Let a user in again."""
    name = str(request.path_params["name"])
    await site.register.change(person(request).caller, lambda job: changes.enable(job, name))
    return render.to(f"/accounts/{name}?done=enabled")


@post(_ONE + "/unlock", scope=Scope.ACCOUNTS, back=_BACK, status_code=200)
async def unlock(request: Http, site: TheSite) -> Response[Any]:
    """Forget the wrong passwords of a user."""
    name = str(request.path_params["name"])
    await site.register.change(person(request).caller, lambda job: changes.unlock(job, name))
    return render.to(f"/accounts/{name}?done=unlocked")


def _ask(
    request: Http, *, status: int = 200, said: str = "", asked: Form | None = None
) -> Response[Any]:
    asked = asked or Form([])
    return render.page(
        request,
        "account_new.html",
        status=status,
        said=said,
        roles=ROLE_MEANINGS,
        ticked=asked.every("role"),
        given={field: asked.text(field) for field in ("name", "staff_name", "number", "post")},
    )


def _show(request: Http, name: str, password: str, *, new: bool) -> Response[Any]:
    return render.page(request, "password_given.html", name=name, password=password, new=new)


def _roles(asked: Form) -> frozenset[Role]:
    known = {role.value for role in Role}
    return frozenset(Role(each) for each in asked.every("role") if each in known)


def _staff(asked: Form) -> Staff | None:
    given = {
        "name": asked.text("staff_name"),
        "number": asked.text("number"),
        "post": asked.text("post"),
    }
    return strict.convert(given, Staff) if any(given.values()) else None


PAGES = [
    accounts,
    new,
    add,
    account,
    set_roles,
    set_staff,
    give_password,
    disable,
    enable,
    unlock,
]
