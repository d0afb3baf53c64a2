"""`rt-eval tune` tries its rules on stored scores, with the events of the engine."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from realtime.card import Card, Decision  # noqa: E402
from realtime.decide import Decider  # noqa: E402
from realtime.runners import open_runner  # noqa: E402
from train.scenes import Truth  # noqa: E402
from train.tune import starts_of, tune  # noqa: E402

RULES = [
    Decision(background=("high",)),
    Decision(average=3, confirm=3, hysteresis=0.2, min_duration_s=0.2, refractory_s=0.6),
    Decision(average=4, confirm=2, refractory_s=0.3, min_duration_s=1.0, exclusive=True),
    Decision(average=2, smoothing_s=0.3, refractory_s=0.5, exclusive=True),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("threshold", [0.3, 0.8])
def test_what_is_skipped_changes_nothing(kit, rule: Decision, threshold: float) -> None:
    card: Card = kit.band_card()
    rng = np.random.default_rng(5)
    level = rng.random((700, 3)) ** 4  # mostly low, with peaks
    scores = np.repeat(level, rng.integers(1, 9, len(level)), axis=0).astype(np.float32)
    at = np.arange(1, len(scores) + 1) * round(0.1 * card.rate)
    decider = Decider(card, rule, {"default": threshold})
    changes = [
        c for t, row in zip(at, scores, strict=True) for c in decider.update(row, int(t))
    ]
    wanted = [(c.label, c.at / card.rate, c.score) for c in changes if c.kind == "start"]
    found = starts_of(card, rule, threshold, at, scores)
    assert len(wanted) > 20
    assert [(s.label, s.t, s.score) for s in found] == wanted


def test_the_best_rule_first_and_no_more_alarms_than_allowed(
    kit, band_model: Path, write_wav
) -> None:
    sound = write_wav("tones.wav", kit.tones(("", 1.0), ("low", 0.8), ("", 1.0), ("high", 0.4)))
    runner = open_runner(band_model)
    truth = [Truth(1.0, 1.8, "low")]
    allowed = tune(runner, [(sound, truth)], false_alarms=0.0)
    assert allowed[0]["recall"] == 1.0
    assert all(rule["false_alarms_per_hour"] == 0.0 for rule in allowed)
    every = tune(runner, [(sound, truth)], false_alarms=1e9)
    assert len(every) > len(allowed)
    recalls = [round(rule["recall"], 3) for rule in every]
    assert recalls == sorted(recalls, reverse=True)
    assert msgspec.json.encode(every)
