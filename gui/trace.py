"""`Trace`: what the gate heard and did in the last ten seconds, in a fixed amount of memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from math import floor, nan
from typing import Any

SPAN_S = 10.0
BIN_S = 0.01
BINS = 2048  # a power of two, more than the span needs
BRIDGED = 6  # bins: hops are that far apart at most; longer gaps are gaps
MOST_MARKS = 256

Values = list[float]


class Trace:
    """Level, score and gain by time, in bins of 10 ms; NaN where nothing is known.

    Attributes:
        newest: number of the newest bin; bin n ends at (n + 1) * BIN_S seconds.
        marks: seconds at which the gate opened, oldest first.
    """

    def __init__(self) -> None:
        # lists: a frame takes two or three columns, for which arrays are slower
        self._levels, self._scores, self._gains = self._kept = tuple(
            [nan] * BINS for _ in range(3)
        )
        self.newest = -1
        self.marks: deque[float] = deque(maxlen=MOST_MARKS)

    @property
    def t(self) -> float:
        """Seconds at the end of what is known."""
        return (self.newest + 1) * BIN_S

    def clear(self) -> None:
        """Forget everything: another run begins."""
        for values in self._kept:
            values[:] = [nan] * BINS
        self.newest = -1
        self.marks.clear()

    def add(self, hops: Iterable[Sequence[Any]]) -> None:
        """Take [its end in seconds, level_db, score or None, gain_db] of each hop, in order."""
        levels, scores, gains = self._levels, self._scores, self._gains
        for t, level, score, gain in hops:
            at = round(t / BIN_S) - 1
            if self.newest < 0:
                self.newest = at
            elif at > self.newest:
                self._go_to(at)
            elif at <= self.newest - BINS:
                continue
            i = at % BINS
            if not levels[i] >= level:  # also over NaN
                levels[i] = level
            if score is not None and not scores[i] >= score:
                scores[i] = score
            gains[i] = gain

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
            `last - first` values each; NaN where nothing is known.
        """
        found: tuple[Values, Values, Values] = ([], [], [])
        oldest, newest = max(self.newest - BINS, -1), self.newest
        bins = width_s / BIN_S
        end = floor(first * bins)
        for column in range(first, last):
            begin, end = end, floor((column + 1) * bins)
            level = score = gain = nan
            for at in range(begin, max(end, begin + 1)):
                if not oldest < at <= newest:
                    continue
                i = at % BINS
                level, score = _higher(level, self._levels[i]), _higher(score, self._scores[i])
                gain = self._gains[i]
            for values, value in zip(found, (level, score, gain), strict=True):
                values.append(value)
        return found

    def _go_to(self, at: int) -> None:
        """Make room up to bin `at`: what lies between is bridged, or unknown if it is long."""
        known = at - self.newest - 1 <= BRIDGED
        for values in self._kept:
            last = values[self.newest % BINS] if known else nan
            for k in range(max(self.newest + 1, at - BINS), at):
                values[k % BINS] = last
            values[at % BINS] = nan
        self.newest = at


def _higher(value: float, other: float) -> float:
    """The higher one of two; the known one if the other is NaN."""
    return value if value >= other or other != other else other
