"""A hub that knows its kiosks by certificate, as a process, and kiosks that show theirs."""

from tls_world import Papers, new_key
from world_front import request, text
from world_hall import OTHER_WINDOW, WINDOW
from world_service import HALL, HubProcess, Kiosk

from protocol import signing, wire
from protocol.messages import Renewal, State
from protocol.topics import Leaf


class EnrolledHub(HubProcess):
    """`pingyi-hub serve` without a single key in its configuration."""

    def __init__(self, folder, papers: Papers, *, broker_port, section=None) -> None:
        super().__init__(folder, embedded=section is None, broker_port=broker_port)
        self.papers = papers
        plain = (
            f"[broker]\nembedded = true\nport = {broker_port}\n"
            f'device_ca = "{papers.folder}/device-ca.pem"\n'
        )
        self.config.write_text(
            f'hall = "{HALL}"\nhall_name = "示例大厅"\nstate = "state"\n'
            f"[api]\nport = {self.port}\n{section or plain}"
            f'[[windows]]\nname = "{WINDOW}"\n[[windows]]\nname = "{OTHER_WINDOW}"\n',
            encoding="utf-8",
        )


class EnrolledKiosk(Kiosk):
    """A kiosk with a key of its own, that shows its certificate when it connects."""

    def __init__(self, port, device, papers, *, key=None, certificate=None, **more) -> None:
        self.key = key or new_key()
        self.certificate = certificate or papers.device(device, key=self.key)
        super().__init__(port, device, **more)

    def birth(self, mono_ms=1):
        state = State(
            boot=self.boot,
            connection=self.connection,
            online=True,
            mono_ms=mono_ms,
            certificate=text(self.certificate),
        )
        self.say(Leaf.STATE, wire.encode(state), retain=True)

    def renew(self):
        self.say(Leaf.RENEWAL, wire.encode(Renewal(request=request(self.key, self.device))))

    def rate(self, outcome):
        self.say(Leaf.RATING, signing.sign(outcome, self.key))

    def settings(self):
        found = self.all(Leaf.SETTINGS)
        return found[-1] if found else None

    def code(self):
        """The pairing code on its screen, or None."""
        settings = self.settings()
        return settings.pairing.code if settings and settings.pairing else None

    def window(self):
        settings = self.settings()
        return settings.window.name if settings and settings.window else None

    def clerk(self):
        settings = self.settings()
        return settings.staff.name if settings and settings.staff else None
