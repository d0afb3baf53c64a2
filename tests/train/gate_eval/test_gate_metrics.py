"""Figures on cases whose answers are known by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.gate_eval.metrics import (
    Judged,
    auc,
    balanced_accuracy,
    best_threshold,
    curve,
    figures,
    intervals,
    openings_per_minute,
    phrases,
    seconds_per_minute,
    si_sdr,
    threshold_for_lost,
)


def hops(count: int, *spans: tuple[int, int]) -> np.ndarray:
    """Closed hops, open in spans."""
    out = np.zeros(count, np.bool_)
    for begin, end in spans:
        out[begin:end] = True
    return out


def judged(label: np.ndarray, opened: np.ndarray, score: np.ndarray | None = None) -> Judged:
    score = opened.astype(np.float32) if score is None else score.astype(np.float32)
    return Judged("continuous", 0.0, label, opened, score)


def test_an_onset_cut_of_30_ms() -> None:
    found = phrases(hops(100, (20, 60)), hops(100, (23, 60)))
    assert found.cut_ms == [30.0]
    assert found.missed == 0
    assert found.overhang_ms == [0.0]


def test_a_gate_that_is_open_already_cuts_nothing() -> None:
    assert phrases(hops(100, (20, 60)), hops(100, (5, 60))).cut_ms == [0.0]


def test_a_missed_phrase_has_no_cut() -> None:
    label = hops(200, (20, 60), (100, 140))
    found = phrases(label, hops(200, (20, 60), (70, 100), (140, 150)))
    assert found.cut_ms == [0.0]
    assert (found.missed, found.count) == (1, 2)


def test_overhang_ends_with_the_gate_or_with_the_next_phrase() -> None:
    label = hops(300, (20, 60), (100, 140), (200, 240))
    found = phrases(label, hops(300, (20, 65), (100, 210)))
    assert found.overhang_ms == [50.0, 600.0]  # shut at 210, inside the third phrase


def test_a_phrase_that_is_dropped_before_its_end_has_no_overhang() -> None:
    assert phrases(hops(100, (20, 60)), hops(100, (20, 50))).overhang_ms == []


def test_auc_by_hand() -> None:
    label = np.array([0, 0, 1, 1], np.bool_)
    assert auc(label, np.array([0.1, 0.2, 0.3, 0.4], np.float32)) == 1.0
    assert auc(label, np.array([0.4, 0.3, 0.2, 0.1], np.float32)) == 0.0
    assert auc(label, np.full(4, 0.5, np.float32)) == 0.5
    assert auc(label, np.array([0.1, 0.3, 0.2, 0.4], np.float32)) == 0.75
    assert math.isnan(auc(np.ones(4, np.bool_), np.zeros(4, np.float32)))


@given(
    st.lists(st.booleans(), min_size=2, max_size=40).filter(lambda x: 0 < sum(x) < len(x)),
    st.randoms(),
)
def test_auc_is_the_share_of_pairs_in_order(labels: list[bool], random) -> None:
    score = [random.randint(0, 5) for _ in labels]
    pairs = [
        1.0 if up > down else 0.5 if up == down else 0.0
        for up, is_up in zip(score, labels, strict=True)
        if is_up
        for down, other in zip(score, labels, strict=True)
        if not other
    ]
    found = auc(np.array(labels), np.array(score, np.float32))
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_balanced_accuracy_does_not_mind_how_much_is_open() -> None:
    label = hops(1000, (0, 100))
    assert balanced_accuracy(label, hops(1000, (50, 100))) == 0.75
    assert balanced_accuracy(label, hops(1000, (0, 1000))) == 0.5
    assert balanced_accuracy(label, label) == 1.0


def test_the_threshold_that_loses_a_twentieth() -> None:
    label = hops(200, (0, 100))
    score = np.concatenate([np.arange(100), np.full(100, 50)]).astype(np.float32)
    at = threshold_for_lost(label, score)
    assert at == 5.0
    assert (score[label] < at).mean() == 0.05
    assert threshold_for_lost(label, score, 0.0) == 0.0


def test_false_opens_are_counted_in_a_minute_of_sound() -> None:
    label = hops(6000, (0, 3000))  # one minute
    assert seconds_per_minute(label, hops(6000, (0, 3150))) == pytest.approx(1.5)


def test_the_best_threshold_lies_between_scores() -> None:
    label = np.array([0, 0, 1, 1, 1], np.bool_)
    score = np.array([0.1, 0.3, 0.7, 0.8, 0.9], np.float32)
    assert best_threshold(label, score) == pytest.approx(0.5)
    assert balanced_accuracy(label, score >= best_threshold(label, score)) == 1.0


@given(st.integers(0, 2**32 - 1))
def test_no_threshold_is_better_than_the_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.random(60) < 0.5
    score = np.round(rng.random(60) + 0.3 * label, 1).astype(np.float32)
    if not label.any() or label.all():
        return
    best = balanced_accuracy(label, score >= best_threshold(label, score))
    for at in np.unique(score):
        assert balanced_accuracy(label, score >= at) <= best + 1e-12


def test_openings_are_counted_over_all_recordings() -> None:
    opened = [hops(3000, (0, 10), (20, 30)), hops(3000, (2990, 3000))]  # two half minutes
    assert openings_per_minute(opened) == pytest.approx(3.0)
    assert openings_per_minute([hops(100)]) == 0.0


def test_si_sdr_of_orthogonal_noise() -> None:
    t = np.arange(16_000) / 16_000
    clean = np.sin(2 * np.pi * 100 * t).astype(np.float32)
    noise = np.sin(2 * np.pi * 200 * t).astype(np.float32)
    mix = clean + 10 ** (-10 / 20) * noise
    assert si_sdr(mix, clean) == pytest.approx(10.0, abs=1e-3)
    assert si_sdr(0.1 * mix, clean) == pytest.approx(10.0, abs=1e-3)
    assert math.isnan(si_sdr(mix, np.zeros_like(mix)))


def test_figures_of_two_mixtures() -> None:
    label = hops(3000, (100, 200), (500, 1500))
    perfect = judged(label, label)
    late = judged(label, hops(3000, (110, 200), (1600, 1700)))  # a tenth, and all of the second
    out = figures([perfect, late])
    assert out["minutes"] == 1.0
    assert (out["phrases"], out["missed"], out["missed_pct"]) == (4, 1, 25.0)
    assert out["onset_cut_ms"] == {"median": 0.0, "p95": pytest.approx(90.0)}
    assert out["target_lost_pct"] == pytest.approx(100 * 1010 / 2200)
    assert out["false_open_at_threshold_s_per_min"] == pytest.approx(1.0)
    assert out["balanced_accuracy"] == pytest.approx((1190 / 2200 + 3700 / 3800) / 2)
    assert math.isnan(out["si_sdr_gain_db"])
    # at 5 % lost everything must be open
    assert out["false_open_s_per_min"] == pytest.approx(38.0)


def test_a_gate_without_scores_has_no_auc() -> None:
    label = hops(100, (10, 50))
    out = figures([Judged("music", 5.0, label, label, np.zeros(0, np.float32))])
    assert math.isnan(out["auc"])
    assert out["balanced_accuracy"] == 1.0


def noisy(seed: int) -> Judged:
    rng = np.random.default_rng(seed)
    label = hops(1200, (100, 300), (500, 800))
    score = 1 / (1 + np.exp(-(3 * label + rng.normal(-1.5, 1.5 + seed % 3, 1200))))
    return Judged("music", 0.0, label, score >= 0.5, score.astype(np.float32), float(seed % 5))


def test_intervals_hold_the_figures_and_repeat() -> None:
    set_ = [noisy(seed) for seed in range(24)]
    out, spans = figures(set_), intervals(set_, draws=300)
    assert spans == intervals(set_, draws=300)
    for name in ("auc", "balanced_accuracy", "false_open_s_per_min", "target_lost_pct",
                 "si_sdr_gain_db", "missed_pct"):  # fmt: skip
        low, high = spans[name]
        assert low <= out[name] <= high, name
        assert high > low or name == "missed_pct"
    low, high = spans["onset_cut_ms"]["p95"]
    assert low <= out["onset_cut_ms"]["p95"] <= high


def test_one_mixture_drawn_again_and_again_has_no_spread() -> None:
    one = noisy(1)
    spans, out = intervals([one], draws=20), figures([one])
    for name in ("auc", "balanced_accuracy", "false_open_s_per_min"):
        assert spans[name] == pytest.approx((out[name], out[name]), abs=1e-3)


def test_the_curve_falls_from_all_to_nothing() -> None:
    set_ = [noisy(seed) for seed in range(3)]
    lost, over = curve(set_)
    assert (np.diff(lost) >= 0).all()
    assert (np.diff(over) <= 0).all()
    assert lost[0] == 0.0
    closed = 60.0 * (1 - figures(set_)["open_share"])
    assert over[0] == pytest.approx(closed)
