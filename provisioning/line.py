"""The cable at the IT desk: a serial port, or whatever else pyserial opens by URL."""

import errno
from contextlib import suppress
from typing import Any

import serial

BAUD = 115_200
"""Only a real UART cares; a USB gadget, a pty and a socket are as fast as they are."""

POLL_S = 0.02
WRITE_S = 2.0


class LineError(Exception):
    """The port cannot be opened or is gone; the text says what to check, in Chinese."""


class Line:
    """An open port. Reading waits at most `POLL_S`; what nobody takes in time is dropped."""

    def __init__(self, port: Any) -> None:
        self._port = port

    @classmethod
    def open(cls, url: str) -> "Line":
        """Open `/dev/…` (for us alone), `socket://host:port`, `loop://` …; raises `LineError`."""
        alone = {"exclusive": True} if "://" not in url else {}
        try:
            port = serial.serial_for_url(
                url, baudrate=BAUD, timeout=POLL_S, write_timeout=WRITE_S, **alone
            )
        except ValueError as error:
            raise LineError(f"端口写法不对：{url}（{error}）") from error
        except OSError as error:  # pyserial's own exception is one
            raise LineError(f"无法打开端口 {url}：{_hint(error)}") from error
        return cls(port)

    def read(self) -> bytes:
        """Return what has come in, or nothing after `POLL_S`; raises `LineError`."""
        try:
            first = self._port.read(1)
            waiting = self._port.in_waiting if first else 0
            return bytes(first + self._port.read(waiting)) if waiting else bytes(first)
        except (OSError, TypeError) as error:  # TypeError: pyserial on a port that went away
            raise LineError(f"端口已断开：{error}") from error

    def write(self, data: bytes) -> None:
        """Write; raises `LineError` when the port is gone."""
        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            with suppress(OSError):  # nobody reads at the other end: it will be sent again
                self._port.reset_output_buffer()
        except (OSError, TypeError) as error:
            raise LineError(f"端口已断开：{error}") from error

    def close(self) -> None:
        """Close the port; one that is gone already is no error."""
        with suppress(OSError, TypeError):
            self._port.close()


def _hint(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return "没有这个端口，请检查线缆是否插好、端口名称是否写对"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "没有权限，请用管理员身份执行，或把当前用户加入 dialout 组"
    if error.errno in (errno.EAGAIN, errno.EBUSY):
        return "端口正被别的程序使用，请先关闭那个程序"
    return str(error)
