"""`Trace`: what the gate heard and did in the last ten seconds, in a fixed amount of memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPAN_S = 10.0
BIN_S = 0.01
BINS = 2048  # a power of two, more than the span needs
BRIDGED = 6  # bins: hops are that far apart at most; longer gaps are gaps
MOST_MARKS = 256

Values = NDArray[np.float32]


class Trace:
    """Level, score and gain by time, in bins of 10 ms; NaN where nothing is known.

    Attributes:
        newest: number of the newest bin; bin n ends at (n + 1) * BIN_S seconds.
        marks: seconds at which the gate opened, oldest first.
    """

    def __init__(self) -> None:
        self._kept = np.full((3, BINS), np.nan, np.float32)  # level, score, gain
        self.newest = -1
        self.marks: deque[float] = deque(maxlen=MOST_MARKS)

    @property
    def t(self) -> float:
        """Seconds at the end of what is known."""
        return (self.newest + 1) * BIN_S

    def clear(self) -> None:
        """Forget everything: another run begins."""
        self._kept[:] = np.nan
        self.newest = -1
        self.marks.clear()

    def add(self, hops: Iterable[Sequence[Any]]) -> None:
        """Take [its end in seconds, level_db, score or None, gain_db] of each hop, in order."""
        kept = self._kept
        for t, level, score, gain in hops:
            at = round(t / BIN_S) - 1
            if self.newest < 0:
                self.newest = at
            elif at > self.newest:
                self._go_to(at)
            elif at <= self.newest - BINS:
                continue
            column = kept[:, at % BINS]
            if not column[0] >= level:  # also over NaN
                column[0] = level
            if score is not None and not column[1] >= score:
                column[1] = score
            column[2] = gain

    def mark(self, t: float) -> None:
        """The gate opened at `t`."""
        self.marks.append(t)

    def columns(self, first: int, last: int, width_s: float) -> tuple[Values, Values, Values]:
        """Level, score and gain in columns of `width_s`: the highest, the highest, the newest.

        Args:
            first: number of a column; it begins at first * width_s seconds.
            last: the column after the last one.
            width_s: seconds.

        Returns:
            float32 [last - first] each; NaN where nothing is known.
        """
        edges = np.floor(np.arange(first, last + 1) * (width_s / BIN_S)).astype(np.int64)
        edges = np.maximum(edges, 0)
        low, high = int(edges[0]), max(int(edges[-1]), int(edges[0]) + 1)
        bins = np.arange(low, high)
        values = self._kept[:, bins % BINS]
        values[:, (bins > self.newest) | (bins <= self.newest - BINS)] = np.nan
        starts = np.minimum(edges[:-1] - low, len(bins) - 1)
        level = np.fmax.reduceat(values[0], starts)
        score = np.fmax.reduceat(values[1], starts)
        ends = np.maximum(edges[1:] - low - 1, starts)
        return level, score, values[2, np.minimum(ends, len(bins) - 1)]

    def _go_to(self, at: int) -> None:
        """Make room up to bin `at`: what lies between is bridged, or unknown if it is long."""
        gap = at - self.newest - 1
        if gap:
            between = np.arange(max(self.newest + 1, at - BINS), at) % BINS
            known = gap <= BRIDGED
            self._kept[:, between] = self._kept[:, [self.newest % BINS]] if known else np.nan
        self._kept[:, at % BINS] = np.nan
        self.newest = at
