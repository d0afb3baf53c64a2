"""Counting events: the same as the decision rule makes, and intervals that tables give."""

import numpy as np
import pytest

from realtime.card import parse_card
from realtime.decide import Decider
from realtime.wake.counting import (
    CLEAR,
    CONFIRM,
    HOP_S,
    between,
    binomial_interval,
    decision,
    height,
    heights,
    poisson_interval,
    threshold_for,
)
from realtime.wake.head import fit, sigmoid

CARD = """{"format": 1, "name": "mine", "task": "tag", "rate": 16000, "window_s": 1.0,
"hop_s": 0.2, "labels": ["bell", "other"], "scores": "logit",
"input": {"kind": "waveform", "layout": "bt"}}"""


def starts(logits, threshold):
    """How often the decision rule starts a label over a stream of logits."""
    card = parse_card(CARD, "test")
    decider = Decider(card, decision("other"), {"bell": threshold})
    hop, found = round(HOP_S * card.rate), 0
    for k, score in enumerate(sigmoid(logits)):
        changes = decider.update(np.array([score, 1 - score]), (k + 1) * hop)
        found += sum(c.kind == "start" for c in changes)
    return found


def test_a_stream_starts_under_its_height_and_not_over_it():
    rng = np.random.default_rng(1)
    for _ in range(20):
        logits = rng.normal(size=40).astype(np.float32)
        at = float(sigmoid(np.array(height(logits), np.float32)))
        assert starts(logits, at - 1e-4) == 1
        assert starts(logits, at + 1e-4) == 0


def test_events_far_from_each_other_are_counted_as_the_rule_does():
    logits = np.full(200, -4.0, np.float32)
    tops = {20: 2.0, 60: 3.0, 110: 1.0, 160: 2.5}
    for at, top in tops.items():
        logits[at : at + CONFIRM] = top
    found = heights(logits)
    assert [round(h, 3) for h, _ in found[:4]] == [3.0, 2.5, 2.0, 1.0]
    for threshold, count in ((0.5, 4), (1.5, 3), (2.2, 2), (2.8, 1), (3.5, 0)):
        assert sum(h >= threshold for h, _ in found) == count
        assert starts(logits, float(sigmoid(np.float32(threshold)))) == count


def test_a_single_window_is_no_event():
    logits = np.full(30, -4.0, np.float32)
    logits[10] = 5.0
    assert height(logits) == -4.0


def test_intervals_are_those_of_the_tables():
    # Garwood's limits of Poisson means and Clopper and Pearson's of chances
    assert poisson_interval(3) == pytest.approx((0.619, 8.767), abs=2e-3)
    assert poisson_interval(0) == pytest.approx((0.0, 2.996), abs=2e-3)
    assert poisson_interval(40) == pytest.approx((28.58, 54.47), abs=2e-2)
    assert binomial_interval(1, 10) == pytest.approx((0.0025, 0.4450), abs=1e-3)
    assert binomial_interval(0, 5) == pytest.approx((0.0, 0.5218), abs=1e-3)
    assert binomial_interval(5, 5) == pytest.approx((0.4782, 1.0), abs=1e-3)


def test_a_threshold_gives_as_many_events_as_were_asked_for():
    rng = np.random.default_rng(2)
    hours, counts = 2.0, []
    for _ in range(200):  # heights that fall off as an exponential does: 30 events over 0
        found = sorted(rng.exponential(size=rng.poisson(60)), reverse=True)
        at = threshold_for(0.5, found, hours)
        counts.append(30.0 * np.exp(-at))  # events an hour that are truly to be expected
    assert np.median(counts) == pytest.approx(0.5, rel=0.25)
    assert threshold_for(5.0, [3.0, 2.0, 1.0, 0.5], 1.0) <= 0.5


def test_a_direction_tells_apart_what_can_be_told_apart():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 16)).astype(np.float32)
    x[:60, 3] += 4.0
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    wanted = np.arange(600) < 60
    weight = np.where(wanted, 0.5 / 60, 0.5 / 540).astype(np.float32)
    scores = x @ fit(x, wanted, weight)
    assert np.median(scores[wanted]) > np.quantile(scores[~wanted], 0.99)


def test_a_threshold_over_all_examples_comes_down_between_them_and_the_rest():
    found = [0.69 - 0.005 * k for k in range(10)] + [0.4] * 11  # ten sounds are alike
    own = [0.75, 0.77, 0.78, 0.80]
    alone = threshold_for(0.5, found, 1.0)
    assert alone > max(own)
    at = between(alone, found, own, 0.5)
    assert found[0] + CLEAR <= at < min(own)
    stricter = between(alone, found, own, 0.05)
    assert at < stricter < max(own)


def test_a_threshold_stays_where_examples_are_among_the_rest_or_it_is_low_enough():
    found = [0.69 - 0.005 * k for k in range(10)] + [0.4] * 11
    assert between(0.9, found, [0.5, 0.6, 0.7, 0.8], 0.5) == 0.9
    assert between(0.3, found, [0.8, 0.9, 0.9], 0.5) == 0.3
    assert between(0.9, [], [0.8], 0.5) == 0.9
    assert between(0.9, found, [], 0.5) == 0.9
