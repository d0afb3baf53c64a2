"""Figures of openings, against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.gate.judge import Judge
from realtime.learn.judging import Rule, Truth, auc, onset_weight, states_of


def rows(*texts):
    return np.array([[c == "#" for c in text] for text in texts])


def test_figures_of_a_plain_case():
    truth = Truth(rows("..####....##..##...."))
    figures = truth.figures(rows("...####.......##..#."))
    assert figures.targets == 3
    assert figures.missed == 1
    assert figures.onset_cut_ms == {"median": 5.0, "p95": pytest.approx(9.5)}
    assert figures.target_lost_pct == pytest.approx(100 * 3 / 8)
    assert figures.false_open_s_per_min == pytest.approx(60 * 2 / 20)
    # all of these openings are beginnings, so their weights cancel
    assert figures.cost == pytest.approx((3 / 8 + 2 / 12) / 2)


def test_beginnings_count_for_more():
    truth = Truth(rows("." * 10 + "#" * 30 + "." * 10))
    late, early = truth.gate.copy(), truth.gate.copy()
    late[0, 10:13] = False
    early[0, 37:40] = False
    assert truth.cost(late) == pytest.approx(5 * truth.cost(early))
    np.testing.assert_array_equal(onset_weight(truth.gate)[0, 10:18], 5.0)
    assert onset_weight(truth.gate).sum() == 50 + 8 * 4


def test_silence_and_nothing_found():
    truth = Truth(rows("....", "...."))
    figures = truth.figures(rows("....", ".#.."))
    assert figures.targets == 0
    assert math.isnan(figures.target_lost_pct)
    assert figures.to_dict()["target_lost_pct"] is None
    assert figures.to_dict()["onset_cut_ms"] == {"median": None, "p95": None}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60),
    st.floats(0.0, 1.0), st.floats(0.0, 0.6), st.integers(0, 12), st.integers(0, 2),
)  # fmt: skip
def test_states_are_those_of_the_judge(scores, threshold, hysteresis, min_open, ahead):
    judge = Judge(16000, threshold, hysteresis, min_open_ms=10.0 * min_open)
    decided = []
    for k, score in enumerate(np.float32(scores)):
        judge.update(float(score), 160 * (k + 1))
        decided.append(judge.open)
    line = np.float32(scores)[None]
    found = states_of(line.astype(np.float64), Rule(threshold, hysteresis, min_open), ahead)[0]
    for hop, state in enumerate(found):
        k = min(hop - 1 + ahead, len(scores) - 1)
        assert state == (decided[k] if k >= 0 else False)


def test_a_better_gate_is_told_from_chance():
    rng = np.random.default_rng(0)
    gate = np.zeros((30, 200), bool)
    gate[:, 50:90] = True
    good, bad = gate ^ (rng.random(gate.shape) < 0.02), gate ^ (rng.random(gate.shape) < 0.2)
    low, high = Truth(gate).difference(bad, good)
    assert 0.1 < low < high < 0.3
    low, high = Truth(gate).difference(good, good)
    assert low == high == 0.0


def test_auc():
    label = np.array([True, True, False, False])
    assert auc(label, np.array([0.9, 0.8, 0.2, 0.1])) == 1.0
    assert auc(label, np.array([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert auc(label, np.array([0.9, 0.1, 0.5, 0.0])) == 0.75
    assert math.isnan(auc(np.ones(3, bool), np.zeros(3)))
