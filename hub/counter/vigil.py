"""What the tables say of windows, against the ledger: nobody is asked by one that was bent.

The tables beside the ledger are kept for fast answers, and whoever can write the file can bend
them: a clerk would get another's ratings. What does not agree is told once, and until it does
again it is an alarm.
"""

import logging
import threading

from sqlite_utils import Database

from hub.store import bindings, invitations, mending
from hub.store.vault import Vault, VaultError
from protocol.messages import Invitation

log = logging.getLogger(__name__)


_REMEMBERED = 1000


class Vigil:
    """Looks at windows and invitations, within jobs of the writer; `alarm` is for any thread.

    `vault` holds the key of the hub's marks; without it the ledger's word alone is asked.
    """

    def __init__(self, vault: Vault | None = None) -> None:
        self._vault = vault
        self._lock = threading.Lock()
        self._bent: set[str] = set()
        self._forged: set[str] = set()
        self._exhausted: tuple[str, ...] = ()

    def pairing_bent(self, db: Database, window: str) -> bool:
        """Whether the table gives a window another kiosk than the ledger."""
        return bindings.kept(db, window).device != self._look(db, window).device

    def seat_bent(self, db: Database, window: str) -> bool:
        """Whether the table puts another clerk at a window than the ledger."""
        return bindings.kept(db, window).staff != self._look(db, window).staff

    def look(self, db: Database) -> None:
        """Look at all windows that have something bound, and at the versions of what is shown."""
        with self._lock:
            before = set(self._bent)
        for window in bindings.windows_told_of(db) | before:
            self._look(db, window)
        self._exhausted = tuple(invitations.near_their_end(db))

    def genuine(self, db: Database, device: str, invitation: Invitation) -> bool:
        """Whether the hub has issued this invitation to this device: else nobody is shown it.

        Where the key cannot be read now, nobody is shown anything that cannot be looked at.
        """
        if self._vault is None:
            return True
        try:
            own = mending.genuine(db, self._vault, device, invitation)
        except VaultError as error:
            log.critical("invitation=unchecked device=%s error=%s", device, error)
            return False
        if not own and invitation.id not in self._forged:
            if len(self._forged) >= _REMEMBERED:
                self._forged.clear()
            self._forged.add(invitation.id)
            log.critical("invitation=forged device=%s id=%s note=not-shown", device, invitation.id)
        return own

    @property
    def alarm(self) -> str | None:
        """What is wrong, in Chinese, or None."""
        with self._lock:
            bent = sorted(self._bent)
        told = []
        if bent:
            told.append(
                f"{'、'.join(bent)}的配对或签到与台账不符：数据文件可能被改动过，这些窗口已停止邀请"
                "评价。请用 pingyi-hub verify 核查，再重新配对、重新签到"
            )
        if self._exhausted:
            told.append(
                f"评价器 {'、'.join(self._exhausted)} 的显示版本号异常：数据文件可能被改动过。"
                "请用 pingyi-hub verify 核查，并重新启动这些评价器"
            )
        return "；".join(told) or None

    def _look(self, db: Database, window: str) -> bindings.Bound:
        """Return how a window stands by the ledger; note whether the tables agree."""
        said = bindings.entered(db, window)
        bent = bindings.kept(db, window) != said
        with self._lock:
            news = bent != (window in self._bent)
            if bent:
                self._bent.add(window)
            else:
                self._bent.discard(window)
        if news and bent:
            log.critical("window=altered name=%s note=invites-nobody", window)
        elif news:
            log.warning("window=agrees-again name=%s", window)
        return said
