"""The player's process: holds PortAudio and one output stream. Started by `gui.player`.

A script of its own that imports nothing of this project, as `realtime.sources.capture` is, and
for the same reasons: a driver may hang, a process can be ended, and the panel's drawing delays
no sound.

Protocol. From the parent: a line of JSON ({"rate", "frames", "tracks", "track", "begin",
"device"}), the sound as float32 [frames, tracks], then lines of JSON: {"track": 1},
{"seek": 2.5}. The end of stdin ends it. To the parent, lines of JSON: {"at": seconds} while it
plays, then {"end": true}, or {"error": text}. All tracks run side by side; one is heard.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLD_S = 0.04
FADE_S = 0.01  # from one track to another, and at the ends, or it would click
PATIENCE_S = 1.0


class Tape:
    """Tracks, one of which is heard.

    Args:
        sound: float32 [frames, tracks].
        rate: Hz.
        track: which one.
        begin: first frame.
    """

    def __init__(
        self, sound: NDArray[np.float32], rate: int, track: int = 0, begin: int = 0
    ) -> None:
        self.sound, self.rate = sound, rate
        self.track = self._heard = track
        self.at = begin
        self._fade = max(1, round(FADE_S * rate))
        self._fresh = True

    @property
    def over(self) -> bool:
        """Whether all has been heard."""
        return self.at >= len(self.sound)

    def seek(self, frame: int) -> None:
        """Go on from a frame."""
        self.at = min(max(0, frame), len(self.sound))
        self._fresh = True

    def take(self, frames: int) -> NDArray[np.float32]:
        """The next samples, float32 [frames]; silence after the end."""
        at, track = self.at, self.track
        piece = self.sound[at : at + frames]
        out = np.zeros(frames, np.float32)
        out[: len(piece)] = piece[:, track]
        count = min(self._fade, len(piece))
        rise = np.linspace(0.0, 1.0, count, endpoint=False, dtype=np.float32)
        if self._fresh:
            out[:count] *= rise
        elif track != self._heard:
            old = piece[:count, self._heard]
            out[:count] = old + (out[:count] - old) * rise
        self._fresh, self._heard = False, track
        self.at = at + len(piece)
        return out


def serve(read: Any, tell: Any) -> None:
    """Play what stdin brings, until it ends.

    Args:
        read: the parent's bytes.
        tell: sends a dictionary.
    """
    ask = json.loads(read.readline())
    data = read.read(ask["frames"] * ask["tracks"] * 4)
    sound = np.frombuffer(data, np.float32).reshape(-1, ask["tracks"])
    try:
        import sounddevice

        stream, tape = _open(sounddevice, sound, ask)
    except Exception as e:  # PortAudio missing, no device, or one that is busy
        tell({"error": str(e)})
        return
    stop = threading.Event()
    threading.Thread(target=_obey, args=(read, tape, stop), daemon=True).start()
    rate = stream.samplerate
    with stream:
        late_s = float(stream.latency)
        while not tape.over and not stop.wait(TOLD_S):
            tell({"at": max(0.0, tape.at / rate - late_s)})
        if not stop.is_set():
            stop.wait(late_s + FADE_S)
    if not stop.is_set():
        tell({"end": True})


def _open(sounddevice: Any, sound: NDArray[np.float32], ask: dict[str, Any]) -> Any:
    """The output stream at the device's own rate, and the tape that it plays."""
    device = ask.get("device") or None
    try:
        about = sounddevice.query_devices(device, "output")
    except ValueError:  # none of that name, or several
        device, about = None, sounddevice.query_devices(None, "output")
    rate = round(about["default_samplerate"])
    if rate != ask["rate"]:
        import soxr

        sound = soxr.resample(sound, ask["rate"], rate)
    tape = Tape(sound, rate, ask.get("track", 0), round(ask.get("begin", 0.0) * rate))
    channels = min(2, about["max_output_channels"])

    def hear(outdata: Any, frames: int, _time: Any, _status: Any) -> None:
        outdata[:] = tape.take(frames)[:, None]

    stream = sounddevice.OutputStream(
        samplerate=rate, device=device, channels=channels, dtype="float32", callback=hear
    )
    return stream, tape


def _obey(read: Any, tape: Tape, stop: threading.Event) -> None:
    """Take the parent's lines until there are no more."""
    for line in read:
        with contextlib.suppress(ValueError, KeyError):
            ask = json.loads(line)
            if "track" in ask:
                tape.track = min(max(0, int(ask["track"])), tape.sound.shape[1] - 1)
            if "seek" in ask:
                tape.seek(round(float(ask["seek"]) * tape.rate))
    stop.set()


def main() -> None:
    """Serve on stdin and stdout, which no library may write into."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def tell(what: dict[str, Any]) -> None:
        out.write(json.dumps(what).encode() + b"\n")
        out.flush()

    with contextlib.suppress(BrokenPipeError, ValueError):
        serve(sys.stdin.buffer, tell)
    # PortAudio's clean-up may hang on a device that is gone
    ending = threading.Timer(PATIENCE_S, os._exit, (0,))
    ending.daemon = True
    ending.start()


if __name__ == "__main__":
    main()
