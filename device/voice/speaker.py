"""Plays what is to be said, on a thread of its own; the screen's thread only hands it in.

The player is `aplay` of alsa-utils, a process for each sound: nothing holds the sound card, or
costs anything, while nobody speaks, and a driver that hangs can be killed.
"""

import logging
import shutil
import subprocess
import threading
import time
from collections.abc import Callable

from device.view import View
from device.voice.cues import ENGLISH, Cue, Cues, Say
from device.voice.settings import VoiceConfig
from device.voice.sounds import Sound, Sounds

log = logging.getLogger(__name__)

PLAYER = "aplay"
PATIENCE_S = 5.0
"""How much longer than the sound the player may take; a card may be slow to wake."""

STALE_S = 3.0
"""What could not be said within so long after its cue is not said any more."""

_THANKS = frozenset({Cue.THANKS, ENGLISH[Cue.THANKS]})


class Voice:
    """Speaks as the pictures change. A kiosk without card, player or files is silent.

    Why it is silent is logged once, and once when it speaks again.
    """

    def __init__(
        self,
        config: VoiceConfig,
        sounds: Sounds,
        *,
        now: Callable[[], float] = time.monotonic,
        player: str = PLAYER,
    ) -> None:
        self._enabled = config.enabled
        self._cues = Cues(config)
        self._sounds = sounds
        self._now = now
        self._player = player
        self._loaded: dict[Cue, Sound] = {}
        self._ready: dict[Say, bytes] = {}
        self._next: tuple[Say, float] | None = None
        self._change = threading.Condition()
        self._ending = False
        self._playing: subprocess.Popen[bytes] | None = None
        self._speaks_now: Cue | None = None
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="voice", daemon=True)

    def start(self) -> None:
        """Begin; files are read, or made, on the thread."""
        if self._enabled:
            self._thread.start()

    def look(self, view: View) -> None:
        """Take a picture that comes on; returns at once."""
        if not self._enabled:
            return
        say = self._cues.look(view)
        if say is not None:
            with self._change:
                self._next = (say, self._now())
                # An invitation gives way. Thanks does not: it lasts the same for every level,
                # whatever comes after.
                if self._speaks_now is not None and self._speaks_now not in _THANKS:
                    self._cut()
                self._change.notify()

    def stop(self) -> None:
        """Fall silent."""
        with self._change:
            self._ending = True
            self._cut()
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _given_way(self, say: Say) -> bool:
        """Whether something else is to be said by now; thanks gives way to nothing."""
        return self._ending or (self._next is not None and say.cue not in _THANKS)

    def _cut(self) -> None:
        if self._playing is not None:
            self._playing.kill()

    def _run(self) -> None:
        try:
            self._loaded = self._sounds.load()
        except Exception:
            log.exception("voice=failed")
            return
        while True:
            with self._change:
                while self._next is None and not self._ending:
                    self._change.wait()
                if self._ending or self._next is None:
                    return
                (say, at), self._next = self._next, None
            if self._now() - at > STALE_S:
                continue
            try:
                self._speak(say)
            except Exception:  # the next one may work
                log.exception("voice=failed")

    def _speak(self, say: Say) -> None:
        sound = self._loaded.get(say.cue)
        if sound is None:
            return
        program = shutil.which(self._player)
        if program is None:
            self._is_silent(f"no-player-{self._player}")
            return
        if say not in self._ready:
            self._ready[say] = sound.wav(say.volume)
        with self._change:
            if self._given_way(say):
                return
        # Not under the lock: the screen's thread would wait for the disk to hand out the program.
        process = subprocess.Popen(  # noqa: S603 - a program of the system
            [program, "-q", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        with self._change:
            self._playing, self._speaks_now = process, say.cue
            if self._given_way(say):
                self._cut()
        cause = ""
        with process:
            try:
                _, said = process.communicate(self._ready[say], sound.seconds + PATIENCE_S)
                if process.returncode > 0:  # below: it was cut off
                    last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
                    cause = "player-failed " + "".join(last)[:200]
            except subprocess.TimeoutExpired:
                process.kill()
                cause = "player-hangs"
            finally:
                with self._change:
                    self._playing = self._speaks_now = None
        self._is_silent(cause)

    def _is_silent(self, cause: str) -> None:
        if cause == self._trouble:
            return
        if not cause:
            log.info("voice=speaks-again")
        elif not self._trouble:
            log.warning("voice=silent cause=%s", cause)
        self._trouble = cause
