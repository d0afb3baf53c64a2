"""Running a model file: one small protocol over ONNX Runtime and LiteRT, and `open_runner`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.card import Card

Array = NDArray[np.float32]


class Runner(Protocol):
    """A loaded model. Not thread safe; one runner, one thread."""

    card: Card
    runtime: str
    """Which runtime serves it, with its version: "onnxruntime 1.31.1"."""

    def run(self, window: Array) -> Array:
        """Score one window.

        Args:
            window: float32 [frames, width] for features, [samples] for a waveform model. A stateful model
                takes one step's frames and remembers its states.

        Returns:
            Probabilities, float32 [labels].
        """
        ...

    def reset(self) -> None:
        """Set the states to zero."""
        ...
