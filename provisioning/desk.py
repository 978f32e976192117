"""The desk's half at work: the port is read, the operator asked, the authority called."""

import secrets
import sqlite3
import time
from collections.abc import Callable

from msgspec import Struct

from protocol.enrolment.conversation import DeskConversation
from protocol.enrolment.desk import (
    Compare,
    Confirmed,
    Denied,
    Event,
    Issued,
    NotIssued,
    Stage,
    Vouch,
    Vouched,
    Wish,
)
from protocol.enrolment.messages import Terms
from protocol.errors import ProtocolError
from provisioning.errors import AuthorityError
from provisioning.issuing import Issuing
from provisioning.line import Line, LineError

_REOPEN_S = 0.2

PROGRESS = {
    Stage.OPENING: "等待评价器应答",
    Stage.COMMIT: "已接通，交换信息",
    Stage.COMPARE: "核对数字",
    Stage.REQUEST: "等待评价器的签名申请",
    Stage.ISSUE: "签发证书",
    Stage.STORED: "发送证书，等待评价器保存",
    Stage.TESTED: "已保存，评价器正在测试与大厅服务器的连接",
    Stage.DONE: "入网完成",
}
"""What the operator reads, for the stages that last."""


class EnrolmentFailed(Exception):
    """The kiosk was not enrolled; the text says what to do, in Chinese."""


class Enrolled(Struct, frozen=True):
    """A kiosk that has its identity. `passed` and `remark`: its own connection test."""

    number: str
    passed: bool
    remark: str


def monotonic_ms() -> int:
    """Milliseconds of the clock that never jumps."""
    return time.monotonic_ns() // 1_000_000


class Desk:
    """Enrols one kiosk. `confirm` asks the operator about a number; `progress` gets each stage.

    `wait_ms`: so long a kiosk may take to answer, or to come back.
    """

    def __init__(
        self,
        open_line: Callable[[], Line],
        terms: Terms,
        issuing: Issuing,
        *,
        confirm: Callable[[str], bool],
        progress: Callable[[Stage], None] = lambda _: None,
        now: Callable[[], int] = monotonic_ms,
        wait_ms: int = 20_000,
    ) -> None:
        self._open_line = open_line
        self._issuing = issuing
        self._confirm = confirm
        self._progress = progress
        self._now = now
        self._conversation = DeskConversation(terms, secrets.token_bytes, wait_ms=wait_ms)
        self._told: Stage | None = None

    def run(self) -> Enrolled:
        """Enrol; raises `LineError` (the port cannot be opened at first) or `EnrolmentFailed`."""
        line: Line | None = self._open_line()
        conversation = self._conversation
        conversation.start(self._now())
        try:
            while not conversation.over:
                self._tell()
                try:
                    if line is None:
                        line = self._open_line()
                        conversation.start(self._now())
                    self._turn(line)
                except LineError:
                    conversation.cut(self._now())
                    conversation.take()
                    if line is not None:
                        line.close()
                    line = None
                    time.sleep(_REOPEN_S)
                    conversation.check(self._now())
        finally:
            if line is not None:
                line.close()
        self._tell()
        if conversation.failure:
            raise EnrolmentFailed(conversation.failure)
        self._issuing.finished()
        desk = conversation.desk
        return Enrolled(desk.number, desk.passed, desk.remark)

    def _turn(self, line: Line) -> None:
        conversation = self._conversation
        data = line.read()
        if data:
            wishes = conversation.feed(data, self._now())
            line.write(conversation.take())  # before a person is asked, who takes their time
            while wishes:
                self._tell()
                started = self._now()
                answer = self._fulfil(wishes.pop(0))
                ended = self._now()
                wishes += conversation.answer(answer, ended, took_ms=ended - started)
        conversation.tick(self._now())
        line.write(conversation.take())

    def _fulfil(self, wish: Wish) -> Event:
        if isinstance(wish, Compare):
            return Confirmed() if self._confirm(wish.number) else Denied()
        try:
            if isinstance(wish, Vouch):
                return Vouched(self._issuing.voucher(wish.request))
            return Issued(self._issuing.issue(wish.request, wish.voucher, wish.hardware))
        except (AuthorityError, ProtocolError) as error:
            return NotIssued(str(error))
        except (OSError, sqlite3.Error) as error:
            return NotIssued(f"签发目录无法写入：{error}")

    def _tell(self) -> None:
        stage = self._conversation.desk.stage
        if stage is not self._told:
            self._told = stage
            self._progress(stage)
