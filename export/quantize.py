"""How a float model becomes int8: ranges of activations, what stays float, and the choice.

Weights are int8 per channel, activations 8 bits per tensor. A tensor's range covers the
extremes of a share of the calibration windows: 1.0 is min-max; a little less gives up the few
loudest windows for finer steps everywhere else. Which share, and whether the first and the last
layers stay float, is chosen by measured agreement (`choose`). `export.int8_onnx` and
`export.int8_tflite` do what a choice says; `export.sensitivity` finds layers that int8 costs
too much.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import product
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Keep = Literal["none", "first", "last", "ends"]

SHARES = (1.0, 0.995, 0.99, 0.97)
WORTH = 0.95  # float layers cost size: they must lower the error by a twentieth

log = logging.getLogger("rt.export.quantize")


class Choice(msgspec.Struct, frozen=True):
    """One way to quantize.

    Args:
        share: of the windows that ranges cover.
        keep: which end of the network stays float.
        floats: names of further layers that stay float.
        only: name of the one layer that does not; empty for all others.
    """

    share: float
    keep: Keep
    floats: tuple[str, ...] = ()
    only: str = ""

    def __str__(self) -> str:
        kept = {"none": "", "first": ", first layer float", "last": ", last layer float"}
        words = kept.get(self.keep, ", first and last layer float")
        if self.floats:
            words += f", float: {' '.join(self.floats)}"
        return f"ranges of {100 * self.share:g} % of windows{words}"


class Spans(msgspec.Struct, frozen=True):
    """Each tensor's least and greatest value in each calibration window, float32 [windows]."""

    low: dict[str, Array]
    high: dict[str, Array]

    def cover(self, share: float) -> dict[str, tuple[np.float32, np.float32]]:
        """Ranges that hold all values of a share of the windows."""
        return {
            name: (
                np.float32(np.quantile(low, 1 - share)),
                np.float32(np.quantile(self.high[name], share)),
            )
            for name, low in self.low.items()
        }


def choose(
    make: Callable[[Choice], bytes],
    error: Callable[[bytes], float],
    choices: Iterable[Choice],
) -> tuple[bytes, Choice, float]:
    """The best of all choices; more float layers only where that is worth it.

    Args:
        make: quantizes.
        error: mean difference from the float model on windows that calibrated nothing.
        choices: those with the fewest float layers first.

    Returns:
        The model, its choice and its error.
    """
    best: tuple[float, bytes, Choice] | None = None
    for choice in choices:
        model = make(choice)
        e = error(model)
        log.info("%s: mean score difference %.5f, %d bytes", choice, e, len(model))
        gain = 1.0 if best is None or best[2].keep == choice.keep else WORTH
        if best is None or e < best[0] * gain:
            best = e, model, choice
    if best is None:
        raise ValueError("nothing to choose from")
    return best[1], best[2], best[0]


def choices(keeps: Iterable[Keep], floats: tuple[str, ...] = ()) -> list[Choice]:
    """Every share of windows with every end that may stay float."""
    return [Choice(share, keep, floats) for keep, share in product(keeps, SHARES)]


def spans_of(runs: Iterable[dict[str, Array]]) -> Spans:
    """What tensors span in each of several runs of a model."""
    low: dict[str, list[np.float32]] = {}
    high: dict[str, list[np.float32]] = {}
    for tensors in runs:
        for name, value in tensors.items():
            if value.dtype == np.float32 and value.size:
                low.setdefault(name, []).append(value.min())
                high.setdefault(name, []).append(value.max())
    return Spans(
        {k: np.array(v, np.float32) for k, v in low.items()},
        {k: np.array(v, np.float32) for k, v in high.items()},
    )
