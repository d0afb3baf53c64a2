"""NumPy's FFT of real rows, by its kernel where that is known, without the wrapper's cost."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np


def direct_rfft() -> Any:
    """NumPy's own kernel under `np.fft.rfft`, or None.

    Its Python wrapper takes 3 of the 7 µs that one frame needs. The kernel is private, so it is
    used only if it is there and gives the wrapper's bits on a trial.
    """
    try:
        kernel = importlib.import_module("numpy.fft._pocketfft_umath").rfft_n_even
        trial = np.linspace(-1.0, 2.0, 3 * 16).reshape(3, 16) ** 3
        out = np.empty((3, 9), np.complex128)
        kernel(trial, 1.0, out=out)
        return kernel if np.array_equal(out, np.fft.rfft(trial)) else None
    except Exception:  # whatever a future NumPy does here, the public way remains
        return None


_KERNEL: Callable[[Any, Any, Any], Any] | None = direct_rfft()
UNSCALED: Final = np.array(1.0)


def rfft_of(length: int) -> Callable[[Any, Any, Any], Any]:
    """The FFT of each row; called with float64 [.., length], `UNSCALED` and what to fill."""
    if _KERNEL is not None and length % 2 == 0:
        return _KERNEL
    return lambda frames, _, out: np.fft.rfft(frames, out=out)
