"""The scores that models give to labelled clips, by the live Runner and front end.

A clip that is no longer than the model's window is placed in the middle of one. A longer one
is heard in windows that overlap by half, the last one at its end; its score is the mean or the
maximum over them, or that of its loudest window alone. Windows of digital silence do not count
where there are others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from realtime.card import Card
from realtime.errors import AudioError, UsageError
from realtime.frontend import finish_window, one_shot
from realtime.runners import Runner
from realtime.window import Window
from train.bank import read_mono
from train.clips import place
from train.manifest import Row, labels_of

Array = NDArray[np.float32]
Over = Literal["mean", "max", "loudest"]
Change = Callable[[Array, int, int], Array]  # sound, number of the row, Hz


class ClipScores(msgspec.Struct):
    """What a model gave to clips.

    Args:
        model: its name.
        labels: names of the scores.
        scores: float32 [clips, labels].
        truth: bool [clips, labels].
        files: of the clips.
        thresholds: the model's own, [labels].
        softmax: whether the scores of a clip share 1.
        ms_per_window: median time of one run of the model.
        unreadable: a line for each file that was left out.
    """

    model: str
    labels: list[str]
    scores: Array
    truth: NDArray[np.bool_]
    files: list[str]
    thresholds: NDArray[np.float64]
    softmax: bool
    ms_per_window: float
    unreadable: list[str]

    @property
    def exclusive(self) -> bool:
        """Whether each clip has exactly one label."""
        return bool((self.truth.sum(1) == 1).all())


def score_clips(
    scorers: Sequence[Runner],
    rows: Sequence[Row],
    root: Path,
    over: Over = "mean",
    quiet: bool = False,
    change: Change | None = None,
) -> list[ClipScores]:
    """Score every row's clip by every model.

    Args:
        scorers: models with the same labels, in any order.
        rows: labelled clips; a label that the models lack counts as "unknown" where they have
            that.
        root: folder of the files.
        over: how the windows of a long clip become its score.
        quiet: no progress bar.
        change: done to the sound of each clip, which is at least one window long by then.

    Returns:
        Scores of each model, of the same clips in the same order.

    Raises:
        UsageError: a label that the models cannot give, or models of different labels.
        AudioError: not one clip could be read.
    """
    labels = _labels_of_all([s.card for s in scorers])
    found: list[list[Array]] = [[] for _ in scorers]
    times: list[list[float]] = [[] for _ in scorers]
    truth, files, bad = [], [], []
    wanted = [truth_of(row, labels, scorers[0].card.name) for row in rows]
    bar = track(rows, "scoring", transient=True, disable=quiet, console=Console(stderr=True))
    for number, row in enumerate(bar):
        try:
            heard = {r: read_mono(root / row.file, r) for r in {s.card.rate for s in scorers}}
        except (OSError, soundfile.SoundFileError) as e:
            bad.append(f"{row.file}: {e}")
            continue
        for scorer, scores, spent in zip(scorers, found, times, strict=True):
            clip = padded(scorer.card, heard[scorer.card.rate])
            if change is not None:
                clip = change(clip, number, scorer.card.rate)
            scores.append(score_clip(scorer, clip, over, spent))
        truth.append(wanted[number])
        files.append(row.file)
    if not truth:
        raise AudioError(
            f"{root}: no clip could be read ({len(bad)} tried)", "check the folder"
        )
    return [
        ClipScores(
            model=s.card.name,
            labels=labels,
            scores=np.stack(scores)[:, [s.card.labels.index(name) for name in labels]],
            truth=np.stack(truth),
            files=files,
            thresholds=np.array([s.card.threshold(name) for name in labels]),
            softmax="softmax" in s.card.scores,
            ms_per_window=1e3 * float(np.median(spent)),
            unreadable=bad,
        )
        for s, scores, spent in zip(scorers, found, times, strict=True)
    ]


def score_clip(scorer: Runner, clip: Array, over: Over, spent: list[float]) -> Array:
    """Scores of one clip of at least a window; the time of each run is added to `spent`."""
    rows = []
    for window in _windows(scorer, clip, over):
        began = time.perf_counter()
        rows.append(np.array(scorer.run(window)))  # a runner may reuse its own
        spent.append(time.perf_counter() - began)
    every = np.stack(rows)
    scores: Array = every.max(0) if over == "max" else every.mean(0)
    return scores


def loudest(card: Card, clip: Array) -> Array:
    """A clip in one window's length: between silence, or the loudest part of a longer one."""
    size = _size(card)
    if len(clip) > size:
        energy = np.concatenate([[0.0], np.cumsum(np.square(clip, dtype=np.float64))])
        at = int(np.argmax(energy[size:] - energy[:-size]))
        clip = clip[at : at + size]
    return padded(card, clip)


def window_of(card: Card, clip: Array) -> Array:
    """The loudest window of a clip, as the runner wants it."""
    x = loudest(card, clip)
    spec = card.input.features
    return (
        x * np.float32(card.input.scale)
        if spec is None
        else finish_window(spec, one_shot(spec, x))
    )


def padded(card: Card, clip: Array) -> Array:
    """A clip in the middle of a window's silence; a longer one as it is."""
    size = _size(card)
    if len(clip) >= size:
        return clip
    x = np.zeros(size, np.float32)
    place(x, clip, 0)
    return x


def truth_of(row: Row, labels: list[str], model: str) -> NDArray[np.bool_]:
    """Which labels a row has, bool [labels]; an empty field is none.

    Raises:
        UsageError: one that the model lacks, and it has no "unknown".
    """
    out = np.zeros(len(labels), np.bool_)
    for label in labels_of(row):
        name = label if label in labels or "unknown" not in labels else "unknown"
        if name in labels:
            out[labels.index(name)] = True
        elif name:
            raise UsageError(
                f"{row.file}: {model} has no label {label}", f"it has {', '.join(labels)}"
            )
    return out


def best_of(scores: Array) -> NDArray[np.bool_]:
    """The best label of each clip, bool [clips, labels]."""
    said = np.zeros(scores.shape, np.bool_)
    said[np.arange(len(scores)), scores.argmax(1)] = True
    return said


def _windows(scorer: Runner, clip: Array, over: Over) -> Iterator[Array]:
    card = scorer.card
    size = _size(card)
    if card.states:  # such a model sees no windows: it hears the clip from its beginning
        steps = Window(card, None)
        steps.reset()
        scorer.reset()
        for at in range(0, len(clip) - steps.hop + 1, steps.hop):
            yield steps.push(clip[at : at + steps.hop])
        return
    if over == "loudest" or len(clip) == size:
        yield window_of(card, clip)
        return
    starts = [*range(0, len(clip) - size, max(1, size // 2)), len(clip) - size]
    heard = [at for at in starts if clip[at : at + size].any()] or starts[:1]
    for at in heard:
        yield window_of(card, clip[at : at + size])


def _size(card: Card) -> int:
    return round(card.window_s * card.rate)


def _labels_of_all(cards: Sequence[Card]) -> list[str]:
    labels = list(cards[0].labels)
    for card in cards[1:]:
        odd = sorted(set(card.labels) ^ set(labels))
        if odd:
            raise UsageError(
                f"{card.name} and {cards[0].name} do not have the same labels: {odd[0]}",
                "models that are to agree must know the same sounds",
            )
    return labels
