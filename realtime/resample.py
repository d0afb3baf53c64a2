"""From one sampling rate to another, as a stream: `StreamResampler` over soxr.

Called by the engine between a source and the front end. The caller mixes channels down before,
which is cheaper. Output does not depend on how the input is cut into blocks: soxr keeps whole
state between blocks (Robert Sykes' libsoxr, LGPL-2.1, used as a dependency), and the tests hold
it to that.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime.errors import MissingExtra

Audio = NDArray[np.float32]  # [samples] or [samples, channels]

QUALITY: Final = "HQ"  # 20 bits of dynamic range, linear phase; passes 0 to 91 % of the band


class StreamResampler:
    """A resampler for one stream; with equal rates it passes samples through.

    Args:
        rate_in: sampling rate of the blocks, Hz.
        rate_out: sampling rate wanted, Hz.
        channels: channels of the blocks; 1 takes and gives one-dimensional blocks.
        quality: soxr's recipe: "QQ", "LQ", "MQ", "HQ" or "VHQ".
    """

    def __init__(
        self, rate_in: int, rate_out: int, channels: int = 1, quality: str = QUALITY
    ) -> None:
        if rate_in < 1 or rate_out < 1:
            raise ValueError(f"rates are {rate_in} and {rate_out} Hz, expected at least 1")
        if channels < 1:
            raise ValueError(f"channels is {channels}, expected at least 1")
        self.rate_in = rate_in
        self.rate_out = rate_out
        self.channels = channels
        self._shape = () if channels == 1 else (channels,)
        self._stream: Any = None
        if rate_in != rate_out:
            self._stream = _soxr().ResampleStream(
                rate_in, rate_out, channels, dtype="float32", quality=quality
            )

    @property
    def delay(self) -> float:
        """Output samples that the samples taken so far will still give; 0 with equal rates."""
        return 0.0 if self._stream is None else float(self._stream.delay())

    def process(self, block: Audio) -> Audio:
        """Resample the next block.

        Args:
            block: float32 [n] (or [n, channels]) at `rate_in`; any n, 0 too.

        Returns:
            float32 [m] (or [m, channels]) at `rate_out`. With equal rates it is the block
            itself, not a copy.
        """
        block = np.ascontiguousarray(block, dtype=np.float32)
        if block.shape[1:] != self._shape or not block.ndim:
            raise ValueError(f"a block has shape {block.shape}, expected (n, *{self._shape})")
        if self._stream is None or not len(block):
            return block
        out: Audio = self._stream.resample_chunk(block)
        return out

    def flush(self) -> Audio:
        """End the stream: the samples still inside, then `reset`.

        Returns:
            float32 [m] (or [m, channels]); all output together has as many samples as the
            input had, times `rate_out / rate_in`, rounded.
        """
        rest: Audio = np.zeros((0, *self._shape), np.float32)
        if self._stream is not None:
            rest = self._stream.resample_chunk(rest, last=True)
        self.reset()
        return rest

    def reset(self) -> None:
        """Forget the stream: the next sample is the first."""
        if self._stream is not None:
            self._stream.clear()


def _soxr() -> Any:
    try:
        import soxr
    except ImportError as e:  # part of the base install, but a source build can lack it
        raise MissingExtra("soxr cannot be imported", "reinstall rt-tag") from e
    return soxr
