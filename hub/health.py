"""What `/readyz` tells: whether the hub can do its work, from what each of its parts knows."""

from collections.abc import Callable, Sequence

from hub.kiosks.guard import Guard
from hub.kiosks.presence import Presence
from hub.kiosks.roster import Roster
from hub.link.client import HubLink
from hub.store.writer import Writer
from hub.web.values import Health


class HealthCheck:
    """`alarms`: what else is asked; each gives what is wrong, in Chinese, or None."""

    def __init__(
        self,
        *,
        link: HubLink,
        writer: Writer,
        guard: Guard,
        roster: Roster,
        presence: Presence,
        alarms: Sequence[Callable[[], str | None]],
    ) -> None:
        self._link = link
        self._writer = writer
        self._guard = guard
        self._roster = roster
        self._presence = presence
        self._alarms = alarms

    def __call__(self) -> Health:
        """Return it as it is now."""
        reasons = []
        if not self._link.up:
            reasons.append("与消息服务的连接中断，评价器收不到邀请")
        if self._writer.trouble:
            reasons.append(
                f"数据写不进磁盘（{self._writer.trouble}）：请检查磁盘是否已满或只读；"
                "评价都留在评价器里，恢复后自动补送"
            )
        ready = not reasons and not self._guard.locked_out
        full = [
            f"评价器 {device} 存放评价的空间"
            + ("已满，已暂停使用：" if word == "full" else "不多了：")
            + "请检查它与服务器的连接和磁盘"
            for device, word in self._presence.short_of_storage().items()
        ]
        told = [alarm for ask in self._alarms if (alarm := ask())]
        return Health(
            ready=ready,
            reasons=(*reasons, *full, *told, *self._roster.alarms, *self._guard.alarms),
        )
