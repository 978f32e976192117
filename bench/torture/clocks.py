"""Wrong clocks: libfaketime gives each program a wall clock of its own that can jump."""

from pathlib import Path

PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")


def library() -> Path | None:
    """Return libfaketime (Debian package `libfaketime`), if it is installed."""
    found = [path for place in PLACES for path in Path("/").glob(place.lstrip("/"))]
    return found[0] if found else None


class Clock:
    """The wall clock of one program; its monotonic clock and its files' times are left alone."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._library = library()
        self.set(0)

    @property
    def real(self) -> bool:
        """Whether it can jump at all."""
        return self._library is not None

    def set(self, seconds: int) -> None:
        """Be so far off from now on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n", encoding="ascii")
        fresh.replace(self._file)

    def wrap(self, command: list[str]) -> list[str]:
        """Return the command that runs a program by this clock."""
        if self._library is None:
            return command
        return [
            "/usr/bin/env",
            f"LD_PRELOAD={self._library}",
            f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_CACHE_DURATION=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "NO_FAKE_STAT=1",
            *command,
        ]
