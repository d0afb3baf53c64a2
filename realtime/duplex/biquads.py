"""The key filter, sample by sample, for the compiled sound path and the compiled worker.

The arithmetic of `realtime.gate.kernels`, on coefficients in shared memory; a test holds both
to the same bits. Written once more because there the arrays have other shapes.
"""

from __future__ import annotations

from typing import Any, Final

from realtime.duplex import layout as at

TINY: Final = 1e-200  # a filter's state under this is 0: denormal numbers are slow


def through(words: Any, sections: int, state: Any, place: int, value: float) -> float:
    """A sample of one channel through the biquads.

    Args:
        words: the block, float64, with the coefficients.
        sections: how many biquads there are.
        state: float64, two numbers for each,
        place: from here on.
        value: the sample.
    """
    for k in range(sections):
        b, s = at.AT_SECTIONS + 5 * k, place + 2 * k
        out = words[b] * value + state[s]
        first = words[b + 1] * value - words[b + 3] * out + state[s + 1]
        second = words[b + 2] * value - words[b + 4] * out
        state[s] = first if abs(first) > TINY else 0.0
        state[s + 1] = second if abs(second) > TINY else 0.0
        value = out
    return value
