"""Enrolment at the kiosk: the port is read, the number shown, the identity kept and tried."""

import secrets
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from device import identity
from device.clocks import monotonic_ms
from device.line import Line, LineError
from protocol.enrolment.conversation import KioskConversation
from protocol.enrolment.kiosk import Event, Kept, NotKept, Show, Stage, Store, Tried, Wish
from protocol.enrolment.messages import Terms

WAIT_MS = 600_000
"""So long the kiosk waits for a desk, or for one that was lost."""

PROGRESS = {
    Stage.NONCE: "入网台已接通",
    Stage.DELIVER: "数字已在入网台确认，等待证书",
    Stage.STORING: "收到证书，正在保存",
    Stage.TEST: "证书已保存",
    Stage.TESTING: "正在测试与大厅服务器的连接",
}
"""What a person at the kiosk reads, for the stages that last."""

CONNECT_S = 5.0
ALERT_S = 1.0
_REOPEN_S = 0.2
_SERIAL_NUMBER = Path("/proc/device-tree/serial-number")


class EnrolmentFailed(Exception):
    """The kiosk was not enrolled; the text says what to do, in Chinese."""


class Hands(Struct, frozen=True):
    """What the conversation wants done: shown to a person, kept on disk, tried on the network.

    `progress` gets each new stage of the conversation; `port`, what is wrong with the port (in
    Chinese) each time that it cannot be opened or goes away, and "" when it is open again.
    """

    show: Callable[[str], None]
    keep: Callable[[str, Terms], None]
    attempt: Callable[[Terms], Tried]
    progress: Callable[[Stage], None] = lambda _: None
    port: Callable[[str], None] = lambda _: None


def run(
    open_line: Callable[[], Line],
    conversation: KioskConversation,
    hands: Hands,
    *,
    now: Callable[[], int] = monotonic_ms,
    wait_ms: int | None = WAIT_MS,
    patient: bool = False,
    going: Callable[[], bool] = lambda: True,
) -> None:
    """Serve desks until the kiosk is enrolled, or `going` no longer holds.

    With `wait_ms` None it waits for ever. One that is `patient` also waits for a port that is
    not there yet. Raises `LineError` for a port that cannot be opened at first (unless patient),
    `EnrolmentFailed` for all else.
    """
    line: Line | None = None if patient else open_line()
    told = _Told(conversation, hands.progress)
    awake = now()
    try:
        while not conversation.over and (wait_ms is None or now() - awake <= wait_ms):
            if not going():
                return
            try:
                if line is None:
                    line = open_line()
                    hands.port("")
                _turn(line, conversation, hands, told, now)
            except LineError as error:
                conversation.cut(now())
                conversation.take()
                if line is not None:
                    line.close()
                line = None
                hands.port(str(error))
                time.sleep(_REOPEN_S)
            told.tell()
            if conversation.talking:
                awake = now()
    finally:
        if line is not None:
            line.close()
    failure = conversation.failure if conversation.over else conversation.give_up()
    if failure:
        raise EnrolmentFailed(failure)


class _Told:
    """Passes on each new stage of a conversation, once."""

    def __init__(self, conversation: KioskConversation, progress: Callable[[Stage], None]) -> None:
        self._conversation = conversation
        self._progress = progress
        self._last = conversation.kiosk.stage

    def tell(self) -> None:
        stage = self._conversation.kiosk.stage
        if stage is not self._last:
            self._last = stage
            self._progress(stage)


def _turn(
    line: Line,
    conversation: KioskConversation,
    hands: Hands,
    told: _Told,
    now: Callable[[], int],
) -> None:
    data = line.read()
    if data:
        wishes = conversation.feed(data, now())
        line.write(conversation.take())  # before anything that takes its time
        told.tell()
        _fulfil(wishes, conversation, hands, told, now)
    conversation.tick(now())
    line.write(conversation.take())


def _fulfil(
    wishes: list[Wish],
    conversation: KioskConversation,
    hands: Hands,
    told: _Told,
    now: Callable[[], int],
) -> None:
    answer: Event
    for wish in wishes:
        if isinstance(wish, Show):
            hands.show(wish.number)
            continue
        if isinstance(wish, Store):
            try:
                hands.keep(wish.chain, wish.terms)
                answer = Kept()
            except OSError as error:
                answer = NotKept(str(error.strerror or error))
        else:
            answer = hands.attempt(wish.terms)
        more = conversation.answer(answer, now())
        told.tell()
        _fulfil(more, conversation, hands, told, now)


def attempt(state: Path, terms: Terms) -> Tried:
    """Connect to the hub as this kiosk would: TCP, then TLS with its own certificate."""
    where = f"{terms.host}:{terms.port}"
    place = state / "identity"
    try:
        context = ssl.create_default_context(cafile=str(place / "ca.pem"))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(place / "device.pem", state / "device-key.pem")
        with (
            socket.create_connection((terms.host, terms.port), CONNECT_S) as plain,
            context.wrap_socket(plain, server_hostname=terms.host) as secured,
        ):
            secured.settimeout(ALERT_S)
            try:
                # With TLS 1.3 a server refuses a certificate only after the handshake. A broker
                # that is content says nothing until it is spoken to.
                refused = not secured.recv(1)
            except TimeoutError:
                refused = False
    except ssl.SSLCertVerificationError as error:
        return Tried(
            passed=False,
            text=f"{where} 的服务器证书不可信：{error.verify_message}。请核对地址和本机时间",
        )
    except ssl.SSLError as error:
        return Tried(passed=False, text=f"{where} 不接受加密连接或本机证书：{error.reason}")
    except OSError as error:
        return Tried(passed=False, text=f"连接不上 {where}：{error.strerror or error}")
    if refused:
        return Tried(passed=False, text=f"{where} 接受连接后又断开，可能不接受本机证书")
    return Tried(passed=True, text=f"已用本机证书连接 {where}")


def hardware() -> str:
    """Return the machine's own serial number (Raspberry Pi), or nothing where it has none."""
    try:
        text = _SERIAL_NUMBER.read_text("ascii").strip("\0\n ")
    except (OSError, ValueError):
        return ""
    return text[:40] if text.isprintable() else ""


def begin(state: Path, device: str, hall: str) -> KioskConversation:
    """Return a conversation about this kiosk's key, which is made if there is none.

    Raises `identity.IdentityError` or OSError.
    """
    key = identity.load_or_create(state / "device-key.pem")
    return KioskConversation(key, device, hall, secrets.token_bytes, hardware=hardware())


def at_work(
    state: Path,
    *,
    show: Callable[[str], None],
    progress: Callable[[Stage], None],
    port: Callable[[str], None] = lambda _: None,
) -> Hands:
    """Return the hands that keep and try for real."""
    return Hands(
        show=show,
        keep=lambda chain, terms: identity.store(state, chain, terms),
        attempt=lambda terms: attempt(state, terms),
        progress=progress,
        port=port,
    )


def enrol(
    url: str,
    state: Path,
    device: str,
    hall: str,
    *,
    show: Callable[[str], None],
    progress: Callable[[Stage], None] = lambda _: None,
    wait_ms: int = WAIT_MS,
) -> Tried:
    """Enrol this kiosk over `url`; return how the connection test went.

    Raises `LineError`, `EnrolmentFailed`, `identity.IdentityError` or OSError.
    """
    conversation = begin(state, device, hall)
    hands = at_work(state, show=show, progress=progress)
    run(lambda: Line.open(url), conversation, hands, wait_ms=wait_ms)
    return Tried(conversation.kiosk.passed, conversation.kiosk.remark)
