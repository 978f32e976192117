"""The serial port of a pad: set as its model says, for us alone."""

import errno
import termios
import time
from contextlib import suppress
from typing import Any

import serial

from device.keypad.sheet import LineSheet

POLL_S = 0.04
WRITE_S = 0.1

_GONE = (OSError, TypeError, termios.error)  # TypeError: pyserial on a port that went away
_PARITY = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}

_WORDS = {
    errno.ENOENT: "no-such-port",
    errno.ENXIO: "no-such-port",
    errno.ENODEV: "no-such-port",
    errno.EACCES: "no-permission",
    errno.EPERM: "no-permission",
    errno.EAGAIN: "in-use",
    errno.EBUSY: "in-use",
}


class PortError(Exception):
    """The port cannot be opened or is gone; the text is a stable word or the system's own."""


class NotTaken(Exception):
    """The pad did not take what was written to it in time."""


class _Serial(serial.Serial):  # type: ignore[misc]  # pyserial has no types
    """Counts what lay in the system's buffer when the port was opened; pyserial drops it."""

    stale = 0

    def _reset_input_buffer(self) -> None:
        with suppress(OSError):
            self.stale += self.in_waiting
        super()._reset_input_buffer()


class SerialPort:
    """An open port. `stale`: bytes that had been waiting and were dropped."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.stale: int = getattr(port, "stale", 0)

    @classmethod
    def open(cls, name: str, line: LineSheet) -> "SerialPort":
        """Open a device, or a URL such as `socket://host:port`; raises `PortError`."""
        settings = {
            "baudrate": line.baud,
            "bytesize": line.bits,
            "parity": _PARITY[line.parity],
            "stopbits": line.stop,
            "timeout": POLL_S,
            "write_timeout": WRITE_S,
        }
        try:
            if "://" in name:
                return cls(serial.serial_for_url(name, **settings))
            return cls(_Serial(name, exclusive=True, **settings))
        except ValueError as error:
            raise PortError(f"bad-name {error}") from error
        except (OSError, termios.error) as error:  # pyserial's own exception is an OSError
            raise PortError(_word(error)) from error

    def read(self) -> bytes:
        """Return all that has come in, or nothing after `POLL_S`; raises `PortError`."""
        try:
            first = self._port.read(1)
            waiting = self._port.in_waiting if first else 0
            return bytes(first + self._port.read(waiting)) if waiting else bytes(first)
        except _GONE as error:
            raise PortError("unplugged") from error

    def write(self, data: bytes) -> None:
        """Write within `WRITE_S`; raises `NotTaken` or `PortError`."""
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            with suppress(*_GONE):  # half a command is worse than none
                self._port.reset_output_buffer()
            raise NotTaken from error
        except _GONE as error:
            raise PortError("unplugged") from error

    def close(self) -> None:
        """Close; never raises."""
        with suppress(*_GONE):
            self._drain()
        sock = getattr(self._port, "_socket", None)
        with suppress(*_GONE):
            self._port.close()
        if sock is not None:  # pyserial forgets it where the other side hung up first
            sock.close()

    def _drain(self) -> None:
        """Let the last words out; closing itself would wait long for a pad that does not read."""
        end = time.monotonic() + WRITE_S
        while getattr(self._port, "out_waiting", 0):
            if time.monotonic() > end:
                self._port.reset_output_buffer()
                return
            time.sleep(0.005)


def _word(error: Exception) -> str:
    code = error.errno if isinstance(error, OSError) else None
    return _WORDS.get(code or 0, f"cannot-open {error}")
