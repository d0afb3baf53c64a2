"""The gate's grid of time: when a decision is due. See docs/adr/0002-gate.md.

Decision k, from 0, hears the samples before `due(k, rate)` and none after it. Every part of the
gate that speaks of decisions asks here.
"""

from __future__ import annotations

from typing import Final

PER_SECOND: Final = 100  # decisions


def due(k: int, rate: int) -> int:
    """Samples heard by decision `k` of sound of `rate` Hz.

    Hops of rates that are no multiple of 100 (11025, 22050) are not all equal; the grid does
    not drift.
    """
    if rate % PER_SECOND == 0:
        return (k + 1) * (rate // PER_SECOND)
    return round((k + 1) * rate / PER_SECOND)


def decided(samples: int, rate: int) -> int:
    """Decisions that so many samples from the start make."""
    k = samples * PER_SECOND // rate
    while k and due(k - 1, rate) > samples:
        k -= 1
    while due(k, rate) <= samples:
        k += 1
    return k
