"""The picture of `rt-eval tag`: ROC, precision and recall, AP, calibration, confusion."""

from __future__ import annotations

from typing import Any

import numpy as np

from realtime.outputs.picture import Picture
from train import metrics
from train.clip_scores import ClipScores

DPI = 110
SHOWN = 40  # labels whose names have room


def draw(picture: Picture, heard: ClipScores) -> None:
    """Draw the scores of clips.

    Raises:
        OutputError: the picture cannot be written.
    """

    def paint(figure: Any) -> None:
        above, below = figure.subplots(2, 3 if heard.exclusive else 2)
        for i in np.flatnonzero(heard.truth.any(0) & ~heard.truth.all(0)):
            s, t = heard.scores[:, i], heard.truth[:, i]
            above[0].plot(*metrics.roc_curve(s, t), linewidth=1, label=heard.labels[i])
            precision, recall = metrics.precision_recall(s, t)
            above[1].step(recall, precision, where="pre", linewidth=1)
        above[0].set(xlabel="share of the others said", ylabel="share found", title="ROC")
        above[1].set(xlabel="recall", ylabel="precision", title="Precision and recall")
        if len(heard.labels) <= SHOWN:
            above[0].legend(fontsize=5, frameon=False)
        _bars(below[0], heard)
        _reliability(below[1], heard)
        if heard.exclusive:
            _confusion(above[2], heard)
            below[2].set_axis_off()
        figure.suptitle(f"{heard.model}, {len(heard.truth)} clips", fontsize=10)

    picture.draw((13.0, 8.0) if heard.exclusive else (9.0, 8.0), DPI, paint)


def _bars(axes: Any, heard: ClipScores) -> None:
    ap, _ = metrics.per_label(heard.scores, heard.truth)
    order = np.argsort(np.nan_to_num(ap))
    axes.barh(range(len(ap)), np.nan_to_num(ap)[order], color="#0072b2")
    names = [heard.labels[i] for i in order] if len(ap) <= SHOWN else []
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set(xlim=(0, 1), title="Average precision")


def _reliability(axes: Any, heard: ClipScores) -> None:
    sure, right = metrics.decisions(heard.scores, heard.truth, heard.exclusive)
    share, said, so = metrics.reliability(sure, right)
    some = share > 0
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    axes.scatter(said[some], so[some], s=8 + 200 * share[some], color="#d55e00")
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="score",
        ylabel="share that was so",
        title="Calibration",
    )


def _confusion(axes: Any, heard: ClipScores) -> None:
    count = len(heard.labels)
    table = metrics.confusion(heard.truth.argmax(1), heard.scores.argmax(1), count)
    axes.imshow(
        table / np.maximum(table.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1
    )
    if count <= SHOWN:
        axes.set_xticks(range(count), heard.labels, rotation=90, fontsize=6)
        axes.set_yticks(range(count), heard.labels, fontsize=6)
    axes.set(xlabel="said", ylabel="was", title="Confusion")
