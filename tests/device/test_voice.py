"""What is said, by the real player into a real file: the same for every level, and never late."""

import os
import shutil
import subprocess
import threading
import time
import wave

import msgspec
import pytest
from ui_views import HUB_MS, INVITATION, SETTINGS, draft, view

from device.config import ConfigError, load
from device.panel import CHINA_MS
from device.session import Screen, Session
from device.voice.cues import Cue, Cues, Say
from device.voice.settings import VoiceConfig, VoiceHours
from device.voice.sounds import LONGEST_S, Sound, Sounds, Unusable, read
from device.voice.speaker import Voice

ALSA = """
pcm.!default {{
    type file
    slave.pcm "null"
    file "{}"
    format "wav"
}}
pcm.null {{ type null }}
"""
# Says when it begins and, unless it is cut off, when it ends.
PLAYER = """#!/bin/sh
size=$(wc -c)
echo begin $size >>{0}
sleep 0.4
echo end $size >>{0}
"""
NEXT = msgspec.structs.replace(INVITATION, id="c" * 32)
CONFIG = VoiceConfig()


def thanks(level, **more):
    shown = Session(screen=Screen.THANKS, draft=draft(level), kept=True, **more)
    return msgspec.structs.replace(view(Screen.THANKS), session=shown)


def write(path, *, seconds=0.2, rate=16_000, channels=1, width=2, value=1_000):
    count = int(seconds * rate) * channels
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(value.to_bytes(width, "little") * count)
    return path


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, condition
        time.sleep(0.01)
    return found


@pytest.fixture
def folder(tmp_path):
    """A hall's own files, of four lengths."""
    place = tmp_path / "voices"
    place.mkdir()
    for number, cue in enumerate(Cue):
        write(place / f"{cue}.wav", seconds=0.3 + 0.1 * number)
    return place


@pytest.fixture
def heard(tmp_path, monkeypatch):
    """A loudspeaker that writes down what came out: ALSA's own file device, without a card."""
    if shutil.which("aplay") is None:
        pytest.skip("aplay is not installed (apt install alsa-utils)")
    out = tmp_path / "heard.wav"
    rules = tmp_path / "asound.conf"
    rules.write_text(ALSA.format(out), encoding="utf-8")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(rules))
    return out


@pytest.fixture
def speak(folder, tmp_path):
    """Start a voice; it is stopped at the end."""
    voices = []

    def start(config=CONFIG, **more):
        voice = Voice(config, Sounds(folder, tmp_path / "cache"), **more)
        voices.append(voice)
        voice.start()
        until(lambda: len(voice._loaded) == len(Cue))
        return voice

    yield start
    for voice in voices:
        voice.stop()


