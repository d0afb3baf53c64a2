"""Who takes part: the model, and on request rivals with thresholds chosen on a set apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from train.gate_eval import level, rivals
from train.gate_eval.contest import Contestant, Ears, Result, RivalGate, judge, tuned
from train.gate_eval.judge import ModelGate
from train.gate_eval.metrics import HOP_MS


def results(
    models: Sequence[ModelGate],
    mixtures: Path,
    choosing: Path | None = None,
    quiet: bool = False,
) -> tuple[list[Result], list[str]]:
    """Judge models, and rivals beside them.

    Args:
        models: gates of ours, at least one; their look-aheads are the rivals' too.
        mixtures: the set that figures are measured on.
        choosing: the set on which rivals' thresholds are chosen; None leaves the rivals out.
        quiet: no progress bars.

    Returns:
        One result for each contestant and look-ahead, and why a rival could not take part.

    Raises:
        UsageError: a set that is not there.
    """
    if choosing is None:
        return judge(mixtures, models, quiet), []
    aheads = sorted({round(m.lookahead_ms / HOP_MS) for m in models})
    there, missing = rivals.installed()
    everyone: list[Contestant] = list(models)
    ears = [Ears(rival) for rival in there]
    pairs = [(one, ahead) for one in ears for ahead in aheads]
    listeners = [partial(_score, one, ahead) for one, ahead in pairs]
    thresholds = tuned(choosing, listeners, quiet)
    for (one, ahead), threshold in zip(pairs, thresholds, strict=True):
        everyone.append(RivalGate(one, threshold, ahead))
    settings = level.search(choosing, aheads, quiet)
    everyone += [level.LevelRival(s, ahead) for s, ahead in zip(settings, aheads, strict=True)]
    found = judge(mixtures, everyone, quiet)
    return found + level.oracles(mixtures, settings, aheads, quiet), missing


def _score(ears: Ears, ahead: int, mix: rivals.Array, rate: int) -> rivals.Array:
    return ears.scores(mix, rate, ahead)[0]
