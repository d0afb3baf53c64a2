"""Sound cards without hardware: private JACK and PulseAudio servers, and players for them.

Each fixture starts a server of its own in a private folder and ends only that. The first is
skipped where jackd is not installed, the second without pulseaudio; `.ci/run` installs both.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import soundfile
import soxr

CARD_RATE = 48_000
SERVERS = 8  # places that JACK has
PLAYER = Path(__file__).parent / "player.py"


def wait_for(ready: Callable[[], object], what: str, limit_s: float = 60.0) -> None:
    """Poll until `ready()` is true."""
    until = time.monotonic() + limit_s
    while not ready():
        if time.monotonic() > until:
            pytest.fail(f"{what}: not within {limit_s:.0f} s")
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then make it."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def private(room: Path) -> dict[str, str]:
    """Environment in which only the sound servers of a private folder are seen."""
    (room / "asound.conf").write_text("</usr/share/alsa/alsa.conf>\n")
    return {
        "ALSA_CONFIG_PATH": str(room / "asound.conf"),
        "XDG_RUNTIME_DIR": str(room),
        "PULSE_RUNTIME_PATH": str(room / "pulse"),
        "PULSE_STATE_PATH": str(room / "state"),
        "PULSE_COOKIE": str(room / "cookie"),
        "JACK_DEFAULT_SERVER": "none",  # JackCard says which
        "JACK_NO_AUDIO_RESERVATION": "1",
        "JACK_NO_START_SERVER": "1",
    }


def claim_name() -> tuple[str, IO[bytes]]:
    """A name for a JACK server that no other test run uses, and what to close afterwards.

    JACK has few places for servers, and one that was killed keeps its place until another of
    its name starts. So there are few names, each with a lock that dies with its holder.
    """
    for i in range(SERVERS):
        name = f"rt{os.getuid()}n{i}"
        claim = (Path(tempfile.gettempdir()) / f"{name}.lock").open("ab")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return name, claim
        except BlockingIOError:
            claim.close()
    pytest.fail(f"{SERVERS} other test runs have a JACK server")


class SoundCard:
    """A sound server in a private folder: 48 kHz, one channel in, one out.

    Args:
        room: the folder; the environment is that of `private`.
    """

    device: str
    """What rt-tag calls it."""
    rate = CARD_RATE
    subtype: str
    """What it can play without a change, as soundfile names it."""

    def __init__(self, room: Path) -> None:
        self.room = room
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start the server; after `stop` again."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the server; its clients see a dead socket, as after a crash."""
        while self.processes:
            end(self.processes.pop())

    def close(self) -> None:
        self.stop()

    def play(self, sound: np.ndarray, rate: int) -> np.ndarray:
        """Play to whoever records; what was played, at the card's rate."""
        sound = sound.astype(np.float32)
        if rate != self.rate:
            sound = soxr.resample(sound, rate, self.rate, quality="VHQ")
        path = self.room / "play.wav"
        soundfile.write(path, sound, self.rate, subtype=self.subtype)
        self.wait_for_recorder()
        self._play(path)
        return soundfile.read(path, dtype="float32")[0]

    def wait_for_recorder(self) -> None:
        raise NotImplementedError

    def _play(self, path: Path) -> None:
        raise NotImplementedError

    def _serve(self, command: list[str], ready: Callable[[], object]) -> None:
        """Start a server and wait until it answers."""
        path = self.room / f"{command[0]}.log"
        with path.open("ab") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
        self.processes.append(server)
        wait_for(lambda: server.poll() is not None or ready(), command[0])
        if server.poll() is not None:
            pytest.fail(f"{command[0]} ended: {path.read_text()}")