def test_every_level_sounds_the_same_to_the_last_sample(heard, speak):
    """From the other side of the counter nothing can be heard of it."""
    came = {}
    for level in (5, 4, 3, 2, 1):
        voice = speak()
        voice.look(thanks(level))
        until(heard.exists)
        until(lambda voice=voice: voice._playing is None)
        came[level] = heard.read_bytes()
        heard.unlink()
    assert len(set(came.values())) == 1
    assert len(came[1]) >= 0.4 * 16_000 * 2
    assert came[1].count((1_000 * 70 // 100).to_bytes(2, "little")) >= 0.4 * 16_000


def test_thanks_is_not_cut_off_and_an_invitation_gives_way(speak, tmp_path):
    """The length of thanks must not tell what came after it; a tap ends the invitation's words."""
    log, player = tmp_path / "played", tmp_path / "player"
    player.write_text(PLAYER.format(log), encoding="ascii")
    player.chmod(0o755)
    played = []

    def lines():
        played[:] = log.read_text(encoding="ascii").split("\n")[:-1] if log.exists() else []
        return played

    voice = speak(player=str(player))
    voice.look(view(Screen.INVITED))
    invited, said = (len(voice._loaded[cue].wav(1)) for cue in (Cue.INVITED, Cue.THANKS))
    until(lambda: f"begin {invited}" in lines())
    voice.look(thanks(1))
    until(lambda: f"begin {said}" in lines())
    voice.look(view(Screen.IDLE))
    voice.look(view(Screen.INVITED, invitation=NEXT))
    until(lambda: f"end {invited}" in lines())
    wanted = [f"begin {invited}", f"begin {said}", f"end {said}", f"begin {invited}"]
    assert played == [*wanted, f"end {invited}"]


def test_the_screen_does_not_wait_for_the_loudspeaker(speak, tmp_path, caplog):
    """A player that hangs: looking takes no time, and stopping ends it."""
    player = tmp_path / "hangs"
    player.write_text("#!/bin/sh\nexec sleep 600\n", encoding="ascii")
    player.chmod(0o755)
    voice = speak(player=str(player))
    begin = time.monotonic()
    for number in range(1_000):
        voice.look(thanks(1 + number % 5))
        voice.look(view(Screen.IDLE))
    assert time.monotonic() - begin < 1
    hanging = until(lambda: voice._playing)
    voice.stop()
    assert hanging.wait(5) < 0
    assert not voice._thread.is_alive()
    assert "voice=" not in caplog.text


class SlowDisk:
    """Hands out the real player only when it is told to; `began` when it is asked for one."""

    def __init__(self, monkeypatch):
        self.began, self.goes_on, self.started = threading.Event(), threading.Event(), []
        real = subprocess.Popen

        def spawn(*arguments, **more):
            self.began.set()
            assert self.goes_on.wait(20)
            self.started.append(real(*arguments, **more))
            return self.started[-1]

        monkeypatch.setattr("device.voice.speaker.subprocess.Popen", spawn)


def test_the_screen_does_not_wait_for_the_disk(speak, tmp_path, monkeypatch):
    """The player is still being read from the disk: pictures come on all the same."""
    log, player = tmp_path / "played", tmp_path / "player"
    player.write_text(PLAYER.format(log), encoding="ascii")
    player.chmod(0o755)
    disk = SlowDisk(monkeypatch)
    voice = speak(player=str(player))
    voice.look(view(Screen.INVITED))
    assert disk.began.wait(20)
    screen = threading.Thread(target=voice.look, args=(thanks(1),))
    screen.start()
    screen.join(5)
    assert not screen.is_alive()
    disk.goes_on.set()
    until(lambda: len(disk.started) == 2)
    until(lambda: voice._playing is None and log.exists() and "end" in log.read_text("ascii"))
    invited, said = disk.started
    assert (invited.returncode < 0, said.returncode) == (True, 0)  # it gave way to thanks


def test_a_player_that_comes_after_the_end_is_not_left_behind(speak, tmp_path, monkeypatch):
    """The kiosk stops while the disk still hands it out."""
    player = tmp_path / "hangs"
    player.write_text("#!/bin/sh\nexec sleep 600\n", encoding="ascii")
    player.chmod(0o755)
    disk = SlowDisk(monkeypatch)
    voice = speak(player=str(player))
    voice.look(thanks(1))
    assert disk.began.wait(20)
    ending = threading.Thread(target=voice.stop)
    ending.start()
    until(lambda: voice._ending)
    disk.goes_on.set()
    ending.join(10)
    assert not voice._thread.is_alive()
    assert disk.started[0].wait(5) < 0


def test_no_sound_card_is_said_once(speak, tmp_path, monkeypatch, caplog):
    """With the real player; and when there is one, it speaks again and says so."""
    if shutil.which("aplay") is None:
        pytest.skip("aplay is not installed (apt install alsa-utils)")
    rules = tmp_path / "none.conf"
    rules.write_text("pcm.!default { type hw card 9 }\n", encoding="utf-8")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(rules))
    caplog.set_level("INFO")
    voice = speak()
    turns = []

    def turn():
        spoken = threading.Event()
        turns.append(spoken)
        original = voice._is_silent
        voice._is_silent = lambda cause: (original(cause), spoken.set())
        voice.look(view(Screen.IDLE))
        voice.look(thanks(3))
        assert spoken.wait(20)
        voice._is_silent = original

    for _ in range(3):
        turn()
    assert caplog.text.count("voice=silent cause=player-failed") == 1
    rules.write_text(ALSA.format(tmp_path / "out.wav"), encoding="utf-8")
    turn()
    assert caplog.text.count("voice=speaks-again") == 1
    assert (tmp_path / "out.wav").stat().st_size > 0.4 * 16_000 * 2


def test_no_player_is_said_once(speak, caplog):
    """And the kiosk goes on without a voice."""
    voice = speak(player="pingyi-no-such-player")
    for level in (1, 2, 3):
        voice.look(thanks(level))
        until(lambda: voice._next is None)
        voice.look(view(Screen.IDLE))
    until(lambda: "voice=silent" in caplog.text)
    voice.stop()
    assert caplog.text.count("voice=silent cause=no-player") == 1


# ---------------------------------------------------------------- files


def broken(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda p: broken(p, b"RIFF" + bytes(20_000_000)), "too-large"),
        (lambda p: broken(p, b"\x89PNG\r\n" + os.urandom(5_000)), "not-wav"),
        (lambda p: broken(p, b""), "not-wav"),
        (lambda p: broken(p, b"RIFF\xff\xff\xff\xffWAVEfmt "), "not-wav"),
        (lambda p: write(p, seconds=LONGEST_S + 1), "too-long"),
        (lambda p: write(p, seconds=0), "empty"),
        (lambda p: write(p, width=1, value=9), "not-16-bit-pcm"),
        (lambda p: write(p, rate=4_000), "not-16-bit-pcm"),
        (lambda p: p.mkdir(), "no-file"),
        (os.mkfifo, "no-file"),
        (lambda p: p.symlink_to(p), "no-file"),
    ],
)
def test_what_is_no_sound_is_refused_with_its_cause(tmp_path, make, cause):
    """Without reading more of it than a sound may have, and without waiting for a pipe."""
    path = tmp_path / "thanks.wav"
    make(path)
    with pytest.raises(Unusable, match=cause):
        read(path)


