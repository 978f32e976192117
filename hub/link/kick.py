"""Ends the session of a revoked kiosk: a broker keeps whoever was let in before.

MQTT 3.1.1, 3.1.4-2: a client id that connects again ends its older session. mosquitto's
loopback listener takes any client id from the one who has the password, and gives no rights.
"""

import socket

from hub.link.mosquitto import KICKER
from protocol import topics

TIMEOUT_S = 3.0

# MQTT 3.1.1, 3.1 and 3.2: protocol, level 4; user, password and clean session; 10 s.
_CONNECT = b"\x00\x04MQTT\x04\xc2\x00\x0a"
_ACCEPTED = b"\x20\x02\x00\x00"
_DISCONNECT = b"\xe0\x00"


class KickError(Exception):
    """The session may still be there; the text says why, in Chinese."""


class Kicker:
    """Kicks by the listener on loopback; 500 kiosks take about a second."""

    def __init__(self, port: int, password: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._port = port
        self._password = password
        self._timeout_s = timeout_s

    def kick(self, device: str) -> None:
        """End the session of a device, if it has one; raises `KickError`."""
        words = (topics.name(device), KICKER, self._password)
        body = _CONNECT + b"".join(map(_text, words))
        try:
            with socket.create_connection(("127.0.0.1", self._port), self._timeout_s) as line:
                line.sendall(bytes((0x10, len(body))) + body)
                answer = line.recv(4)
                line.sendall(_DISCONNECT)
        except OSError as error:
            raise KickError(f"消息服务的管理端口 127.0.0.1:{self._port} 不通：{error}") from error
        if answer != _ACCEPTED:
            raise KickError(
                "消息服务的管理端口拒绝了服务器：请核对 broker.kick_password，"
                "或重新执行 pingyi-hub broker-config 并重启 mosquitto"
            )


def _text(text: str) -> bytes:
    data = text.encode("ascii")
    return len(data).to_bytes(2, "big") + data