class JackCard(SoundCard):
    """A JACK server with its dummy driver. Floats all the way.

    Sound reaches a recorder by wiring a player's port to the recorder's. `period` is how many
    samples it hands on at a time: few find more mistakes, many are as cheap as a real card.
    """

    device = "system"
    subtype = "FLOAT"

    def __init__(self, room: Path, period: int = 128) -> None:
        self.period = period
        self.name, self._claim = claim_name()
        os.environ["JACK_DEFAULT_SERVER"] = self.name  # `private` has set it: it is put back
        super().__init__(room)

    def start(self) -> None:
        # -S: a late client delays the cycle instead of losing it; the dummy's clock paces it.
        # Now and then the server misses a new client, and waits ten times -t for it.
        command = (
            f"jackd --no-realtime -n {self.name} -S -t 1000 "
            f"-d dummy -r {self.rate} -p {self.period} -C 1 -P 1"
        )
        self._serve(command.split(), lambda: "system:capture_1" in self.ports())

    def close(self) -> None:
        super().close()
        self._claim.close()

    def ports(self) -> list[str]:
        done = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=False)
        return done.stdout.split()

    def wait_for_recorder(self) -> None:
        wait_for(lambda: any(p.endswith(":in_0") for p in self.ports()), "the recorder's port")

    def _play(self, path: Path) -> None:
        with subprocess.Popen(
            [sys.executable, str(PLAYER), str(path), self.device], stdin=subprocess.PIPE
        ) as player:
            wait_for(lambda: any(p.endswith(":out_0") for p in self.ports()), "the player")
            ends = [p for p in self.ports() if p.startswith("PortAudio")]
            out = next(p for p in ends if p.endswith(":out_0"))
            for heard in (p for p in ends if p.endswith(":in_0")):
                subprocess.run(["jack_connect", out, heard], check=True, capture_output=True)
            player.communicate(b"go\n", timeout=320)
            assert player.returncode == 0


class PulseCard(SoundCard):
    """A PulseAudio null sink whose monitor is an ALSA device of 16 bits."""

    device = "rtmic"
    subtype = "PCM_16"

    def __init__(self, room: Path) -> None:
        for folder in (room / "pulse", room / "state"):
            folder.mkdir(mode=0o700)
        (room / "asound.conf").write_text(
            "</usr/share/alsa/alsa.conf>\n"
            'pcm.rtmic { type pulse device "rtsink.monitor"'
            ' hint { show on description "virtual microphone" } }\n'
        )
        super().__init__(room)

    def start(self) -> None:
        options = "-n --daemonize=no --exit-idle-time=-1 --use-pid-file=no --disable-shm=yes"
        sink = f"module-null-sink sink_name=rtsink format=s16le rate={self.rate} channels=1"
        protocol = "module-native-protocol-unix auth-anonymous=1"
        self._serve(
            ["pulseaudio", *options.split(), "-L", protocol, "-L", sink],
            lambda: subprocess.run(["pactl", "info"], capture_output=True).returncode == 0,
        )
        # an idle null sink hands on sound in pieces of two seconds: keep it busy with silence
        quiet = "pacat --raw --latency-msec=20 --format=s16le --channels=1 --device=rtsink"
        with Path("/dev/zero").open("rb") as zeros:
            self.processes.append(
                subprocess.Popen(quiet.split(), stdin=zeros, stderr=subprocess.DEVNULL)
            )

    def wait_for_recorder(self) -> None:
        """Until one stream has been there for a second: PortAudio opens others to look."""
        command = ["pactl", "list", "short", "source-outputs"]
        seen, since = b"", 0.0

        def recording() -> bool:
            nonlocal seen, since
            streams = subprocess.run(command, capture_output=True, check=False).stdout
            if streams != seen:
                seen, since = streams, time.monotonic()
            return bool(seen) and time.monotonic() - since > 1.0

        wait_for(recording, "the recorder's stream")

    def _play(self, path: Path) -> None:
        subprocess.run(["paplay", "--device=rtsink", str(path)], check=True, timeout=320)


@pytest.fixture
def no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No sound server of this machine is seen; a folder for the files of a private one."""
    room = tmp_path / "card"
    room.mkdir(mode=0o700)
    for name, value in private(room).items():
        monkeypatch.setenv(name, value)
    return room


@pytest.fixture
def jack(no_card: Path, request: pytest.FixtureRequest) -> Iterator[JackCard]:
    """A sound card of JACK's; its period may be given by indirect parametrization."""
    need("jackd", "jackd2")
    with contextlib.closing(JackCard(no_card, getattr(request, "param", 128))) as card:
        yield card


@pytest.fixture
def pulse(no_card: Path) -> Iterator[PulseCard]:
    """A sound card of PulseAudio's."""
    need("pulseaudio", "pulseaudio pulseaudio-utils libasound2-plugins")
    need("paplay", "pulseaudio-utils")
    with contextlib.closing(PulseCard(no_card)) as card:
        yield card


@pytest.fixture(params=["jack", "pulse"])
def card(request: pytest.FixtureRequest) -> SoundCard:
    """One sound card after the other."""
    found: SoundCard = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def rt_tag() -> str:
    """The console script."""
    path = shutil.which("rt-tag", path=sysconfig.get_path("scripts"))
    if path is None:
        pytest.skip("rt-tag is not installed beside this Python: pip install -e .")
    return path


def need(program: str, packages: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: apt-get install {packages}")
