"""`VirtualMic`: a microphone that is not there, through which other programs hear the gate.

Made with the sound server's own tools: a sink that nobody hears, into which the gate plays,
and a source that gives what the sink gets. PulseAudio's modules do that, in PulseAudio and in
PipeWire's stand-in for it; where only PipeWire itself is there, pw-loopback does. Both go when
the gate does. What a gate left that was killed, the next one takes away.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

from realtime.errors import AudioError, MissingExtra, UsageError

SINK = "rt-gate-out"  # and the process
PATIENCE_S = 5.0  # for a tool of the server to answer

log = logging.getLogger("rt.realtime.duplex")


class VirtualMic:
    """A virtual microphone; a context.

    Args:
        name: what other programs call it.

    Attributes:
        outputs: devices of PortAudio that can play into it, the best first.
        environment: variables with which they do.

    Raises:
        UsageError: a name that a sound server does not take, or a microphone that there is.
        MissingExtra: no tool to make one with.
        AudioError: the sound server refuses, or none runs.
    """

    def __init__(self, name: str) -> None:
        if not re.fullmatch(r"[\w][\w .-]{0,62}", name):
            raise UsageError(
                f"--virtual-mic {name!r} is no name for a microphone",
                "use letters, digits, spaces, points and dashes",
            )
        self.name = name
        self._sink = f"{SINK}-{os.getpid()}"
        self._modules: list[str] = []
        self._loop: subprocess.Popen[bytes] | None = None
        self.outputs: tuple[str, ...] = ("pulse", "pipewire")
        # the one is read by PulseAudio's library, the other by PipeWire's
        self.environment = {"PULSE_SINK": self._sink, "PIPEWIRE_NODE": self._sink}
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """It is there already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self.close()

    def close(self) -> None:
        """Take it away."""
        while self._modules:
            with contextlib.suppress(AudioError):
                _pactl("unload-module", self._modules.pop())
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.terminate()
            try:
                loop.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                loop.kill()
                loop.wait()

    def _make(self) -> None:
        if shutil.which("pactl") and _answers():
            self._make_with_pactl()
        elif shutil.which("pw-loopback"):
            self._make_with_loopback()
        elif shutil.which("pactl"):
            raise AudioError(
                "no PulseAudio or PipeWire runs to make a virtual microphone in",
                "start one: systemctl --user start pipewire-pulse, or pulseaudio --start",
            )
        else:
            raise MissingExtra(
                "a virtual microphone needs a tool of PulseAudio's or PipeWire's",
                "sudo apt install pulseaudio-utils (pactl), or pipewire-bin (pw-loopback)",
            )

    def _make_with_pactl(self) -> None:
        _take_away_leftovers()
        plain = _plain(self.name)
        there = {
            line.split("\t")[1] for line in _pactl("list", "short", "sources").splitlines()
        }
        if plain in there:
            raise UsageError(
                f"there is a microphone {plain} already", "give another name to --virtual-mic"
            )
        self._load(
            "module-null-sink",
            f"sink_name={self._sink}",
            f"sink_properties=device.description='rt-gate,\\ into\\ {_escaped(self.name)}'",
        )
        self._load(
            "module-remap-source",
            f"master={self._sink}.monitor",
            f"source_name={plain}",
            f"source_properties=device.description='{_escaped(self.name)}'",
        )

    def _load(self, module: str, *arguments: str) -> None:
        self._modules.append(_pactl("load-module", module, *arguments).strip())

    def _make_with_loopback(self) -> None:
        described = f'node.description="{self.name}"'
        self._loop = subprocess.Popen(
            [
                "pw-loopback",
                f"--capture-props=media.class=Audio/Sink node.name={self._sink} {described}",
                f"--playback-props=media.class=Audio/Source node.name={_plain(self.name)} "
                f"{described}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us, and we end it
        )
        self.outputs = ("pipewire",)
        time.sleep(0.5)
        if self._loop.poll() is not None:
            raise AudioError(
                "pw-loopback ended at once",
                "does PipeWire run? systemctl --user start pipewire",
            )


def _take_away_leftovers() -> None:
    """Unload what a gate made whose process is gone."""
    for line in _pactl("list", "short", "modules").splitlines():
        number, _, rest = line.partition("\t")
        found = re.search(rf"\b{SINK}-(\d+)\b", rest)
        if found and not Path(f"/proc/{found[1]}").exists():
            log.info("taking away the virtual microphone of a gate that was killed")
            with contextlib.suppress(AudioError):
                _pactl("unload-module", number)


def _answers() -> bool:
    try:
        _pactl("info")
    except AudioError:
        return False
    return True


def _pactl(*arguments: str) -> str:
    """What pactl says.

    Raises:
        AudioError: it fails.
    """
    try:
        done = subprocess.run(
            ["pactl", *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise AudioError("the sound server does not answer pactl", "does it hang?") from e
    if done.returncode:
        raise AudioError(
            f"pactl {arguments[0]}: {done.stderr.strip() or 'failed'}",
            "is the sound server PulseAudio, or PipeWire with pipewire-pulse?",
        )
    return done.stdout


def _plain(name: str) -> str:
    """A name without spaces."""
    return re.sub(r"[ ]+", "-", name.strip())


def _escaped(name: str) -> str:
    """A name within the quotes of a module's property list."""
    return name.replace(" ", "\\ ")
