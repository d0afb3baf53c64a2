"""`rt-eval stream`: a model as people use it, on a long recording with a truth.

Recall, wrong words, false alarms an hour, the delay from a word's end to its event, and how
near the missed words came. The engine is the live one; only the source is a file.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from realtime.decide import threshold_of
from realtime.engine import Engine
from realtime.errors import UsageError
from realtime.outputs import Event, Opening, Reading, Start
from realtime.runners import Runner
from realtime.sources import open_source
from train.metrics import poisson_upper, quantiles, wilson
from train.scenes import Truth

EARLY_S = 0.1  # an event may come this much before the word's first audible sample
LATE_S = 1.0  # and this much after its last one

log = logging.getLogger("rt.train.judge_stream")


class Hits(msgspec.Struct):
    """Starts matched to a truth."""

    matched: dict[int, float]
    """index of the word: delay from its end, seconds"""
    wrong: int
    """starts of another target label during a word"""
    false: list[Start]
    """starts with no target word near, and second starts for one word"""


class Collector:
    """An output that keeps the starts."""

    def __init__(self) -> None:
        self.starts: list[Start] = []
        self.seconds = 0.0

    def open(self, opening: Opening) -> None:
        """Nothing to prepare."""

    def reading(self, reading: Reading) -> None:
        """Scores are not kept."""

    def event(self, event: Event) -> None:
        """Keep starts."""
        if isinstance(event, Start):
            self.starts.append(event)

    def end(self, t: float) -> None:
        """Length of the input."""
        self.seconds = t

    def close(self, complete: bool) -> None:
        """Nothing to close."""


class Listener(Collector):
    """A collector that also keeps how near each word came.

    Args:
        truth: the words.
        labels: names of the scores.

    Attributes:
        peaks: highest score, smoothed as it is decided on, of each word's label while a start
            would have counted; float32 [words].
    """

    def __init__(self, truth: Sequence[Truth], labels: Sequence[str]) -> None:
        super().__init__()
        self.peaks = np.zeros(len(truth), np.float32)
        self._label = np.array([labels.index(w.label) for w in truth], np.int64)
        self._from = np.array([w.start_s - EARLY_S for w in truth])
        self._until = np.array([w.end_s + LATE_S for w in truth])

    def reading(self, reading: Reading) -> None:
        """Look at the words that are near."""
        near = np.flatnonzero((self._from <= reading.t) & (reading.t <= self._until))
        scores = reading.scores[self._label[near]]
        self.peaks[near] = np.maximum(self.peaks[near], scores)


def match(starts: Sequence[Start], truth: Sequence[Truth]) -> Hits:
    """Assign each start to the first free word of its label in whose time it falls."""
    hits = Hits({}, 0, [])
    for s in starts:
        near = [
            i for i, w in enumerate(truth) if w.start_s - EARLY_S <= s.t <= w.end_s + LATE_S
        ]
        same = [i for i in near if truth[i].label == s.label and i not in hits.matched]
        if same:
            hits.matched[same[0]] = s.t - truth[same[0]].end_s
        elif any(truth[i].label != s.label for i in near):
            hits.wrong += 1
        else:
            hits.false.append(s)
    return hits


def figures(hits: Hits, truth: Sequence[Truth], seconds: float) -> dict[str, Any]:
    """The figures of `rt-eval stream --json`."""
    hours = seconds / 3600
    labels = sorted({w.label for w in truth})
    delay = quantiles(list(hits.matched.values()))
    return {
        "hours": hours,
        "words": len(truth),
        "recall": len(hits.matched) / max(1, len(truth)),
        "recall_95": wilson(len(hits.matched), len(truth)),
        "wrong_words": hits.wrong,
        "false_alarms": len(hits.false),
        "false_alarms_per_hour": len(hits.false) / hours if hours else 0.0,
        "false_alarms_per_hour_bound_95": poisson_upper(len(hits.false)) / hours
        if hours
        else 0.0,
        "delay_s": {"median": delay[0], "p95": delay[1]},
        "per_label": {
            name: {
                "n": sum(w.label == name for w in truth),
                "recall": sum(truth[i].label == name for i in hits.matched)
                / max(1, sum(w.label == name for w in truth)),
                "false_alarms": sum(s.label == name for s in hits.false),
            }
            for name in labels
        },
    }


def missed(hits: Hits, peaks: Sequence[float], thresholds: Sequence[float]) -> dict[str, int]:
    """The words that were missed, by how near they came.

    Args:
        hits: what was found.
        peaks: of each word, see `Listener`.
        thresholds: of each word's label.

    Returns:
        How many stayed under half of the threshold, how many under it, and how many were over
        it and yet gave no start: too briefly, or another label had a better score.
    """
    out = {"under_half": 0, "under": 0, "brief": 0}
    for i, (peak, threshold) in enumerate(zip(peaks, thresholds, strict=True)):
        if i not in hits.matched:
            name = "under" if peak < threshold else "brief"
            out["under_half" if peak < threshold / 2 else name] += 1
    return out


def judge_stream(
    scorer: Runner,
    audio: Path,
    truth: Sequence[Truth],
    thresholds: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Run a recording through the engine and compare its events with the truth."""
    card = scorer.card
    listener = Listener(truth, card.labels)
    engine = Engine(scorer, [listener], thresholds=thresholds)
    report = engine.run(open_source(str(audio)))
    late = [word for word in truth if word.end_s > report.seconds + LATE_S]
    if late:
        log.warning(
            "%s: %d words are after its end at %.1f s", audio, len(late), report.seconds
        )
    hits = match(listener.starts, truth)
    out = figures(hits, truth, listener.seconds)
    wanted = [threshold_of(card, w.label, thresholds or {}) for w in truth]
    out["missed"] = missed(hits, listener.peaks.tolist(), wanted)
    out["model"] = card.name
    out["real_time_factor"] = report.busy_s / max(report.seconds, 1e-9)
    return out


def read_truth(path: Path, labels: Sequence[str], background: Sequence[str]) -> list[Truth]:
    """A truth file: CSV `start_s,end_s,label`; background labels are left out.

    Raises:
        UsageError: not readable, another header, times that are none, or a label that the
            model lacks.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as f:  # Excel begins with a mark
            reader = csv.DictReader(f)
            if tuple(reader.fieldnames or ())[:3] != Truth.__struct_fields__:
                raise UsageError(
                    f"{path}: the header is not start_s,end_s,label", "see docs/commands.md"
                )
            rows = [_word(r, f"{path}:{reader.line_num}") for r in reader]
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}", "give the CSV of the words") from e
    except (UnicodeDecodeError, csv.Error) as e:
        raise UsageError(f"{path}: is no table of text", "give the CSV of the words") from e
    stray = sorted({r.label for r in rows} - set(labels))
    if stray:
        raise UsageError(
            f"{path}: the model has no label {', '.join(stray)}", f"it has {', '.join(labels)}"
        )
    return [r for r in rows if r.label not in background]


def _word(line: dict[str, str | None], where: str) -> Truth:
    """A line of a truth.

    Raises:
        UsageError: times that are none, or no label.
    """
    try:
        start, end = float(line["start_s"] or ""), float(line["end_s"] or "")
    except ValueError:
        start = end = math.nan
    if not 0.0 <= start <= end < math.inf:
        raise UsageError(
            f"{where}: {line['start_s']} to {line['end_s']} is no time",
            "start_s and end_s are seconds, the first not after the second",
        )
    if not line["label"]:
        raise UsageError(f"{where}: no label", "write start_s,end_s,label")
    return Truth(start, end, line["label"])
