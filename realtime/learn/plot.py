"""`--plot` of a lesson: what every threshold would cost, and one held-back mixture.

Used by `realtime.commands.learn`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from realtime.card import Card
from realtime.gate.ideal import HOPS_PER_S, runs
from realtime.learn.judging import states_of
from realtime.learn.lesson import THRESHOLD, Learned
from realtime.learn.mixtures import BOTH
from realtime.outputs.picture import Picture

WIDTH_IN, HEIGHT_IN, DPI = 12.0, 6.6, 120
SOUND, IDEAL, LEARNED, LEVEL = "#8a9099", "#009e73", "#7f52a2", "#d55e00"
POINTS: Final = 100  # of the curve


def draw_lesson(path: str | Path, learned: Learned, card: Card) -> None:
    """Draw a lesson.

    Args:
        path: the picture; its suffix says which kind (png, pdf, svg).
        learned: what came of the lesson.
        card: of the gate.

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: a kind of picture that matplotlib does not write.
        OutputError: the file cannot be made.
    """

    def paint(figure: Any) -> None:
        curve, sound = figure.subplots(2, 1, height_ratios=(3, 2))
        figure.suptitle(f"{card.name}: what was held back, softer and louder")
        _curve(curve, learned)
        _mixture(sound, learned, card)

    Picture(path).draw((WIDTH_IN, HEIGHT_IN), DPI, paint)


def _curve(axes: Any, learned: Learned) -> None:
    """Target lost and false openings over all thresholds, and where the gates are."""
    truth = learned.heard.truth
    scores = learned.head.scores(learned.heard.embeddings)[..., 0]
    lost, false = [], []
    for threshold in np.quantile(scores, np.linspace(0.0, 1.0, POINTS)):
        rule = msgspec.structs.replace(learned.rule, threshold=float(threshold))
        states = states_of(scores, rule, 0)
        lost.append(100.0 * float((~states[truth.gate]).mean()))
        false.append(60.0 * float((states & ~truth.gate).mean()))
    axes.plot(lost, false, color=LEARNED, label="learned gate, all thresholds")
    first = next(c for c in learned.comparisons if c.levels == "any")
    for figures, colour, name in (
        (first.learned, LEARNED, f"learned gate at {THRESHOLD:g}"),
        (first.level, LEVEL, "level gate, tuned"),
    ):
        axes.plot(
            figures.target_lost_pct, figures.false_open_s_per_min, "o", color=colour, label=name
        )
    axes.set(xlabel="target lost, %", ylabel="open falsely, s in a minute")
    axes.set_xlim(0.0, 60.0)
    axes.set_ylim(0.0, None)
    axes.grid(alpha=0.3)
    axes.legend()


def _mixture(axes: Any, learned: Learned, card: Card) -> None:
    """One mixture of both sides with the ideal openings and the score."""
    heard = learned.heard
    kinds = [m.kind for m in heard.mixtures]
    i = kinds.index(BOTH) if BOTH in kinds else 0
    mixture = heard.mixtures[i]
    seconds = np.arange(len(mixture.audio)) / card.rate
    peak = max(1e-6, float(np.abs(mixture.audio).max()))
    axes.plot(seconds, 0.5 + 0.5 * mixture.audio / peak, color=SOUND, linewidth=0.4)
    for begin, end in runs(mixture.gate):
        axes.axvspan(begin / HOPS_PER_S, end / HOPS_PER_S, color=IDEAL, alpha=0.2, linewidth=0)
    scores = learned.head.scores(heard.embeddings[i])[:, 0]
    axes.plot((np.arange(len(scores)) + 1) / HOPS_PER_S, scores, color=LEARNED, linewidth=1.2)
    axes.axhline(THRESHOLD, color=LEARNED, linestyle=":", linewidth=0.8)
    axes.set(xlabel="seconds; green: should be open", ylabel="score", ylim=(0.0, 1.0))
    axes.margins(x=0.0)
