"""Does an exported model agree with its network? By the real runner, on real sound.

Two comparisons: scores of whole windows, and the events that the engine makes of a recording.
A model that fails either is not written (`rt-export` keeps it in a temporary file till then).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from export.calibrate import NO_LABEL, Clips
from export.sounds import DEMO
from realtime.engine import Engine
from realtime.errors import ParityError
from realtime.outputs import Event, Opening, Reading, Start, Stop
from realtime.runners import Runner
from realtime.sources.wav import WavSource

Array = NDArray[np.float32]

FEW_LABELLED = 100  # fewer labelled clips say nothing of accuracy
SHIFT_S = 0.25  # events this close to each other are one event

log = logging.getLogger("rt.export.verify")


class Limits(msgspec.Struct, frozen=True):
    """How far an export may be from its source.

    Args:
        mean: mean difference of all scores.
        worst: greatest difference of any score.
        lost: accuracy lost, share of the labelled clips.
        margin: an event whose peak passes its threshold by less may come or go.
    """

    mean: float
    worst: float
    lost: float
    margin: float


INT8 = Limits(mean=0.02, worst=1.0, lost=0.02, margin=0.1)
LIMITS = {
    "float": Limits(mean=1e-4, worst=1e-3, lost=0.002, margin=0.01),
    "float16": Limits(mean=0.002, worst=0.1, lost=0.005, margin=0.02),
    "int8": INT8,
    "int8-full": INT8,
    "dynamic": INT8,
}


class Found(msgspec.Struct, frozen=True):
    """One event of a recording: label, seconds of its start and stop, and its best score."""

    label: str
    t: float
    stop: float
    peak: float


class Agreement(msgspec.Struct, frozen=True):
    """What the comparison found.

    Args:
        windows: compared.
        mean: mean difference of scores.
        worst: greatest difference.
        top: share of windows with the same best label.
        labelled: windows with a label.
        before: accuracy of the source on those; None under `FEW_LABELLED`.
        after: accuracy of the export.
        events: the export's events on the reference recording.
        strays: events that only one of the two has.
    """

    windows: int
    mean: float
    worst: float
    top: float
    labelled: int
    before: float | None
    after: float | None
    events: tuple[Found, ...]
    strays: tuple[str, ...]


def scores_of(runner: Runner, windows: Array) -> Array:
    """Probabilities of windows, float32 [n, labels]."""
    return np.stack([runner.run(w) for w in windows])


def gaps(want: Array, have: Array) -> Array:
    """Differences of scores; one that is no number must not pass as one that is equal."""
    found: Array = np.nan_to_num(np.abs(want - have), nan=1.0, posinf=1.0)
    return found


def compare(
    source: Runner, export: Runner, clips: Clips, margin: float, recording: Path = DEMO
) -> Agreement:
    """Run both and compare.

    Args:
        source: the network.
        export: the exported model.
        clips: windows to score.
        margin: of events, see `Limits`.
        recording: to find events in.
    """
    want, have = scores_of(source, clips.windows), scores_of(export, clips.windows)
    gap = gaps(want, have)
    labelled = clips.truth != NO_LABEL
    truth = clips.truth[labelled]
    before = after = None
    if len(truth) >= FEW_LABELLED:
        before = float((want[labelled].argmax(1) == truth).mean())
        after = float((have[labelled].argmax(1) == truth).mean())
    ours, theirs = events_of(export, recording), events_of(source, recording)
    shift = max(SHIFT_S, 2 * source.card.hop_s)
    strays = [
        f"{e.label} at {e.t:.2f} s only {where}"
        for some, others, where in ((theirs, ours, "before"), (ours, theirs, "after"))
        for e in some
        if e.peak >= source.card.threshold(e.label) + margin and not _among(e, others, shift)
    ]
    return Agreement(
        windows=len(clips),
        mean=float(gap.mean()),
        worst=float(gap.max()),
        top=float((want.argmax(1) == have.argmax(1)).mean()),
        labelled=int(labelled.sum()),
        before=before,
        after=after,
        events=tuple(ours),
        strays=tuple(strays),
    )


def require(agreement: Agreement, limits: Limits, name: str) -> None:
    """Refuse an export that does not agree with its source.

    Raises:
        ParityError: so, with the first figure that is out of its limit.
    """
    a = agreement
    faults = [
        (
            a.mean > limits.mean,
            f"scores differ by {a.mean:.2g} on average, over {limits.mean:g}",
        ),
        (a.worst > limits.worst, f"a score differs by {a.worst:.2g}, over {limits.worst:g}"),
        (
            a.before is not None and a.after is not None and a.before - a.after > limits.lost,
            f"accuracy falls from {a.before or 0:.4f} to {a.after or 0:.4f}",
        ),
        (bool(a.strays), f"events differ: {'; '.join(a.strays[:3])}"),
    ]
    for wrong, text in faults:
        if wrong:
            raise ParityError(
                f"{name} does not agree with its checkpoint: {text}",
                "nothing was written; give more and more typical sound with --data",
            )


def events_of(runner: Runner, recording: Path) -> list[Found]:
    """Events that the engine makes of a recording with this model."""
    notes = _Notes()
    Engine(runner, [notes]).run(WavSource(str(recording)))
    return notes.found


def _among(event: Found, others: Sequence[Found], shift: float) -> bool:
    """Whether one of the others has this label at this time.

    Overlap, not equal starts: a score that dips to the closing line makes two events of one.
    """
    return any(
        o.label == event.label and o.t - shift <= event.stop and event.t <= o.stop + shift
        for o in others
    )


class _Notes:
    """An output that remembers events."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self._open: dict[str, float] = {}

    def open(self, opening: Opening) -> None:
        """Nothing to prepare."""

    def reading(self, reading: Reading) -> None:
        """Scores between events are compared elsewhere."""

    def event(self, event: Event) -> None:
        """Note a start, and the peak at its stop."""
        if isinstance(event, Start):
            self._open[event.label] = event.t
        elif isinstance(event, Stop):
            start = self._open.pop(event.label)
            self.found.append(Found(event.label, start, event.t, event.peak))

    def end(self, t: float) -> None:
        """Every start has had its stop."""

    def close(self, complete: bool) -> None:
        """Nothing to close."""