def test_a_truncated_file_is_as_long_as_what_is_there(tmp_path):
    """The header promises more; nothing is made up."""
    path = write(tmp_path / "a.wav", seconds=1, channels=2)
    path.write_bytes(path.read_bytes()[:-10_001])
    assert read(path).seconds == pytest.approx(1 - 10_001 / 64_000, abs=0.001)


def test_a_bad_file_is_logged_once_and_the_made_one_speaks(folder, tmp_path, caplog):
    """The other files of the hall stay."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed (apt install espeak-ng)")
    (folder / "thanks.wav").write_bytes(b"not audio")
    (folder / "invited-en.wav").unlink()
    found = Sounds(folder, tmp_path / "cache").load()
    assert set(found) == set(Cue)
    assert found[Cue.INVITED] == read(folder / "invited.wav")
    assert found[Cue.THANKS].seconds > 0.5
    assert caplog.text.count("voice=unusable") == 1
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_default_voice_is_made_once(tmp_path, monkeypatch):
    """By the real espeak-ng; the next start does without it. A damaged one is made again."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed (apt install espeak-ng)")
    cache = tmp_path / "cache"
    made = Sounds(None, cache).load()
    assert set(made) == set(Cue)
    assert all(0.5 < sound.seconds < 6 for sound in made.values())
    assert all(any(sound.samples) for sound in made.values())
    with monkeypatch.context() as without:
        without.setenv("PATH", "")
        assert Sounds(None, cache).load() == made
    victim = next(cache.glob("thanks-?*.wav"))
    victim.write_bytes(b"half")
    Sounds(None, cache).load()
    assert Sounds(None, cache).load() == made


def test_without_files_and_without_a_maker_it_is_silent(tmp_path, monkeypatch, caplog):
    """Said once, with what is missing."""
    monkeypatch.setenv("PATH", "")
    assert Sounds(tmp_path / "nowhere", tmp_path / "cache").load() == {}
    assert "voice=no-folder" in caplog.text
    assert "voice=silent cues=invited,thanks,invited-en,thanks-en" in caplog.text


