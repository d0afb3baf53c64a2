"""The spectrogram's colours: from the ground of a scope to the brightest there is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DARK = ("#0d1014", "#16243f", "#22527a", "#2aa79b", "#8ce8c8", "#fbfff4")
LIGHT = ("#f7f9fb", "#d5e6ec", "#8cc4c6", "#2c9384", "#0b5a50", "#04201f")
AT = (0.0, 0.28, 0.5, 0.7, 0.86, 1.0)
STEPS = 256


def colormap(dark: bool) -> NDArray[np.uint32]:
    """Colours from silence to full, uint32 [STEPS] as Qt's RGB32."""
    stops = DARK if dark else LIGHT
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in stops], float)
    x = np.linspace(0.0, 1.0, STEPS)
    r, g, b = (np.interp(x, AT, rgb[:, i]).round().astype(np.uint32) for i in range(3))
    found: NDArray[np.uint32] = (np.uint32(0xFF000000) | (r << 16) | (g << 8) | b).astype(
        np.uint32
    )
    return found
