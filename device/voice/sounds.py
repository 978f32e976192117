"""The files that are spoken: the hall's own, else made once by espeak-ng; checked before use."""

import array
import contextlib
import hashlib
import io
import logging
import shutil
import subprocess
import sys
import wave
from pathlib import Path

from msgspec import Struct

from device.voice.cues import ENGLISH, WORDS, Cue

log = logging.getLogger(__name__)

LARGEST = 2_000_000
LONGEST_S = 10.0
RATES = range(8_000, 48_001)
MAKING_S = 20


class Unusable(Exception):
    """A file cannot be spoken; the text is a stable word for the log."""


class Sound(Struct, frozen=True):
    """Samples of 16 bits, little-endian, `channels` interleaved, `rate` a second."""

    channels: int
    rate: int
    samples: bytes

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / (2 * self.channels * self.rate)

    def wav(self, volume: int) -> bytes:
        """Return it as a WAV file at `volume` percent. Its length does not depend on that."""
        samples = array.array("h")
        samples.frombytes(self.samples)
        if sys.byteorder == "big":
            samples.byteswap()
        scaled = array.array("h", (each * volume // 100 for each in samples))
        if sys.byteorder == "big":
            scaled.byteswap()
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(self.channels)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(scaled.tobytes())
        return out.getvalue()


def read(path: Path) -> Sound:
    """Read a WAV file; raises `Unusable` for what is none, or too large, or too long."""
    try:
        if not path.is_file():
            raise Unusable("no-file")
        with path.open("rb") as source:
            content = source.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise Unusable("too-large")
        with wave.open(io.BytesIO(content), "rb") as file:
            rate, count = file.getframerate(), file.getnframes()
            if file.getsampwidth() != 2 or file.getnchannels() not in (1, 2) or rate not in RATES:
                raise Unusable("not-16-bit-pcm")
            sound = Sound(file.getnchannels(), rate, file.readframes(count))
    except OSError as error:
        raise Unusable("unreadable") from error
    except (wave.Error, EOFError, ValueError, RuntimeError) as error:
        raise Unusable("not-wav") from error
    frame = 2 * sound.channels
    whole = len(sound.samples) // frame * frame
    sound = Sound(sound.channels, sound.rate, sound.samples[:whole])
    if not whole:
        raise Unusable("empty")
    if sound.seconds > LONGEST_S:
        raise Unusable("too-long")
    return sound


class Sounds:
    """The sound of each cue. `folder` is the hall's, None without; `cache` where made ones go."""

    def __init__(self, folder: Path | None, cache: Path) -> None:
        self._folder = folder
        self._cache = cache
        self._found: dict[Cue, Sound | None] = {}

    def load(self) -> dict[Cue, Sound]:
        """Read or make all of them; may take seconds at the first start. What fails is logged.

        English falls back to nothing, never to Chinese.
        """
        if self._folder is not None and not self._folder.is_dir():
            log.warning("voice=no-folder path=%s", self._folder)
        for cue in Cue:
            self._found[cue] = self._of_the_hall(cue) or self._made(cue)
        silent = [cue.value for cue, sound in self._found.items() if sound is None]
        if silent:
            log.warning("voice=silent cues=%s", ",".join(silent))
        return {cue: sound for cue, sound in self._found.items() if sound is not None}

    def _of_the_hall(self, cue: Cue) -> Sound | None:
        if self._folder is None:
            return None
        path = self._folder / f"{cue}.wav"
        if not path.exists():
            return None
        try:
            return read(path)
        except Unusable as error:
            log.warning("voice=unusable file=%s cause=%s", path, error)
            return None

    def _made(self, cue: Cue) -> Sound | None:
        program = shutil.which("espeak-ng")
        language = "en" if cue in ENGLISH.values() else "cmn"
        words = ["-v", language, "-s", "150", "-a", "180", WORDS[cue]]
        digest = hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
        path = self._cache / f"{cue}-{digest}.wav"
        try:
            if not path.exists():
                if program is None:
                    return None
                self._cache.mkdir(parents=True, exist_ok=True)
                draft = path.with_suffix(".draft")
                subprocess.run(  # noqa: S603 - a program of the system, with words of ours
                    [program, *words[:-1], "-w", draft, words[-1]],
                    check=True,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=MAKING_S,
                )
                read(draft)
                draft.replace(path)
            return read(path)
        except (OSError, subprocess.SubprocessError, Unusable) as error:
            log.warning("voice=not-made cue=%s cause=%s", cue, type(error).__name__)
            with contextlib.suppress(OSError):  # a damaged one is made anew at the next start
                path.unlink()
            return None
