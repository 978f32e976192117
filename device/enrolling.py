"""An enrolment beside a screen: it runs in a thread of its own and tells what is to be drawn."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from device import enrolment, identity
from device.clocks import monotonic_ms
from device.config import KioskConfig
from device.enrolment import EnrolmentFailed
from device.identity import IdentityError
from device.line import Line
from device.troubles import unusable
from device.view import EnrolmentView, Step
from protocol.enrolment.conversation import KioskConversation
from protocol.enrolment.kiosk import REVEALED_LIMIT, Stage

log = logging.getLogger(__name__)

NEVER = "本机还没有入网"
LOOK_MS = 2_000
"""How often a waiting kiosk looks whether another program has enrolled it."""

STEPS = {
    Stage.NONCE: Step.JOINING,
    Stage.DELIVER: Step.ISSUING,
    Stage.STORING: Step.STORING,
    Stage.TEST: Step.STORING,
    Stage.TESTING: Step.TESTING,
    Stage.CLOSING: Step.TESTING,
}
"""What is seen while a stage lasts. Of `VOUCHER` it is the number, which comes with it."""


class Pauses(Struct, frozen=True):
    """How long an end stays on the screen, in seconds; then the program ends, or begins anew.

    `suspect`: after so many numbers that somebody might be trying them out.
    """

    done: float = 6
    failed: float = 10
    suspect: float = 600


class Enrolling:
    """One kiosk's enrolment. `tell` gets each new picture and `over` the end, on its thread.

    With `wait_ms` it is tried once; with None until the kiosk is enrolled, by this program or by
    another, however often the cable is pulled or an attempt fails. `cause` is why it is needed,
    where there is more to say than that the kiosk was never enrolled.
    """

    def __init__(
        self,
        config: KioskConfig,
        state: Path,
        port: str,
        *,
        wait_ms: int | None,
        cause: str = "",
        pauses: Pauses = Pauses(),  # noqa: B008 - frozen
    ) -> None:
        self._state = state
        self._port = port
        self._wait_ms = wait_ms
        self._pauses = pauses
        self._cause = cause
        self._start = EnrolmentView(config.device, config.hall, port, again=wait_ms is None)
        self.view = self._start
        self.enrolled = False
        self._tell: Callable[[EnrolmentView], None] = lambda _: None
        self._over: Callable[[], None] = lambda: None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="enrolment", daemon=True)
        self._conversation: KioskConversation | None = None
        self._revealed = 0
        self._looked_ms = 0
        self._trouble = ""

    def start(self, tell: Callable[[EnrolmentView], None], over: Callable[[], None]) -> None:
        """Begin; both are called from the other thread."""
        self._tell, self._over = tell, over
        self._thread.start()

    def stop(self) -> None:
        """End, wherever it stands; waits for a connection test that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(enrolment.CONNECT_S + 2 * enrolment.ALERT_S + 5)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._show(self._start)
                self._once()
                if self._stop.is_set():
                    return
                self.enrolled = self.view.step is Step.DONE
                log.log(
                    logging.INFO if self.enrolled else logging.WARNING,
                    "enrolment=%s text=%s",
                    self.view.step,
                    self.view.text,
                )
                self._stop.wait(self._pause())
                if self.enrolled or self._wait_ms is not None:
                    return
        finally:
            self._over()

    def _pause(self) -> float:
        if self.enrolled:
            return self._pauses.done
        if self._revealed >= REVEALED_LIMIT and self._wait_ms is None:
            # A number is a one in a million chance for somebody in between: see the limit.
            self._revealed = 0
            return self._pauses.suspect
        return self._pauses.failed

    def _once(self) -> None:
        """Try once; what came of it is in `view`."""
        try:
            conversation = self._conversation = enrolment.begin(
                self._state, self._start.device, self._start.hall
            )
            # A failure that begins anew by itself must not give anybody new numbers to try.
            conversation.kiosk = replace(conversation.kiosk, revealed=self._revealed)
            hands = enrolment.at_work(
                self._state, show=self._number, progress=self._progress, port=self._port_is
            )
            enrolment.run(
                lambda: Line.open(self._port),
                conversation,
                hands,
                wait_ms=self._wait_ms,
                patient=True,
                going=self._going,
            )
        except (EnrolmentFailed, IdentityError) as error:
            self._fail(str(error))
        except (OSError, sqlite3.Error) as error:
            self._fail(unusable(self._state, error))
        except Exception:  # the screen must not stand still for ever
            log.exception("enrolment=broken")
            self._fail("评价器程序出错，请把日志交给管理员")
        else:
            if not self._stop.is_set():
                self._done(conversation)

    def _going(self) -> bool:
        conversation = self._conversation
        if self._stop.is_set() or conversation is None:
            return False
        if conversation.kiosk.stage is not Stage.HELLO:
            return True
        self._wait(conversation)
        now = monotonic_ms()
        if self._wait_ms is not None or now - self._looked_ms < LOOK_MS:
            return True
        self._looked_ms = now
        return bool(missing(self._state, self._start.device, self._start.hall))

    # ------------------------------------------------------------ what is seen

    def _show(self, view: EnrolmentView) -> None:
        if view != self.view or view is self._start:
            self.view = view
            self._tell(view)

    def _number(self, number: str) -> None:
        self._revealed += 1
        self._show(replace(self._start, step=Step.COMPARING, number=number))

    def _progress(self, stage: Stage) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        if stage is Stage.DONE:
            self._done(conversation)
        elif stage is Stage.FAILED:
            self._fail(conversation.failure)
        elif stage is Stage.HELLO:
            self._wait(conversation)
        elif stage in STEPS:
            self._show(replace(self._start, step=STEPS[stage]))

    def _wait(self, conversation: KioskConversation) -> None:
        """Wait for a desk; one that meant another kiosk was told so, and a person reads it."""
        text = self._trouble or conversation.failure or self._cause
        self._show(replace(self._start, text=text))

    def _port_is(self, trouble: str) -> None:
        if bool(trouble) != bool(self._trouble):
            log.warning("desk-port=%s port=%s", "away" if trouble else "open", self._port)
        self._trouble = trouble

    def _done(self, conversation: KioskConversation) -> None:
        kiosk = conversation.kiosk
        self._show(replace(self._start, step=Step.DONE, text=kiosk.remark, passed=kiosk.passed))

    def _fail(self, text: str) -> None:
        self._show(replace(self._start, step=Step.FAILED, text=text))


def missing(state: Path, device: str, hall: str) -> str:
    """Say why this kiosk cannot serve by the identity it has, in Chinese; "" if it can."""
    try:
        found = identity.enrolled(state)
    except IdentityError as error:
        return str(error)
    if found is None:
        return NEVER
    if (found.terms.device, found.terms.hall) != (device, hall):
        return f"本机保存的是 {found.terms.hall} 大厅 {found.terms.device} 的证书，与配置文件不符"
    return ""
