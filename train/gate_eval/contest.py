"""The contest: gates of every kind hear the same mixtures, and their figures stand together.

A contestant gives, for every hop of 10 ms, its score and whether it is open, and the gated
sound. What has thresholds to choose chooses them on another set, `tuned`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from realtime.gate.ideal import HOPS_PER_S, ideal_gate
from realtime.gate.ramp import Ramp
from realtime.gate.settings import LEARNED, GateSettings
from train.gate_eval import metrics
from train.gate_eval.metrics import Judged
from train.gate_eval.mixtures import Mixture, load, read_mixtures
from train.gate_eval.rivals import Rival

Array = NDArray[np.float32]
Bools = NDArray[np.bool_]

RANGE_DB = GateSettings().range_db


class Heard(msgspec.Struct):
    """What a gate made of one mixture.

    Attributes:
        score: float32 [hops].
        open: bool [hops].
        output: float32 [samples], aligned with the mixture.
        cpu_s: process time.
    """

    score: Array
    open: Bools
    output: Array
    cpu_s: float


class Contestant(Protocol):
    """A gate that is judged."""

    @property
    def name(self) -> str:
        """As in the tables."""
        ...

    @property
    def lookahead_ms(self) -> float:
        """How long before the newest sample heard a decision takes effect."""
        ...

    @property
    def threshold(self) -> float | None:
        """Of its score."""
        ...

    def hear(self, mix: Array, rate: int) -> Heard:
        """Gate a mixture, float32 [samples]."""
        ...


class Result(msgspec.Struct):
    """A contestant and what became of every mixture.

    Attributes:
        name, lookahead_ms, threshold: of the contestant.
        mixtures: with speech, in order; `judged` goes with them.
        alone: openings and seconds open per minute, by what was alone.
        cpu_ms_per_s: process time for each second of sound.
    """

    name: str
    lookahead_ms: float
    threshold: float | None
    mixtures: list[Mixture]
    judged: list[Judged]
    alone: dict[str, dict[str, float]]
    cpu_ms_per_s: float

    def oracle(self) -> float:
        """The threshold that is best for these very mixtures."""
        return metrics.best_threshold(*pooled(self.judged))


def judge(folder: Path, contestants: Sequence[Contestant], quiet: bool = False) -> list[Result]:
    """Let every contestant hear every mixture of a set.

    Raises:
        UsageError: no set there.
    """
    rows = read_mixtures(folder)
    judged: list[list[Judged]] = [[] for _ in contestants]
    alone: list[dict[str, list[Bools]]] = [{} for _ in contestants]
    spent, seconds = [0.0] * len(contestants), 0.0
    for row in track(rows, folder.name, transient=True, disable=quiet):
        mix, clean, rate = load(folder, row)
        label = ideal_gate(clean, rate)
        seconds += len(mix) / rate
        for i, contestant in enumerate(contestants):
            heard = contestant.hear(mix, rate)
            spent[i] += heard.cpu_s
            if row.alone:
                alone[i].setdefault(row.kind.removesuffix(" alone"), []).append(heard.open)
                continue
            gain = math.nan
            if math.isfinite(row.snr_db):
                gain = metrics.si_sdr(heard.output, clean) - metrics.si_sdr(mix, clean)
            judged[i].append(Judged(row.kind, row.snr_db, label, heard.open, heard.score, gain))
    spoken = [row for row in rows if not row.alone]
    return [
        Result(
            c.name, c.lookahead_ms, c.threshold, spoken, judged[i],
            {kind: _alone(opened) for kind, opened in alone[i].items()},
            1000.0 * spent[i] / seconds,
        )
        for i, c in enumerate(contestants)
    ]  # fmt: skip


class RivalGate:
    """A rival at a threshold, with a look-ahead by which its scores are moved.

    Args:
        ears: of the rival; gates that share them hear each mixture once.
        threshold: open is a score of so much or more.
        ahead: look-ahead in hops.
    """

    def __init__(self, ears: Ears, threshold: float, ahead: int) -> None:
        self._ears, self._ahead = ears, ahead
        self.name = ears.rival.name
        self.threshold: float | None = threshold
        self._line = threshold
        self.lookahead_ms = ahead * metrics.HOP_MS

    def hear(self, mix: Array, rate: int) -> Heard:
        """Gate a mixture."""
        score, spent = self._ears.scores(mix, rate, self._ahead)
        opened = score >= self._line
        return Heard(score, opened, gated(mix, rate, opened), spent)


class Ears:
    """A rival's scores, kept for the last recording it heard."""

    def __init__(self, rival: Rival) -> None:
        self.rival = rival
        self._of: Array | None = None
        self._found: tuple[Array, float] = (np.zeros(0, np.float32), 0.0)

    def scores(self, mix: Array, rate: int, ahead: int) -> tuple[Array, float]:
        """Scores float32 [hops], moved by `ahead` hops, and the CPU seconds they took."""
        if self._of is not mix:
            self._of, self._found = mix, self.rival.scores(mix, rate)
        score, spent = self._found
        hops = -(-len(mix) * HOPS_PER_S // rate)
        return score[ahead : ahead + hops], spent


def tuned(
    folder: Path, listeners: Sequence[Callable[[Array, int], Array]], quiet: bool = False
) -> list[float]:
    """The best threshold of each way to score, by balanced accuracy on a set's speech.

    Args:
        folder: the set.
        listeners: sound and its rate to scores, float32 [hops].
        quiet: no progress bar.
    """
    labels: list[Bools] = []
    scores: list[list[Array]] = [[] for _ in listeners]
    rows = [row for row in read_mixtures(folder) if not row.alone]
    for row in track(rows, f"choosing on {folder.name}", transient=True, disable=quiet):
        mix, clean, rate = load(folder, row)
        labels.append(ideal_gate(clean, rate))
        for found, listener in zip(scores, listeners, strict=True):
            found.append(listener(mix, rate))
    label = np.concatenate(labels)
    return [metrics.best_threshold(label, np.concatenate(found)) for found in scores]


def gated(mix: Array, rate: int, opened: Bools) -> Array:
    """A mixture through a gate that is open at these hops, with the learned gate's ramps."""
    ramp = Ramp(rate, LEARNED["attack_ms"], LEARNED["release_ms"], RANGE_DB)
    turns = np.flatnonzero(np.diff(opened.astype(np.int8), prepend=0))
    changes = [(round(int(i) * rate / HOPS_PER_S), bool(opened[i])) for i in turns]
    out: Array = mix * ramp.process(len(mix), changes)
    return out


def pooled(judged: Sequence[Judged]) -> tuple[Bools, Array]:
    """Labels and scores of all mixtures in a row."""
    return np.concatenate([j.label for j in judged]), np.concatenate([j.score for j in judged])


def _alone(opened: Sequence[Bools]) -> dict[str, Any]:
    return {
        "openings_per_min": metrics.openings_per_minute(opened),
        "open_s_per_min": 60.0 * float(np.concatenate(opened).mean()),
    }
