"""The window's business system, as an integrator would write it against the hub's interface."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import aiohttp

from demo.cases import Row
from hub.rules.access import Scope

CHINA = timezone(timedelta(hours=8))
RETRY_S = 0.2
SCOPES = (
    Scope.CASES,
    Scope.INVITE,
    Scope.WINDOWS,
    Scope.SIGN_ON_ANYONE,
    Scope.PAIR,
    Scope.REBIND,
)
"""What the key of this window system must be allowed to do."""


class Rejected(Exception):
    """The hub answered that this cannot be done; `code` is the kind, the text is its own."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem))
        self.code = str(problem.get("type", "")).rpartition(":")[2]


class WindowSystem:
    """Binds kiosks and clerks, registers cases, invites.

    Patient while the hub is away, as such a system must be: a call is said again until it is
    answered, so where its answer was lost it may have been done already. Every call raises
    `Rejected`.
    """

    def __init__(self, port: int, key: str) -> None:
        self._base = f"http://127.0.0.1:{port}/api/v1"
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {key}"},
            timeout=aiohttp.ClientTimeout(total=10),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def register(self, row: Row) -> None:
        """Register the case of a row."""
        await self._ask(
            "PUT", f"/cases/{quote(row.serial, safe='')}/{row.service_number}", case_of(row)
        )

    async def invite(self, row: Row, timeout_s: int) -> dict[str, Any]:
        """Invite the citizen of a row to rate; returns the invitation's status."""
        body = {
            "serial": row.serial,
            "service_number": row.service_number,
            "staff": clerk(row.staff),
            "timeout_s": timeout_s,
        }
        return dict(await self._ask("POST", _window(row.window, "/invitations"), body))

    async def status(self, invitation: str) -> dict[str, Any]:
        """Return how an invitation stands."""
        return dict(await self._ask("GET", f"/invitations/{invitation}"))

    async def windows(self) -> dict[str, dict[str, Any]]:
        """Return how all windows stand, by name."""
        return {each["name"]: each for each in await self._ask("GET", "/windows")}

    async def window(self, name: str) -> dict[str, Any]:
        """Return how a window stands."""
        return dict(await self._ask("GET", _window(name)))

    async def claim(self, window: str, code: str) -> dict[str, Any]:
        """Type the code of a kiosk for a window; returns which kiosk that is."""
        return dict(await self._ask("POST", _window(window, "/pairing"), {"code": code}))

    async def confirm(self, window: str, device: str) -> None:
        """Confirm that the kiosk shows the window's name."""
        await self._ask("POST", _window(window, "/pairing/confirmation"), {"device": device})

    async def cancel(self, window: str, device: str) -> None:
        """Say that it was another kiosk."""
        await self._ask("POST", _window(window, "/pairing/cancellation"), {"device": device})

    async def move(self, window: str, to: str, device: str) -> None:
        """Have the kiosk of a window serve another one."""
        try:
            await self._ask("POST", _window(window, "/pairing/move"), {"to": to})
        except Rejected as error:
            moved = error.code == "not_paired" and (await self.window(to))["device"] == device
            if not moved:  # else it was done before, and the answer lost
                raise

    async def sign_on(self, window: str, name: str) -> None:
        """Put a clerk at a window."""
        await self._ask("PUT", _window(window, "/staff"), clerk(name))

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        while True:
            try:
                async with self._session.request(method, self._base + path, json=body) as answer:
                    found: Any = (
                        None if answer.status == 204 else await answer.json(content_type=None)
                    )
                    if answer.status < 400:
                        return found
                    if answer.status < 500:
                        raise Rejected(found)
            except (aiohttp.ClientError, TimeoutError, ValueError):
                pass  # the hub is away
            await asyncio.sleep(RETRY_S)


def _window(name: str, rest: str = "") -> str:
    return f"/windows/{quote(name, safe='')}{rest}"


def clerk(name: str) -> dict[str, str]:
    """Return a clerk as the hub is told of them."""
    return {"name": name, "number": staff_number(name)}


def staff_number(name: str) -> str:
    """Return a fictitious staff number that is always the same for a name."""
    return f"{sum(map(ord, name)) % 9000 + 1000}"


def case_of(row: Row) -> dict[str, Any]:
    """Return the case of a row with plainly fictitious details of the applicant."""
    now = datetime.now(UTC).astimezone(CHINA)
    mark = sum(map(ord, row.serial + str(row.service_number)))
    return {
        "matter": row.matter,
        "task_code": f"{mark % 10**11:011d}".rjust(31, "0"),
        "task_type": ("01", "20", "07")[mark % 3],
        "status": "3",
        "org_code": "00000000-0",
        "org_name": "示例区行政审批局",
        "area_code": "120116",
        "accepted_at": f"{now - timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "finished_at": f"{now:%Y-%m-%d %H:%M:%S}",
        "service_name": "办结",
        "service_time": f"{now:%Y-%m-%d %H:%M:%S}",
        "promise": "2",
        "manager": row.staff,
        "applicant": {
            "name": "示例申请人",
            "certificate_number": "000000000000000000",
            "mobile": "10000000000",
        },
    }