def test_a_cache_that_cannot_be_written_only_silences(tmp_path, caplog):
    """The kiosk's state is on a full disk, or a file stands in the way."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed (apt install espeak-ng)")
    (tmp_path / "cache").write_bytes(b"")
    assert Sounds(None, tmp_path / "cache").load() == {}
    assert "voice=not-made" in caplog.text


@pytest.mark.parametrize("volume", [1, 30, 70, 100])
def test_the_volume_changes_no_length(volume):
    """And the loudest sample stays a sample."""
    samples = b"".join(each.to_bytes(2, "little", signed=True) for each in (-32_768, 32_767, 0, 7))
    sound = Sound(1, 8_000, samples)
    assert len(sound.wav(volume)) == len(sound.wav(100))
    assert sound.wav(100).endswith(samples)


# ---------------------------------------------------------------- what and how loud


def test_an_invitation_is_said_once():
    """Not at every tick, nor again after an undone tap; anew in another language or size."""
    cues = Cues(CONFIG)
    invited = view(Screen.INVITED)
    assert cues.look(invited) == Say(Cue.INVITED, 70)
    assert cues.look(msgspec.structs.replace(invited, now_ms=invited.now_ms + 1)) is None
    assert cues.look(thanks(1)) == Say(Cue.THANKS, 70)
    assert cues.look(thanks(1)) is None
    assert cues.look(invited) is None
    assert cues.look(thanks(5)) == Say(Cue.THANKS, 70)
    asked = msgspec.structs.replace(invited.session, english=True)
    assert cues.look(msgspec.structs.replace(invited, session=asked)) == Say(Cue.INVITED_EN, 70)
    asked = msgspec.structs.replace(asked, elder=True, english=False)
    assert cues.look(msgspec.structs.replace(invited, session=asked)) == Say(Cue.INVITED, 100)


def test_nothing_is_thanked_for_before_it_is_on_disk():
    """The screen waits for the disk, and so does the voice."""
    cues = Cues(CONFIG)
    assert cues.look(thanks(5, english=False)) is not None
    cues = Cues(CONFIG)
    saving = msgspec.structs.replace(thanks(5).session, screen=Screen.SAVING, kept=False)
    assert cues.look(msgspec.structs.replace(thanks(5), session=saving)) is None


@pytest.mark.parametrize("screen", [Screen.IDLE, Screen.PAUSED, Screen.OUT_OF_SERVICE])
def test_other_screens_are_silent(screen):
    """Nobody is spoken to who is not asked."""
    assert Cues(CONFIG).look(view(screen)) is None


def test_the_volume_follows_the_time_of_day():
    """In China, by the hub's time, over midnight too; the first that holds counts."""
    config = VoiceConfig(
        volume=60,
        elder_extra=50,
        hours=(
            VoiceHours(time="12:00-13:30", volume=20),
            VoiceHours(time="13:00-14:00", volume=0),
            VoiceHours(time="22:00-06:00", volume=10),
        ),
    )
    cues = Cues(config)
    midnight = HUB_MS - (HUB_MS + CHINA_MS) % 86_400_000

    def at(clock, **more):
        hour, minute = map(int, clock.split(":"))
        now = midnight + (hour * 60 + minute) * 60_000
        return cues.volume(msgspec.structs.replace(view(Screen.INVITED), hub_ms=now, **more))

    wanted = {"11:59": 60, "12:00": 20, "13:29": 20, "13:30": 0, "14:00": 60, "23:00": 10}
    assert {clock: at(clock) for clock in wanted} == wanted
    assert at("05:59") == 10
    elders = msgspec.structs.replace(SETTINGS, elder=True)
    assert at("12:00", settings=elders) == 70
    assert at("11:00", settings=elders) == 100
    assert at("13:30", settings=elders) == 0
    assert cues.volume(msgspec.structs.replace(view(Screen.INVITED), hub_ms=None)) == 60


def test_a_voice_that_is_switched_off_has_no_thread(folder, tmp_path):
    """Nothing is read, nothing is made."""
    voice = Voice(VoiceConfig(enabled=False), Sounds(folder, tmp_path / "cache"))
    voice.start()
    voice.look(thanks(5))
    voice.stop()
    assert not voice._thread.is_alive()
    assert voice._next is None


def test_every_fault_of_the_section_is_told_with_its_place(tmp_path):
    """In Chinese, all at once."""
    file = tmp_path / "kiosk.toml"
    file.write_text(
        'hall = "h1"\ndevice = "k1"\nstate = "s"\n'
        '[[voice.hours]]\ntime = "12:00-13:30"\nvolume = 5\n'
        '[[voice.hours]]\ntime = "25:00-1"\nvolume = 5\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match=r"voice\.hours\[1\]\.time：应写成“12:00-13:30”的样子"):
        load(file)
    file.write_text(
        'hall = "h1"\ndevice = "k1"\nstate = "s"\n'
        "[voice]\nvolume = 101\nloud = 1\n[watchdog]\nseconds = 1\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [line.split("：")[1] for line in str(caught.value).splitlines()] == [
        "voice.loud",
        "voice.volume",
        "watchdog.seconds",
    ]
