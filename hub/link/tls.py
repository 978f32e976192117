"""The hub's TLS towards its broker: both sides show a certificate, TLS 1.2 or later."""

import ssl
from collections.abc import Callable
from pathlib import Path

MakeContext = Callable[[], ssl.SSLContext]
"""Reads the files anew each time, so that a renewed certificate is taken up; raises OSError."""


def maker(ca: Path, certificate: Path, key: Path) -> MakeContext:
    """Return what makes contexts of these files (PEM); the server's name is checked."""

    def make() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = _Socket
        context.load_verify_locations(ca)
        context.load_cert_chain(certificate, key, _no_passphrase)
        return context

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
