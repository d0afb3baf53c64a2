"""Stacked bars: which kinds of layer a model's time goes to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from realtime.outputs.picture import Picture
from train.latency.judge import Latency
from train.latency.kinds import KINDS

COLOURS = dict(
    zip(
        KINDS,
        (
            "#3b6ea5", "#8f6bb3", "#d9823b", "#5aa469", "#c24f4f", "#b8912f", "#5fa8a8",
            "#9aa5b1", "#6b4f3a", "#c9cdd2", "#7f7f7f",
        ),
        strict=True,
    )
)  # fmt: skip
NARROW = 6.0  # percent; less has no room for its number


def draw(picture: Picture, found: Sequence[tuple[str, Latency]]) -> None:
    """One bar a model, from the top.

    Args:
        picture: where to.
        found: a name for each bar, and its figures; those without a profile are left out.

    Raises:
        OutputError: the picture cannot be written.
    """
    bars = [(name, latency) for name, latency in found if latency.profiled_ms is not None]

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        shown = [k for k in KINDS if any(s.kind == k for _, b in bars for s in b.kinds)]
        left = [0.0] * len(bars)
        for kind in shown:
            parts = [
                next((s.percent or 0.0 for s in b.kinds if s.kind == kind), 0.0)
                for _, b in bars
            ]
            drawn = axes.barh(
                range(len(bars)), parts, left=left, color=COLOURS[kind], label=kind
            )
            axes.bar_label(
                drawn,
                [f"{p:.0f}" if p >= NARROW else "" for p in parts],
                label_type="center", color="white", fontsize=8,
            )  # fmt: skip
            left = [a + b for a, b in zip(left, parts, strict=True)]
        named = [f"{name}  {b.cpu_ms or b.ms:.3g} ms" for name, b in bars]
        axes.set_yticks(range(len(bars)), named)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of the time in layers")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside upper left", ncols=5, frameon=False, fontsize=8,
        )  # fmt: skip

    picture.draw((9.0, 1.3 + 0.33 * len(bars)), 110, paint)


def picture_of(path: str | Path | None) -> Picture | None:
    """The picture for `--plot`, whose name is checked before any work; None without one."""
    return Picture(path) if path else None
