"""The ideal gate: when a gate that could hear the clean target alone would be open.

Labels for training and the truth for judging; the definition is fixed and stated in full in
docs/gate.md. Levels are those of the *clean* target, so nothing is labelled by hand.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

HOPS_PER_S = 100
OPEN_DB = 22.0  # opens this far under the reference
CLOSE_DB = 28.0  # stays open to this far under it
ACTIVE_DB = 30.0  # hops this near the loudest make the reference: their median
BRIDGE_HOPS = 12  # shorter gaps are bridged
SHORTEST_HOPS = 3  # shorter openings are dropped
SILENT_DB = -100.0  # a target that never exceeds this is no sound

Levels = NDArray[np.float32]
Gate = NDArray[np.bool_]


def ideal_gate(clean: NDArray[np.float32], rate: int) -> Gate:
    """The ideal gate on a clean target.

    Args:
        clean: float32 [samples].
        rate: Hz.

    Returns:
        Bool [hops]: hop i stands at i * 10 ms; there is one for each started 10 ms.
    """
    gate: Gate = gate_of_levels(hop_levels(clean, rate)[None])[0]
    return gate


def hop_levels(audio: NDArray[np.float32], rate: int) -> Levels:
    """RMS in dBFS of the 20 ms around each hop.

    Args:
        audio: float32 [samples] or [rows, samples].
        rate: Hz.

    Returns:
        float32 [hops] or [rows, hops].
    """
    samples = audio.shape[-1]
    hops = -(-samples * HOPS_PER_S // rate)
    power = np.zeros((*audio.shape[:-1], samples + 1))
    np.cumsum(np.square(audio, dtype=np.float64), axis=-1, out=power[..., 1:])
    centre = np.arange(hops) * rate / HOPS_PER_S
    half = rate / HOPS_PER_S
    first = np.clip(np.round(centre - half).astype(int), 0, samples)
    last = np.clip(np.round(centre + half).astype(int), 0, samples)
    mean = (power[..., last] - power[..., first]) / np.maximum(2 * half, 1.0)
    levels: Levels = (10.0 * np.log10(np.maximum(mean, 1e-14))).astype(np.float32)
    return levels


def gate_of_levels(levels: Levels) -> Gate:
    """The ideal gate of rows of hop levels, float32 [rows, hops] in dB to bool [rows, hops]."""
    if not levels.size:
        return np.zeros(levels.shape, np.bool_)
    loudest = levels.max(axis=1, keepdims=True)
    active = np.where(levels > loudest - ACTIVE_DB, levels, np.nan)
    reference = np.nanmedian(active, axis=1, keepdims=True)
    over, under = levels >= reference - OPEN_DB, levels < reference - CLOSE_DB
    # between the lines the last crossing decides
    hops = np.arange(levels.shape[1])
    last_over = np.maximum.accumulate(np.where(over, hops, -1), axis=1)
    last_under = np.maximum.accumulate(np.where(under, hops, -1), axis=1)
    gate: Gate = (last_over > last_under) & (loudest > SILENT_DB)
    for row in gate:
        _tidy(row)
    return gate


def runs(row: Gate) -> list[tuple[int, int]]:
    """Openings of one row: first hop, and the hop after the last."""
    edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _tidy(row: Gate) -> None:
    spans = runs(row)
    for (_, end), (begin, _) in pairwise(spans):
        if begin - end < BRIDGE_HOPS:
            row[end:begin] = True
    for begin, end in runs(row):
        if end - begin < SHORTEST_HOPS:
            row[begin:end] = False
