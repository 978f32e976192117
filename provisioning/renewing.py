"""One round of renewals: what waits at the hub is signed by the authority's rules, or refused."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime

from cryptography import x509
from msgspec import Struct

from protocol.errors import ProtocolError
from provisioning.authority import Authority
from provisioning.errors import AuthorityError
from provisioning.hub_client import HubClient, HubTrouble, NotTaken, Waiting


class Result(Struct, frozen=True):
    """How one request was answered: `until` when renewed, else `why` not, in Chinese."""

    device: str
    until: datetime | None = None
    why: str = ""

    def __str__(self) -> str:
        """The line that the operator reads."""
        if self.until is None:
            return f"{self.device}：没有续期：{self.why}"
        return f"{self.device}：已续期，有效期至 {self.until.astimezone():%Y-%m-%d}"


def run(hub: HubClient, authority: Authority, now: Callable[[], datetime]) -> Iterator[Result]:
    """Answer all that wait, one after the other; one that is refused does not stop the rest.

    What the hub did not take is not lost: the next round hands over the same certificate.
    Raises `HubTrouble`, or sqlite3.Error when the register cannot be used.
    """
    for waiting in hub.waiting():
        yield _answer(hub, authority, waiting, now())


def _answer(hub: HubClient, authority: Authority, asked: Waiting, now: datetime) -> Result:
    csr = asked.request.encode()
    try:
        chain = authority.renewed(csr, asked.device, now) or authority.renew(csr, asked.device, now)
    except (AuthorityError, ProtocolError) as error:
        return Result(asked.device, why=str(error))
    try:
        hub.answer(asked.device, chain.decode("ascii"))
    except NotTaken as error:
        return Result(asked.device, why=f"大厅服务器没有接受：{error}")
    return Result(asked.device, x509.load_pem_x509_certificates(chain)[0].not_valid_after_utc)


class Watch:
    """Rounds without end, of which only what is new is said, by `say`.

    `one_round` raises as `run`; `register_unusable` puts a trouble with the register in words.
    """

    def __init__(
        self,
        one_round: Callable[[], Iterator[Result]],
        say: Callable[[str], None],
        *,
        register_unusable: Callable[[sqlite3.Error], str],
    ) -> None:
        self._one_round = one_round
        self._say = say
        self._register_unusable = register_unusable
        self._trouble = ""
        self._refused: dict[str, str] = {}

    def turn(self) -> None:
        """Do one round; a trouble is said when it begins and when it is over."""
        refused = {}
        try:
            for result in self._one_round():
                if result.until is None:
                    refused[result.device] = result.why
                if result.until or self._refused.get(result.device) != result.why:
                    self._say(str(result))
        except HubTrouble as error:
            self._in_trouble(error.kind, str(error))
            return
        except sqlite3.Error as error:
            self._in_trouble("register", self._register_unusable(error))
            return
        self._refused = refused
        if self._trouble:
            self._trouble = ""
            self._say("已恢复正常，继续续期。")

    def _in_trouble(self, kind: str, text: str) -> None:
        if kind != self._trouble:
            self._trouble = kind
            self._say(text)
