"""Pictures of a run, drawn when it ends: learning curves, confusion, ROC, precision, AP.

`curves.png` from `metrics.json`; `confusion.png` where a row has one label; `roc.png`, `pr.png`
and `ap.png` from the scores of the validation part. matplotlib is optional: without it there is
one line, and no picture.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import MissingExtra
from realtime.outputs.picture import Picture

Array = NDArray[np.float32]

DPI = 110
LINES = 10  # curves of single labels in a picture
BARS = 60  # labels in `ap.png`
CELLS = 60  # labels in `confusion.png`
NUMBERS = 20  # labels whose counts are written into it
GRID = {"color": "#dddddd", "linewidth": 0.6}
MANY = {"color": "#000000", "linewidth": 1.6}

log = logging.getLogger("rt.train.pictures")


def write_pictures(
    out: Path, labels: Sequence[str] = (), targets: Any = (), scores: Any = ()
) -> list[Path]:
    """Draw what there is to draw: of labels' scores if there are any, and the learning curves.

    Args:
        out: folder of the run; `metrics.json` is read from it.
        labels: names of the scores.
        targets: int64 [rows], or 0 and 1 [rows, labels] where a row has several; NaN or a
            negative target is a row, or a score, that nothing is known of.
        scores: float32 [rows, labels].

    Returns:
        The pictures' files; none without matplotlib.
    """
    try:
        made = [curves(out)]
        if not len(labels):
            return [path for path in made if path]
        truth, single = told(np.asarray(targets), len(labels))
        scores = np.asarray(scores, np.float32)
        if single and len(labels) <= CELLS:
            made.append(confusions(out, labels, truth, scores))
        made += [
            curve(out, "roc", labels, truth, scores),
            curve(out, "pr", labels, truth, scores),
        ]
        made.append(bars(out, labels, truth, scores))
    except MissingExtra:
        log.info("no pictures of the run: pipx inject rt-tag matplotlib")
        return []
    return [path for path in made if path]


def told(targets: NDArray[Any], labels: int) -> tuple[Array, bool]:
    """Targets as float32 [rows, labels] with NaN for unknown, and whether a row has one."""
    if targets.ndim == 1:
        truth = np.full((len(targets), labels), np.nan, np.float32)
        rows = np.flatnonzero(targets >= 0)
        truth[rows] = np.eye(labels, dtype=np.float32)[targets[rows].astype(int)]
        return truth, True
    truth = targets.astype(np.float32)
    known = np.isfinite(truth).all(1)
    return truth, bool(known.any() and (truth[known].sum(1) == 1).all())


def curves(out: Path) -> Path | None:
    """Learning curves: every number of the journal over the steps, losses together."""
    path = out / "metrics.json"
    rows = msgspec.json.decode(path.read_bytes()) if path.exists() else []
    if not rows:
        return None
    names = list(dict.fromkeys(k for row in rows for k in row if k != "step"))
    panels = [[n for n in names if "loss" in n], *([n] for n in names if "loss" not in n)]
    panels = [p for p in panels if p]

    def paint(figure: Any) -> None:
        for axes, panel in zip(_axes(figure, len(panels)), panels, strict=True):
            for name in panel:
                mine = [(r["step"], r[name]) for r in rows if r.get(name) is not None]
                axes.plot(*zip(*mine, strict=True), marker=".", label=name)
            axes.set(xlabel="step")
            axes.legend(fontsize=8, frameon=False)

    return _drawn(out / "curves.png", (4.0 * len(panels), 3.2), paint)


def confusions(out: Path, labels: Sequence[str], truth: Array, scores: Array) -> Path | None:
    """What it was against what was said, as shares of what it was; counts where they fit."""
    known = np.isfinite(truth).all(1)
    table = np.zeros((len(labels), len(labels)), int)
    np.add.at(table, (truth[known].argmax(1), scores[known].argmax(1)), 1)
    share = table / np.maximum(table.sum(1, keepdims=True), 1)

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
        ticks = range(len(labels))
        axes.set_xticks(ticks, labels, rotation=90, fontsize=7)
        axes.set_yticks(ticks, labels, fontsize=7)
        axes.set(xlabel="said", ylabel="was")
        for i, j in zip(*np.nonzero(table), strict=True) if len(labels) <= NUMBERS else ():
            colour = "#ffffff" if share[i, j] > 0.5 else "#000000"
            axes.text(j, i, table[i, j], ha="center", va="center", fontsize=7, color=colour)

    size = 2.5 + 0.22 * len(labels)
    return _drawn(out / "confusion.png", (size, size), paint)


def curve(
    out: Path, kind: str, labels: Sequence[str], truth: Array, scores: Array
) -> Path | None:
    """ROC or precision over recall: all labels together, and the ten rarest ones known."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    kinds = _both(truth)
    if not kinds:
        return None
    rarest = sorted(kinds, key=lambda i: np.nansum(truth[:, i]))[:LINES]

    def line(axes: Any, t: Array, s: Array, **style: Any) -> None:
        known = np.isfinite(t)
        if kind == "roc":
            x, y, _ = roc_curve(t[known], s[known])
        else:
            y, x, _ = precision_recall_curve(t[known], s[known])
        axes.plot(x, y, **style)

    def paint(figure: Any) -> None:
        (axes,) = _axes(figure, 1)
        for i in sorted(rarest):
            line(axes, truth[:, i], scores[:, i], label=labels[i], linewidth=0.9)
        line(axes, truth[:, kinds].ravel(), scores[:, kinds].ravel(), label="together", **MANY)
        names = ("false alarms", "found") if kind == "roc" else ("found", "right of those said")
        axes.set(xlabel=names[0], ylabel=names[1], xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.legend(fontsize=7, frameon=False)

    return _drawn(out / f"{kind}.png", (5.0, 4.6), paint)


def bars(out: Path, labels: Sequence[str], truth: Array, scores: Array) -> Path | None:
    """Average precision of each label, the best first; of many labels both ends."""
    from sklearn.metrics import average_precision_score

    found = []
    for i in _both(truth):
        known = np.isfinite(truth[:, i])
        found.append((average_precision_score(truth[known, i], scores[known, i]), labels[i]))
    if not found:
        return None
    found.sort(reverse=True)
    mean = float(np.mean([x for x, _ in found]))
    shown = found if len(found) <= BARS else found[: BARS // 2] + found[-BARS // 2 :]

    def paint(figure: Any) -> None:
        (axes,) = _axes(figure, 1)
        axes.barh([name for _, name in shown], [x for x, _ in shown], height=0.7)
        axes.axvline(mean, color="#000000", linewidth=0.9, label=f"mean {mean:.3f}")
        axes.invert_yaxis()
        axes.tick_params(axis="y", labelsize=7)
        title = "" if shown is found else f"the best and the worst of {len(found)}"
        axes.set(xlabel="average precision", xlim=(0.0, 1.0), title=title)
        axes.legend(fontsize=7, frameon=False)

    return _drawn(out / "ap.png", (6.0, 1.2 + 0.18 * len(shown)), paint)


def _both(truth: Array) -> list[int]:
    """Labels that have rows with and rows without them."""
    return [i for i in range(truth.shape[1]) if {0.0, 1.0} <= set(truth[:, i].tolist())]


def _axes(figure: Any, count: int) -> list[Any]:
    panels = figure.subplots(1, count, squeeze=False)[0]
    for axes in panels:
        axes.grid(**GRID)
        axes.set_axisbelow(True)
    return list(panels)


def _drawn(path: Path, inches: tuple[float, float], paint: Callable[[Any], None]) -> Path:
    Picture(path).draw(inches, DPI, paint)
    return path
