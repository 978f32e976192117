"""The window's business system, as an integrator would write it against the hub's interface."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import aiohttp

from demo.cases import Row

CHINA = timezone(timedelta(hours=8))
RETRY_S = 0.2


class Rejected(Exception):
    """The hub answered that this cannot be done; the text is its own."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem))
        self.code = str(problem.get("type", ""))


class WindowSystem:
    """Registers cases and invites; patient while the hub is away, as such a system must be."""

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
            "staff": {"name": row.staff, "number": staff_number(row.staff)},
            "timeout_s": timeout_s,
        }
        return await self._ask("POST", f"/windows/{quote(row.window, safe='')}/invitations", body)

    async def status(self, invitation: str) -> dict[str, Any]:
        """Return how an invitation stands."""
        return await self._ask("GET", f"/invitations/{invitation}")

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        while True:
            try:
                async with self._session.request(method, self._base + path, json=body) as answer:
                    found: dict[str, Any] = await answer.json(content_type=None)
                    if answer.status < 400:
                        return found
                    if answer.status < 500:
                        raise Rejected(found)
            except (aiohttp.ClientError, TimeoutError, ValueError):
                pass  # the hub is away
            await asyncio.sleep(RETRY_S)


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
