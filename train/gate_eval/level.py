"""The level gate as a rival: a setting from a grid search, or an oracle's for each mixture."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from realtime.gate.ideal import HOPS_PER_S, ideal_gate
from realtime.gate.level import LevelGate
from train.gate_eval.contest import RANGE_DB, Heard, Result
from train.gate_eval.metrics import HOP_MS, Judged, balanced_accuracy
from train.gate_eval.mixtures import Mixture, load, read_mixtures

Array = NDArray[np.float32]
Bools = NDArray[np.bool_]

THRESHOLDS_DB = tuple(float(db) for db in range(-74, -7, 3))
CLOSE_UNDER_DB = (0.0, 6.0, 12.0)
HOLDS_MS = (20.0, 60.0, 150.0)
ATTACK_MS, RELEASE_MS = 1.0, 30.0  # when it is heard; they move no opening
EACH = "level gate, oracle threshold each"
CEILING = "level gate that hears the clean target, likewise"
CEILING_SETTINGS = (6.0, 20.0)  # close under, hold: the best for a clean target


class LevelSettings(msgspec.Struct, frozen=True):
    """What is searched: threshold, how far under it the gate closes, hold."""

    threshold_db: float
    close_under_db: float
    hold_ms: float


class LevelRival:
    """The level gate with one setting for all mixtures.

    Args:
        settings: of the gate.
        ahead: look-ahead in hops.
    """

    name = "level gate, one threshold"

    def __init__(self, settings: LevelSettings, ahead: int) -> None:
        self._settings, self._ahead = settings, ahead
        self.threshold: float | None = settings.threshold_db
        self.lookahead_ms = ahead * HOP_MS

    def hear(self, mix: Array, rate: int) -> Heard:
        """Gate a mixture."""
        late = round(self._ahead * rate / HOPS_PER_S)
        key = np.concatenate([mix, np.zeros(late, np.float32)])[:, None]
        gate = _gate(self._settings, rate)
        began = time.process_time()
        gains, changes = gate.process(key)
        spent = time.process_time() - began
        opened = state_at_hops([c[:2] for c in changes], len(mix), rate, self._ahead)
        score = level_scores(mix, rate, self._settings.hold_ms, self._ahead)
        return Heard(score, opened, mix * gains[late:], spent)


def openings(
    key: Array, rate: int, settings: LevelSettings, aheads: Sequence[int]
) -> list[Bools]:
    """The gate's state at each hop, bool [hops], for each look-ahead."""
    changes: list[tuple[int, bool]] = []
    if np.abs(key).max() >= 10.0 ** (settings.threshold_db / 20.0):  # or it never opens
        longest = round(max(aheads) * rate / HOPS_PER_S)
        padded = np.concatenate([key, np.zeros(longest, np.float32)])[:, None]
        changes = [c[:2] for c in _gate(settings, rate).process(padded)[1]]
    return [state_at_hops(changes, len(key), rate, ahead) for ahead in aheads]


def state_at_hops(
    changes: Sequence[tuple[int, bool]], samples: int, rate: int, ahead: int = 0
) -> Bools:
    """State at each hop, bool [hops], after every change that came before its instant.

    Args:
        changes: sample and state, in order.
        samples: length of the sound.
        rate: Hz.
        ahead: look-ahead in hops.
    """
    at = np.array([c[0] for c in changes], np.int64)
    states = np.array([False, *(c[1] for c in changes)])
    hops = np.arange(-(-samples * HOPS_PER_S // rate)) + ahead
    instants = np.round(hops * rate / HOPS_PER_S).astype(np.int64)
    found: Bools = states[np.searchsorted(at, instants, side="left")]
    return found


def level_scores(audio: Array, rate: int, hold_ms: float, ahead: int = 0) -> Array:
    """What the gate compares with its threshold: the loudest sample within the hold, dBFS.

    float32 [hops]; hop i has heard the samples before i * 10 ms + look-ahead.
    """
    hops = -(-len(audio) * HOPS_PER_S // rate)
    edges = np.round(np.arange(hops + ahead + 1) * rate / HOPS_PER_S).astype(int)
    silence = np.zeros(max(0, edges[-1] - len(audio)), np.float32)
    peaks = np.maximum.reduceat(np.abs(np.concatenate([audio, silence])), edges[:-1])
    width = max(1, round(hold_ms * HOPS_PER_S / 1000))
    known = np.concatenate([np.zeros(width, np.float32), peaks])
    highest = np.lib.stride_tricks.sliding_window_view(known, width).max(1)
    scores: Array = (20.0 * np.log10(np.maximum(highest, 1e-6))).astype(np.float32)
    return scores[ahead : ahead + hops]


def search(folder: Path, aheads: Sequence[int], quiet: bool = False) -> list[LevelSettings]:
    """The one setting for all of a set's speech, by balanced accuracy, for each look-ahead."""
    grid = [
        LevelSettings(threshold, under, hold)
        for under in CLOSE_UNDER_DB
        for hold in HOLDS_MS
        for threshold in THRESHOLDS_DB
    ]
    right = np.zeros((len(aheads), len(grid), 2))
    count = np.zeros(2)
    for _, label, mix, _, rate in _spoken(folder, "level gate: grid search", quiet):
        count += (label.sum(), (~label).sum())
        for j, settings in enumerate(grid):
            for i, opened in enumerate(openings(mix, rate, settings, aheads)):
                right[i, j] += ((opened & label).sum(), (~opened & ~label).sum())
    return [grid[int(j)] for j in (right / count).sum(2).argmax(1)]


def oracles(
    folder: Path, settings: Sequence[LevelSettings], aheads: Sequence[int], quiet: bool = False
) -> list[Result]:
    """Level gates at the threshold that is best for each mixture, known from its truth.

    For each look-ahead: one that hears the mixture, with the settings found otherwise, and one
    that hears the clean target, which no gate can better by much.
    """
    found = [
        Result(name, ahead * HOP_MS, None, [], [], {}, math.nan)
        for name in (EACH, CEILING)
        for ahead in aheads
    ]
    for row, label, mix, clean, rate in _spoken(folder, "level gate: oracles", quiet):
        for i, key in enumerate((mix, clean)):
            for j, ahead in enumerate(aheads):
                own = (settings[j].close_under_db, settings[j].hold_ms)
                under, hold = CEILING_SETTINGS if i else own
                tried = (
                    openings(key, rate, LevelSettings(db, under, hold), [ahead])[0]
                    for db in THRESHOLDS_DB
                )
                best = max(tried, key=partial(balanced_accuracy, label))
                result = found[i * len(aheads) + j]
                result.mixtures.append(row)
                none = np.zeros(0, np.float32)
                result.judged.append(Judged(row.kind, row.snr_db, label, best, none))
    return found


def _spoken(
    folder: Path, what: str, quiet: bool
) -> Iterator[tuple[Mixture, Bools, Array, Array, int]]:
    rows = [row for row in read_mixtures(folder) if not row.alone]
    for row in track(rows, what, transient=True, disable=quiet):
        mix, clean, rate = load(folder, row)
        yield row, ideal_gate(clean, rate), mix, clean, rate


def _gate(settings: LevelSettings, rate: int) -> LevelGate:
    close_db = settings.threshold_db - settings.close_under_db
    return LevelGate(
        rate, 1, settings.threshold_db, close_db, ATTACK_MS, settings.hold_ms, RELEASE_MS,
        RANGE_DB,
    )  # fmt: skip
