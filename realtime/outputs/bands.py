"""`Bands`: sound as power in bands over time, for the eye. No model sees it.

Used by `realtime.outputs.plot` and by the panel's spectrogram.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FRAME_S = 0.03  # of sound in one spectrum, about


class Bands:
    """Power in bands of equal width on the mel scale.

    Args:
        rate: Hz of the sound.
        hop_s: seconds from frame to frame.
        count: bands.
    """

    def __init__(self, rate: int, hop_s: float, count: int) -> None:
        self.count = count
        self._rate = rate
        self._frame = 1 << max(5, round(np.log2(rate * FRAME_S)))
        self._hop = max(1, round(rate * hop_s))
        self._window = np.hanning(self._frame).astype(np.float32)
        self._kept = np.zeros(0, np.float32)
        self._top = _mel(rate / 2)
        bins = np.fft.rfftfreq(self._frame, 1 / rate)
        # bands between two bins take the power of the nearest
        centres: NDArray[np.float64] = 700.0 * (
            10.0 ** ((np.arange(count) + 0.5) * self._top / count / 2595.0) - 1.0
        )
        self._nearest = np.abs(bins[:, None] - centres).argmin(axis=0)
        band = np.minimum((_mel(bins) * count / self._top).astype(int), count - 1)
        self._starts = np.flatnonzero(np.diff(band, prepend=-1))
        self._bands = band[self._starts]
        self._counts = np.diff(np.append(self._starts, len(bins)))

    def band_of(self, hz: float) -> float:
        """Where a frequency is on the axis, 0 to `count`."""
        return float(_mel(hz) * self.count / self._top)

    def frames(self, audio: Array, end_s: float) -> list[tuple[float, Array]]:
        """Frames that the next piece of sound completes.

        Args:
            audio: float32 [samples].
            end_s: when it ends.

        Returns:
            Seconds of the frame's middle, and power, float32 [count].
        """
        audio = np.concatenate([self._kept, audio])
        out = []
        at = 0
        while at + self._frame <= len(audio):
            spectrum = np.fft.rfft(audio[at : at + self._frame] * self._window)
            power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
            bands = power[self._nearest]
            bands[self._bands] = np.add.reduceat(power, self._starts) / self._counts
            middle = end_s - (len(audio) - at - self._frame / 2) / self._rate
            out.append((max(0.0, middle), bands))
            at += self._hop
        self._kept = audio[at:]
        return out


def _mel(hz: Any) -> Any:
    return 2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0)
