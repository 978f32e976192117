"""A smaller hall's records as it would send them, and a wire to a larger hall that can be cut."""

import contextlib
import socket
import threading

import msgspec
from brokers import LOOPBACK
from world_hall import KEYS, a_case, an_invitation, rated

from hub.kiosks.keys import pem_of
from hub.rules.afterwards import Added
from hub.rules.records import (
    addition_record,
    rating_record,
    ruling_record,
    service_record,
)
from protocol import signing

SMALL = "示例小厅"
OTHER = "示例另一小厅"


class Story:
    """One service of a smaller hall: its case, and a rating that a kiosk really signed."""

    def __init__(self, serial="SL0001", number=1, *, case=None, **change):
        self.case = case or a_case(serial, number)
        self.asked = an_invitation(serial, number)
        self.rated = rated(self.asked.id, **({"asked": self.asked} | change))
        self.jws = signing.sign(self.rated, KEYS[self.rated.device]).decode("ascii")
        self.record = rating_record(self.case, self.asked, self.rated, 1_790_000_100_000)

    def service(self, **change):
        return {"kind": "service", "record": service_record(self.case) | change}

    def proof(self, **change):
        key = pem_of(KEYS[self.rated.device].public_key()).decode("ascii")
        return {"device": self.rated.device, "key": key, "jws": self.jws, "position": 7} | change

    def rating(self, *, proof=None, **change):
        return {"kind": "rating", "record": self.record | change, "proof": proof or self.proof()}

    def ruling(self, **change):
        record = ruling_record(self.record) | change
        return {"kind": "ruling", "record": record, "proof": self.proof()}

    def addition(self, text="补充几句示例的话", **change):
        record = addition_record(self.record, Added(text=text), 1_790_000_200_000) | change
        return {"kind": "addition", "record": record, "proof": self.proof()}


class Wire:
    """Carries bytes to a port of the loopback; while it is `deaf`, no answer comes back."""

    def __init__(self, to):
        self.deaf = False
        self._to = to
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = self._server.getsockname()[1]
        self._open = set()
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                try:
                    far = socket.create_connection((LOOPBACK, self._to), 5)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                self._open |= {near, far}
                for pair in ((near, far, False), (far, near, True)):
                    self._threads.append(threading.Thread(target=self._pump, args=pair))
                    self._threads[-1].start()

    def _pump(self, source, sink, answers):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not (answers and self.deaf):
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in self._open:
            each.close()


def facts(case):
    """What a window system says of a case."""
    said = msgspec.to_builtins(case)
    del said["serial"], said["service_number"]
    return said
