"""`KeyFilter`: which part of the key the gate listens to; a high-pass and a low-pass.

Used by the gate's stream, and by the live audio process inside the sound callback. Only the key
is filtered, never the sound that is let through, except when the person listens to the key.

Butterworth filters of second order (12 dB an octave) or fourth (24), -3 dB at their frequency,
as biquads after Robert Bristow-Johnson's "Cookbook formulae for audio EQ biquad filter
coefficients" (the W3C's edition, 2021).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.gate.cascade import cascade

Audio = NDArray[np.float32]  # [samples, channels]

# the Q of each biquad: 1 / (2 cos) of the angle of a Butterworth filter's pole pair
QUALITIES: Final = {
    12: (1 / math.sqrt(2),),
    24: (1 / (2 * math.cos(math.pi / 8)), 1 / (2 * math.cos(3 * math.pi / 8))),
}


class KeyFilter:
    """High-pass and low-pass of a key.

    NaN and infinity count as 0, so that one bad sample does not stay in the state for ever. The
    numba kernel and the NumPy twin agree to about 1e-12; each gives the same bits whatever the
    blocks.

    Args:
        rate: sampling rate, Hz.
        channels: channels of the blocks.
        highpass_hz: takes away what is below; 0 for no high-pass.
        lowpass_hz: takes away what is above; 0, or half of the rate and more, for no low-pass.
        slope_db: 12 or 24 dB an octave, of both.
        compiled: use the numba kernels if numba is installed.

    Attributes:
        active: whether there is anything to filter.
        sections: the biquads, float64 [sections, 5]: b0, b1, b2, a1, a2 of each.

    Raises:
        ValueError: the high-pass leaves nothing, or the slope is another one.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        highpass_hz: float = 0.0,
        lowpass_hz: float = 0.0,
        slope_db: int = 12,
        compiled: bool = True,
    ) -> None:
        if rate < 1 or channels < 1:
            raise ValueError(f"a filter at {rate} Hz for {channels} channels")
        if slope_db not in QUALITIES:
            raise ValueError(f"a slope of {slope_db} dB an octave, expected 12 or 24")
        if not 0.0 <= highpass_hz < rate / 2:
            raise ValueError(f"a high-pass at {highpass_hz} Hz, expected 0 to {rate / 2}")
        if not lowpass_hz >= 0.0:
            raise ValueError(f"a low-pass at {lowpass_hz} Hz, expected 0 or more")
        self._channels = channels
        sections = []
        for q in QUALITIES[slope_db]:
            if highpass_hz:
                sections.append(_biquad(rate, highpass_hz, q, highpass=True))
            if 0.0 < lowpass_hz < rate / 2:
                sections.append(_biquad(rate, lowpass_hz, q, highpass=False))
        self.active = bool(sections)
        self.sections = np.array(sections).reshape(-1, 5)
        self._cascade = cascade(self.sections, channels, compiled)

    def process(self, block: Audio) -> Audio:
        """Filter the next block.

        Args:
            block: float32 [n, channels]; any n.

        Returns:
            float32 [n, channels]; the block itself when the filter is not `active`.
        """
        if block.ndim != 2 or block.shape[1] != self._channels:
            raise ValueError(f"a block has shape {block.shape}, expected (n, {self._channels})")
        if not self.active:
            return block
        return self._cascade.run(block)

    def reset(self) -> None:
        """Start after silence."""
        self._cascade.reset()


def _biquad(rate: int, hz: float, q: float, highpass: bool) -> tuple[float, ...]:
    """b0, b1, b2, a1, a2, with a0 = 1."""
    angle = 2.0 * math.pi * hz / rate
    cos, alpha = math.cos(angle), math.sin(angle) / (2.0 * q)
    sign = 1.0 if highpass else -1.0
    middle = sign + cos  # of the numerator: twice b0 with its sign
    b0 = abs(middle) / 2.0
    a0 = 1.0 + alpha
    return b0 / a0, -middle / a0, b0 / a0, -2.0 * cos / a0, (1.0 - alpha) / a0
