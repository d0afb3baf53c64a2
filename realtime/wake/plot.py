"""`--plot` of a lesson: what was left out, and what comes nearest, about the threshold.

Used by `realtime.commands.tag_learn`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime.outputs.picture import Picture
from realtime.wake.label import Found
from realtime.wake.lesson import Learned
from realtime.wake.report import missed_of

WIDTH_IN, ROW_IN, DPI = 9.0, 2.4, 120
GOOD, BAD, LINE = "#009e73", "#d55e00", "#8a9099"
SPREAD: Final = 0.3  # of the dots of a row, up and down


def draw_lesson(picture: Picture, learned: Learned, name: str) -> None:
    """Draw a lesson: a panel for each label.

    Args:
        picture: the file.
        learned: what came of the lesson.
        name: of the model.

    Raises:
        OutputError: it cannot be written.
    """

    def paint(figure: Any) -> None:
        figure.suptitle(f"{name}: each sound as heard by a model that did not learn it")
        rows = figure.subplots(len(learned.found), 1, squeeze=False)[:, 0]
        for axes, one in zip(rows, learned.found, strict=True):
            _label(axes, one, learned)
        rows[-1].set_xlabel("score over the threshold")

    picture.draw((WIDTH_IN, 0.8 + ROW_IN * len(learned.found)), DPI, paint)


def _label(axes: Any, one: Found, learned: Learned) -> None:
    """The examples, and the highest of what shall not be found."""
    examples = learned.memory.examples
    closed = [m for m, i in zip(one.closed, one.others, strict=True) if not examples[i].label]
    others = [m for m, i in zip(one.closed, one.others, strict=True) if examples[i].label]
    rows = [
        ("examples", one.margins, True),
        ("shipped sounds", one.shipped, False),
        ("your --closed", np.array(closed, np.float32), False),
        ("other labels", np.array(others, np.float32), False),
    ]
    rows = [row for row in rows if len(row[1])]
    for at, (_, margins, wanted) in enumerate(rows):
        _dots(axes, -at, margins, wanted)
    axes.axvline(0.0, color=LINE, linestyle=":")
    axes.set_yticks([-at for at in range(len(rows))], [name for name, _, _ in rows])
    axes.set_ylim(0.6 - len(rows), 0.6)
    missed, count = missed_of(one)
    axes.set_title(
        f"{one.label}: {missed} of {count} missed, {one.events} false alarms in "
        f"{one.hours:.1f} h shipped",
        fontsize=10,
    )


def _dots(axes: Any, row: int, margins: NDArray[np.float32], wanted: bool) -> None:
    """One dot a sound; full and green on the right side of the threshold."""
    heights = row + SPREAD * np.linspace(-1.0, 1.0, len(margins) + 2)[1:-1]
    right = (margins >= 0.0) == wanted
    axes.plot(margins[right], heights[right], "o", color=GOOD, markersize=4)
    axes.plot(margins[~right], heights[~right], "x", color=BAD, markersize=6)
