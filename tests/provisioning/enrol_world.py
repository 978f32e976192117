"""A real authority, real ports on ptys, and both programs' halves in threads."""

import secrets
import threading

from device import enrolment, identity
from device.enrolment import EnrolmentFailed
from device.line import Line as KioskLine
from device.line import LineError as KioskLineError
from protocol.enrolment.conversation import KioskConversation
from protocol.enrolment.kiosk import Tried
from protocol.enrolment.messages import Terms
from provisioning.desk import Desk
from provisioning.issuing import Issuing
from provisioning.line import Line


class Kiosk:
    """A kiosk's half on its own thread; `failure` holds what it would have printed."""

    def __init__(self, port, state, *, device="kiosk-01", hall="hall-1", wait_ms=20_000):
        self.state = state
        self.shown = []
        self.failure = None
        self.tried = Tried(passed=True, text="已连接")
        self.key = identity.load_or_create(state / "device-key.pem")
        self.conversation = KioskConversation(self.key, device, hall, secrets.token_bytes)
        self._hands = enrolment.Hands(
            show=self.shown.append,
            keep=lambda chain, terms: identity.store(state, chain, terms),
            attempt=lambda _: self.tried,
        )
        self._port, self._wait_ms = port, wait_ms
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            enrolment.run(
                lambda: KioskLine.open(self._port),
                self.conversation,
                self._hands,
                wait_ms=self._wait_ms,
            )
        except (EnrolmentFailed, KioskLineError) as error:
            self.failure = str(error)

    def join(self, seconds=20):
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the kiosk is still at it"
        return self

    @property
    def enrolled(self):
        return identity.enrolled(self.state)


class Office:
    """The IT desk: an authority and the operator, who says yes unless told otherwise."""

    def __init__(self, authority, directory):
        self.authority = authority
        self.directory = directory
        self.asked = []
        self.stages = []

    def terms(self, device="kiosk-01", hall="hall-1"):
        ca = self.authority.root_pem.decode()
        return Terms(device=device, hall=hall, host="hub.example", port=8883, ca=ca)

    def desk(self, port, *, device="kiosk-01", hall="hall-1", confirm=None, wait_ms=5_000):
        def ask(number):
            self.asked.append(number)
            return confirm is None or confirm(number)

        return Desk(
            lambda: Line.open(port),
            self.terms(device, hall),
            Issuing(self.authority, self.directory, device, hall),
            confirm=ask,
            progress=self.stages.append,
            wait_ms=wait_ms,
        )

    def certificates(self, device="kiosk-01"):
        return self.authority.register.of_name(device)

    def vouchers(self):
        """How many vouchers were made, and how many of them were used."""
        rows = self.authority.register._rows("SELECT used_for FROM vouchers", ())
        return len(rows), sum(row[0] is not None for row in rows)


def whole(office, kiosk):
    """One certificate, one voucher, and it is what lies on the kiosk."""
    enrolled = kiosk.join().enrolled
    assert kiosk.failure is None
    assert office.vouchers() == (1, 1)
    (entry,) = office.certificates()
    assert enrolled.certificate.read_text().startswith(entry.pem)
    assert enrolled.terms == office.terms()
    return True
