"""`--plot`: a picture of one input, the spectrogram above and the tags below on one time axis.

Memory does not grow with the input: sound and scores go into at most `COLUMNS` columns of time,
and when they are full, neighbours are merged and each column stands for twice as long.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.outputs import Event, Opening, Reading, Start, Stop
from realtime.outputs.bands import Bands
from realtime.outputs.picture import Picture

Array = NDArray[np.float32]

COLUMNS = 2048  # of time; more than the picture has pixels
FIRST_COLUMN_S = 0.01
BANDS = 128
TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
RANGE_DB = 75.0  # from the loudest down to black
TAGS = 4000  # bars kept; beyond, only their number
ROWS = 16  # labels shown
WIDTH_IN = 12.0
DPI = 120
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f52a2", "#8c6d31",
)  # fmt: skip  # Okabe and Ito's, told apart by colour-blind eyes too, and two more


class Plot:
    """Draws when the input is over; an `Output` for one input.

    Args:
        path: the picture; its suffix says which kind (png, pdf, svg).

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: a kind of picture that matplotlib does not write.
        OutputError: the file cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        self._picture = Picture(path)
        self._opening: Opening | None = None

    def open(self, opening: Opening) -> None:
        """The input starts."""
        self._opening = opening
        self._spectrum = Bands(opening.rate, FIRST_COLUMN_S, BANDS)
        self._sound = _Columns(BANDS)
        self._scores = _Columns(len(opening.labels))
        self._tags: list[tuple[str, float, float, float]] = []
        self._more = 0
        self._running: dict[str, float] = {}
        self._end = 0.0

    def reading(self, reading: Reading) -> None:
        """Take the hop's sound and scores."""
        for t, power in self._spectrum.frames(reading.audio, reading.t):
            self._sound.add(t, power)
        self._scores.add(max(0.0, reading.t - 1e-9), reading.scores)

    def event(self, event: Event) -> None:
        """Take starts and stops."""
        if isinstance(event, Start):
            self._running[event.label] = event.t
        elif isinstance(event, Stop):
            start = self._running.pop(event.label, event.t)
            if len(self._tags) < TAGS:
                self._tags.append((event.label, start, event.t, event.peak))
            else:
                self._more += 1

    def end(self, t: float) -> None:
        """The input's length."""
        self._end = t

    def close(self, complete: bool) -> None:
        """Draw and save, unless the run failed."""
        opening = self._opening
        if not complete or opening is None:
            self._picture.discard()
            return
        rows = self._shown(opening)
        lower = 0.5 + 0.42 * len(rows)

        def paint(figure: Any) -> None:
            above, below = figure.subplots(
                2, 1, sharex=True, gridspec_kw={"height_ratios": [3.2, lower]}
            )
            end = max(self._end, opening.hop_s)
            self._draw_sound(above, opening, end)
            self._draw_tags(below, opening, rows, end)
            above.set_title(
                f"{Path(opening.source).name}   ·   {opening.model}", loc="left", fontsize=11
            )

        self._picture.draw((WIDTH_IN, 4.2 + lower), DPI, paint)

    def _draw_sound(self, axes: Any, opening: Opening, end: float) -> None:
        power = self._sound.mean()
        level = 10.0 * np.log10(power.T + 1e-14)
        top = float(level.max()) if level.size else 0.0
        axes.imshow(
            level if level.size else np.full((BANDS, 1), -140.0),
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="magma",
            vmin=max(top, -90.0) - RANGE_DB,
            vmax=max(top, -90.0),
            extent=(0.0, max(len(power), 1) * self._sound.column_s, 0, BANDS),
        )
        ticks = [f for f in TICKS_HZ if f <= opening.rate / 2]
        axes.set_yticks(
            [self._spectrum.band_of(f) for f in ticks],
            [f"{f // 1000} kHz" if f >= 1000 else f"{f} Hz" for f in ticks],
        )
        axes.set_xlim(0.0, end)
        axes.tick_params(labelsize=8)

    def _draw_tags(self, axes: Any, opening: Opening, rows: list[str], end: float) -> None:
        scores = self._scores.peak()
        times = (np.arange(len(scores)) + 0.5) * self._scores.column_s
        for y, label in enumerate(rows):
            colour = COLOURS[y % len(COLOURS)]
            base = len(rows) - 1 - y
            heard = np.flatnonzero(self._scores.used())
            curve = scores[heard, opening.labels.index(label)]
            axes.fill_between(
                times[heard], base, base + 0.86 * curve, color=colour, alpha=0.16, linewidth=0
            )
            for name, start, stop, peak in self._tags:
                if name == label:
                    # an event decided at the very end has no length, and is seen all the same
                    width = max(stop - start, end * 0.002)
                    axes.broken_barh([(start, width)], (base + 0.08, 0.6), color=colour)
                    axes.text(
                        start + width + end * 0.003,
                        base + 0.36,
                        f"{peak:.2f}",
                        fontsize=7,
                        va="center",
                        color=colour,
                        clip_on=True,
                    )
        axes.set_yticks([len(rows) - 1 - y + 0.38 for y in range(len(rows))], rows, fontsize=9)
        axes.set_ylim(-0.1, max(len(rows), 1))
        axes.set_xlabel("seconds" + (f"   ({self._more} more tags)" if self._more else ""))
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)

    def _shown(self, opening: Opening) -> list[str]:
        """Labels that have a row, in the model's order: those with tags, else the best."""
        count = dict.fromkeys(opening.labels, 0)
        for label, *_ in self._tags:
            count[label] += 1
        often = sorted(count, key=lambda label: -count[label])
        tagged = [label for label in often[:ROWS] if count[label]]
        if not tagged:
            best = np.argsort(-self._scores.peak().max(axis=0, initial=0.0), kind="stable")
            tagged = [opening.labels[i] for i in best[:5]]
        return [label for label in opening.labels if label in tagged]


class _Columns:
    """Rows of numbers over time in a bounded table.

    Args:
        width: numbers in a row.
    """

    def __init__(self, width: int) -> None:
        self.column_s = FIRST_COLUMN_S
        self._sum = np.zeros((COLUMNS, width), np.float32)
        self._peak = np.zeros((COLUMNS, width), np.float32)
        self._count = np.zeros(COLUMNS, np.float32)
        self._length = 0

    def add(self, t: float, row: Array) -> None:
        """Take a row of time `t`, seconds."""
        while int(t / self.column_s) >= COLUMNS:
            self._halve()
        i = int(t / self.column_s)
        self._sum[i] += row
        np.maximum(self._peak[i], row, out=self._peak[i])
        self._count[i] += 1
        self._length = max(self._length, i + 1)

    def mean(self) -> Array:
        """Mean of each column, float32 [columns, width]; zeros where nothing came."""
        count = np.maximum(self._count[: self._length, None], 1)
        mean: Array = np.divide(self._sum[: self._length], count)
        return mean

    def peak(self) -> Array:
        """Largest of each column, float32 [columns, width]."""
        return self._peak[: self._length]

    def used(self) -> NDArray[np.bool_]:
        """Columns that something came into, bool [columns]."""
        return np.asarray(self._count[: self._length] > 0)

    def _halve(self) -> None:
        half = COLUMNS // 2
        self._sum[:half] = self._sum[0::2] + self._sum[1::2]
        self._peak[:half] = np.maximum(self._peak[0::2], self._peak[1::2])
        self._count[:half] = self._count[0::2] + self._count[1::2]
        for table in (self._sum, self._peak, self._count):
            table[half:] = 0
        self._length = -(-self._length // 2)
        self.column_s *= 2
