"""`--plot` of a gate: sound in and out, score and threshold, gain, openings on one time axis.

Memory does not grow with the input: sound and decisions go into at most `COLUMNS` columns of
time, and when they are full, neighbours are merged and each column stands for twice as long. A
column keeps its lowest and highest value, so that no opening and no peak is lost to the eye.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.outputs.gate import Audio, GateEvent, GateOpening, GateReading, Opened
from realtime.outputs.picture import Picture

Table = NDArray[np.float32]  # [columns]

COLUMNS = 2048  # of time; more than the picture has pixels
SOUND_S, DECISIONS_S = 0.001, 0.01  # first width of a column
LOWEST_DB = -90.0  # of levels and gains in the picture
FAINTEST = 0.3  # shade of a column that is open for a moment
WIDTH_IN, HEIGHT_IN, DPI = 12.0, 6.6, 120
BEFORE, AFTER, SCORE, GAIN, OPEN, LINE = (
    "#c2c6cc", "#0072b2", "#7f52a2", "#d55e00", "#009e73", "#333333",
)  # fmt: skip


class GatePlot:
    """Draws when the input is over; a `GateOutput`.

    Args:
        path: the picture; its suffix says which kind (png, pdf, svg).

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: a kind of picture that matplotlib does not write.
        OutputError: the file cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        self._picture = Picture(path)
        self._opening: GateOpening | None = None

    def open(self, opening: GateOpening) -> None:
        """The input starts."""
        self._opening = opening
        self._before = _Spans(max(1, round(SOUND_S * opening.rate)))
        self._after = _Spans(max(1, round(SOUND_S * opening.rate)))
        self._score, self._gain, self._open = _Spans(1), _Spans(1), _Spans(1)
        self._first_t = 0.0
        self._openings = 0
        self._end = 0.0

    def sound(self, before: Audio, after: Audio) -> None:
        """Take the sound of both sides."""
        self._before.add(before.min(axis=1, initial=0.0), before.max(axis=1, initial=0.0))
        self._after.add(after.min(axis=1, initial=0.0), after.max(axis=1, initial=0.0))

    def reading(self, reading: GateReading) -> None:
        """Take a decision."""
        if not len(self._open):
            self._first_t = reading.t
        by_level = self._opening is not None and not self._opening.model
        score = max(LOWEST_DB, reading.peak_db) if by_level else reading.score
        for track, value in (
            (self._score, score),
            (self._gain, max(LOWEST_DB, reading.gain_db)),
            (self._open, float(reading.open)),
        ):
            one = np.array([value], np.float32)
            track.add(one, one)

    def event(self, event: GateEvent) -> None:
        """Count openings."""
        self._openings += isinstance(event, Opened)

    def end(self, t: float) -> None:
        """The input's length."""
        self._end = t

    def close(self, complete: bool) -> None:
        """Draw and save, unless the run failed."""
        opening = self._opening
        if not complete or opening is None:
            self._picture.discard()
            return
        self._picture.draw(
            (WIDTH_IN, HEIGHT_IN), DPI, lambda figure: self._paint(figure, opening)
        )

    def _paint(self, figure: Any, opening: GateOpening) -> None:
        wave, score, gain = figure.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": [2.4, 1.5, 1.1]}
        )
        end = max(self._end, 0.01)
        self._draw_sound(wave, opening)
        self._draw_score(score, opening)
        self._draw_gain(gain, opening)
        for axes in (wave, score, gain):
            self._shade(axes, end)
            axes.set_xlim(0.0, end)
            axes.grid(axis="x", color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.tick_params(labelsize=8)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        wave.set_title(self._title(opening, end), loc="left", fontsize=11)
        gain.set_xlabel("seconds")
        figure.align_ylabels()

    def _title(self, opening: GateOpening, end: float) -> str:
        share = 100 * float(self._open.mean().mean()) if len(self._open) else 0.0
        plural = "" if self._openings == 1 else "s"
        parts = [
            Path(opening.source).name,
            opening.model or "level gate",
            f"{self._openings} opening{plural}, open {share:.0f} % of {end:.1f} s",
        ]
        if opening.lookahead_s:
            parts.append(f"look-ahead {1000 * opening.lookahead_s:g} ms")
        return "   ·   ".join(parts)

    def _draw_sound(self, axes: Any, opening: GateOpening) -> None:
        top = 0.0
        for track, colour, name in (
            (self._before, BEFORE, "in"),
            (self._after, AFTER, "out"),
        ):
            low, high = track.spans()
            top = max(top, float(np.abs(low).max(initial=0)), float(high.max(initial=0)))
            times = track.middles() / opening.rate
            axes.fill_between(
                times, low, high, color=colour, linewidth=0.5, label=name, zorder=2
            )
        top = max(1.05 * top, 1e-4)
        axes.set_ylim(-top, top)
        axes.set_ylabel("sound", fontsize=9)
        axes.legend(loc="upper right", fontsize=8, frameon=False, ncols=2)

    def _draw_score(self, axes: Any, opening: GateOpening) -> None:
        low, high = self._score.spans()
        times = self._times(self._score)
        axes.fill_between(times, low, high, color=SCORE, alpha=0.35, linewidth=0, zorder=2)
        axes.plot(times, self._score.mean(), color=SCORE, linewidth=0.9, zorder=3)
        form = "{:.2f}" if opening.model else "{:.1f} dB"
        for line, style, name in (
            (opening.threshold, "-", "opens at "),
            (opening.close_under, ":", "closes under "),
        ):
            axes.axhline(
                line, color=LINE, linewidth=0.9, linestyle=style, zorder=4,
                label=name + form.format(line),
            )  # fmt: skip
        if opening.model:
            axes.set_ylim(-0.03, 1.03)
        axes.set_ylabel("score" if opening.model else "peak level, dBFS", fontsize=9)
        axes.legend(
            loc="lower right", fontsize=8, ncols=2, framealpha=0.8, edgecolor="none",
            bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1,
        )  # fmt: skip

    def _draw_gain(self, axes: Any, opening: GateOpening) -> None:
        low, high = self._gain.spans()
        times = self._times(self._gain)
        axes.fill_between(times, low, high, color=GAIN, alpha=0.35, linewidth=0, zorder=2)
        axes.plot(times, self._gain.mean(), color=GAIN, linewidth=1.0, zorder=3)
        bottom = max(opening.range_db, LOWEST_DB)
        axes.set_ylim(min(1.08 * bottom, -6.0), max(-0.06 * bottom, 1.0))
        axes.set_ylabel("gain, dB", fontsize=9)

    def _shade(self, axes: Any, end: float) -> None:
        """Where it is open, in green; a lighter one where a column has short openings."""
        from matplotlib.colors import LinearSegmentedColormap

        share = self._open.mean()
        share[share > 0] = np.maximum(share[share > 0], FAINTEST)  # one in an hour is seen, too
        if len(share):
            length = len(share) * self._open.step * DECISIONS_S
            bottom, top = axes.get_ylim()
            axes.imshow(
                share[None],
                aspect="auto",
                cmap=LinearSegmentedColormap.from_list("open", ["#ffffff", OPEN]),
                vmin=0.0,
                vmax=1.0,
                alpha=0.22,
                interpolation="nearest",
                zorder=0,
                extent=(self._first_t, self._first_t + length, bottom, top),
            )
            axes.set_ylim(bottom, top)
        axes.set_xlim(0.0, end)

    def _times(self, track: _Spans) -> NDArray[np.float64]:
        """Where the columns of decisions lie, seconds; a decision holds from its instant on."""
        return self._first_t + track.middles() * DECISIONS_S


class _Spans:
    """Lowest, highest and mean value over time, in a bounded table.

    Args:
        step: values in a column, at first.

    Attributes:
        step: values in a column by now.
    """

    def __init__(self, step: int) -> None:
        self.step = step
        self._taken = 0  # values
        self._low: Table = np.full(COLUMNS, np.inf, np.float32)
        self._high: Table = np.full(COLUMNS, -np.inf, np.float32)
        self._sum = np.zeros(COLUMNS)

    def __len__(self) -> int:
        return -(-self._taken // self.step)

    def add(self, low: Table, high: Table) -> None:
        """Take the next values: of each its lowest and its highest, float32 [n]."""
        n = len(low)
        if not n:
            return
        while self._taken + n > COLUMNS * self.step:
            self._halve()
        first = self._taken // self.step
        cuts = np.arange((first + 1) * self.step - self._taken, n, self.step)
        cuts = np.concatenate([[0], cuts])
        to = slice(first, first + len(cuts))
        np.minimum(self._low[to], np.minimum.reduceat(low, cuts), out=self._low[to])
        np.maximum(self._high[to], np.maximum.reduceat(high, cuts), out=self._high[to])
        self._sum[to] += np.add.reduceat(0.5 * (low + high), cuts)
        self._taken += n

    def spans(self) -> tuple[Table, Table]:
        """Lowest and highest of each column, float32 [columns]."""
        return self._low[: len(self)], self._high[: len(self)]

    def mean(self) -> NDArray[np.float64]:
        """Mean of each column, float64 [columns]."""
        counts = np.full(len(self), float(self.step))
        if len(self):
            counts[-1] = self._taken - (len(self) - 1) * self.step
        mean: NDArray[np.float64] = np.divide(self._sum[: len(self)], counts)
        return mean

    def middles(self) -> NDArray[np.float64]:
        """The middle of each column, in values since the first."""
        middles: NDArray[np.float64] = np.arange(len(self), dtype=np.float64) + 0.5
        return np.multiply(middles, self.step, out=middles)

    def _halve(self) -> None:
        half = COLUMNS // 2
        self._low[:half] = np.minimum(self._low[0::2], self._low[1::2])
        self._high[:half] = np.maximum(self._high[0::2], self._high[1::2])
        self._sum[:half] = self._sum[0::2] + self._sum[1::2]
        self._low[half:], self._high[half:], self._sum[half:] = np.inf, -np.inf, 0.0
        self.step *= 2
