"""The kiosk's TLS towards the hall: both sides show a certificate, TLS 1.2 or later."""

import ssl
from collections.abc import Callable
from pathlib import Path

from device.identity import IdentityError

MakeContext = Callable[[], ssl.SSLContext]
"""Reads the files anew each time, so that a renewed certificate is taken up; raises OSError."""


def of_state(state: Path) -> MakeContext:
    """Return what makes contexts of the identity that enrolment left in the state directory.

    The server's name is checked. Raises `IdentityError` where there is no usable identity.
    """

    def make() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = _Socket
        context.load_verify_locations(state / "identity" / "ca.pem")
        context.load_cert_chain(
            state / "identity" / "device.pem", state / "device-key.pem", _no_passphrase
        )
        return context

    try:
        make()
    except FileNotFoundError:
        raise IdentityError("本机还没有大厅签发的证书，请先执行 pingyi-kiosk enrol") from None
    except OSError as error:
        raise IdentityError(
            f"{state / 'identity'} 中的证书无法使用，请重新入网：{error}"
        ) from error
    return make


class _Socket(ssl.SSLSocket):
    """Closed when its handshake fails: paho would leave that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _no_passphrase() -> str:
    """An encrypted key is an error, never a question on the terminal."""
    return ""
