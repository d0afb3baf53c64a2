"""`GateSource`: what the gate hears, for who cannot open its microphone besides.

Without a sound server a microphone is for one program, and that is the gate. It hands out the
last seconds of its input over the control socket: asked twice a second, they are the whole.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gui.i18n import tr
from realtime.control.client import ControlClient
from realtime.errors import RtError, StreamLost
from realtime.sources import Block

EVERY_S: Final = 0.5
SPARE_S: Final = 0.5  # asked for besides what is new
LONGEST_S: Final = 10.0  # that the gate gives at once


class GateSource:
    """A `Source`: the input of the gate that runs on this machine, mono.

    Raises:
        RtError: no gate runs here, or several do, or it has heard nothing yet.
    """

    live = True
    channels = 1

    def __init__(self) -> None:
        self.name = tr("The gate's microphone")
        self._closed = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="rt-heard-")
        try:
            self._client = ControlClient.find()
            try:
                _, self._last_s, self.rate = self._clip(EVERY_S)
            except BaseException:
                self._client.close()
                raise
        except BaseException:
            self._folder.cleanup()
            raise

    def blocks(self) -> Iterator[Block]:
        """What is heard from now on, until `close`.

        Raises:
            StreamLost: the gate has gone.
        """
        position, since_s = 0, 0.0
        try:
            over = False
            while not over:
                over = self._closed.wait(EVERY_S)
                try:
                    audio, until_s, _ = self._clip(min(LONGEST_S, since_s + EVERY_S + SPARE_S))
                except RtError as e:
                    raise StreamLost(tr("the gate has gone")) from e
                new = max(0, round((until_s - self._last_s) * self.rate))
                since_s = 0.0 if new else since_s + EVERY_S
                if new:
                    piece = audio[-new:]
                    lost = new - len(piece)
                    yield Block(audio=piece[:, None], position=position + lost, dropped=lost)
                    position += new
                    self._last_s = until_s
        finally:
            self._client.close()
            self._folder.cleanup()

    def close(self) -> None:
        """Stop."""
        self._closed.set()

    def _clip(self, seconds: float) -> tuple[NDArray[np.float32], float, int]:
        """The last seconds: float32 [samples], the instant after them, and Hz."""
        import soundfile

        path = Path(self._folder.name) / "part.wav"
        said = self._client.request("clip", seconds=seconds, to=str(path))
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        path.unlink()
        mono: NDArray[np.float32] = audio.mean(axis=1, dtype=np.float32)
        return mono, float(said["t1"]), rate
