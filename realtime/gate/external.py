"""`ExternalKey`: the sound of another file as a gate's key, at the gate's rate.

Used by `realtime.commands.gate`; a live key is a device, and `realtime.duplex`'s matter.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from realtime.resample import StreamResampler
from realtime.sources import Block, Source

Audio = NDArray[np.float32]  # [samples, channels]

log = logging.getLogger("rt.realtime.gate")


class ExternalKey:
    """Reads a source as it is needed. After its end there is silence.

    Args:
        source: the key's sound, of any rate.
        rate: Hz wanted.

    Attributes:
        channels: channels.
    """

    def __init__(self, source: Source, rate: int) -> None:
        self.channels = source.channels
        self._source = source
        self._blocks = source.blocks()
        self._resampler = StreamResampler(source.rate, rate, source.channels)
        self._ready: Audio = np.zeros((0, source.channels), np.float32)
        self._rate = rate
        self._given = 0
        self._over = False

    def take(self, n: int) -> Audio:
        """The next `n` samples, float32 [n, channels].

        Raises:
            AudioError: the source breaks off.
        """
        while len(self._ready) < n and not self._over:
            self._ready = np.concatenate([self._ready, self._next()])
        out, self._ready = self._ready[:n], self._ready[n:]
        if len(out) < n:
            if self._given >= 0:
                log.warning(
                    "%s ends at %.3f s, before the input: after it the key is silence",
                    self._source.name,
                    (self._given + len(out)) / self._rate,
                )
            self._given = -1  # said once
            rest = np.zeros((n - len(out), self.channels), np.float32)
            return np.concatenate([out, rest])
        if self._given >= 0:
            self._given += n
        return out

    def close(self) -> None:
        """Read no more."""
        self._source.close()
        self._over = True

    def _next(self) -> Audio:
        """Samples of the next block, at the wanted rate."""
        for block in self._blocks:
            if isinstance(block, Block):
                return self._shaped(self._resampler.process(self._shape_in(block.audio)))
        self._over = True
        return self._shaped(self._resampler.flush())

    def _shape_in(self, audio: Audio) -> Audio:
        """As the resampler wants it: finite, and one channel in one dimension."""
        if not np.isfinite(audio).all():
            audio = np.nan_to_num(audio, nan=0.0, posinf=0.0, neginf=0.0)
        return audio[:, 0] if self.channels == 1 else audio

    def _shaped(self, audio: Audio) -> Audio:
        return audio[:, None] if audio.ndim == 1 else audio
