"""The picture of a contest: what is lost against what slips through, onset cuts, and ratios."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realtime.outputs.picture import Picture
from train.gate_eval import metrics
from train.gate_eval.contest import Result

SIZE_IN = (12.0, 4.4)
DPI = 120
COLOURS = (
    "#d55e00",
    "#0072b2",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#7f7f7f",
    "#b0b0b0",
)
LOST_PCT = (0.3, 30.0)
CUT_MS = 500.0


def draw(results: Sequence[Result], path: Path, title: str) -> None:
    """Write a picture of results at one look-ahead; the first is drawn strongest.

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: a kind of picture that matplotlib does not write.
        OutputError: the file cannot be written.
    """

    def paint(figure: Any) -> None:
        axes = figure.subplots(1, 3)
        for i, result in enumerate(results):
            style = {
                "color": COLOURS[i % len(COLOURS)],
                "linewidth": 2.2 if i == 0 else 1.2,
                "zorder": 3 if i == 0 else 2,
                "label": result.name,
            }
            _losses(axes[0], result, style)
            _cuts(axes[1], result, style)
            _ratios(axes[2], result, style)
        _labelled(axes)
        handles, names = axes[2].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside lower center", ncols=4, fontsize=8, frameon=False
        )
        figure.suptitle(title, fontsize=11, x=0.01, ha="left")

    Picture(path).draw(SIZE_IN, DPI, paint)


def _losses(axes: Any, result: Result, style: dict[str, Any]) -> None:
    if len(result.judged[0].score):
        lost, over = metrics.curve(result.judged)
        axes.plot(np.maximum(lost, 1e-3), np.maximum(over, 1e-3), **style)
    if result.threshold is not None:
        said = metrics.figures(result.judged)
        axes.plot(
            said["target_lost_pct"], said["false_open_at_threshold_s_per_min"], "o",
            markersize=5, color=style["color"], zorder=4,
        )  # fmt: skip


def _cuts(axes: Any, result: Result, style: dict[str, Any]) -> None:
    each = [metrics.phrases(j.label, j.open) for j in result.judged]
    cuts = np.sort([ms for p in each for ms in p.cut_ms])
    count = sum(p.count for p in each)
    share = 100.0 * np.arange(1, len(cuts) + 1) / max(count, 1)
    axes.step(np.append(cuts, CUT_MS), np.append(share, share[-1:]), where="post", **style)


def _ratios(axes: Any, result: Result, style: dict[str, Any]) -> None:
    ratios = sorted({j.snr_db for j in result.judged})
    names = [f"{r:g}" if np.isfinite(r) else "clean" for r in ratios]
    values = []
    for ratio in ratios:
        mine = [j for j in result.judged if j.snr_db == ratio]
        values.append(100.0 * metrics.figures(mine)["balanced_accuracy"])
    axes.plot(names, values, marker="o", markersize=3, **style)


def _labelled(axes: Any) -> None:
    losses, cuts, ratios = axes
    losses.set(
        xscale="log", yscale="log", xlim=LOST_PCT, ylim=(0.5, 40.0), xlabel="target lost, %",
        ylabel="open without a target, s per minute",
    )  # fmt: skip
    losses.axvline(100 * metrics.LOST, color="#999999", linewidth=0.8, linestyle=":")
    cuts.set(
        xlim=(0.0, CUT_MS), ylim=(50.0, 100.5), xlabel="cut from a phrase's beginning, ms",
        ylabel="phrases cut by so much or less, %",
    )  # fmt: skip
    ratios.set(xlabel="target over noise, dB", ylabel="balanced accuracy, %")
    for one in axes:
        one.grid(color="#dddddd", linewidth=0.6)
        one.set_axisbelow(True)
        one.tick_params(labelsize=8)
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
    for axis in (losses.xaxis, losses.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
