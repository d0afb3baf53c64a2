"""Scores become events: each rule alone, then what holds for any scores."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.card import Decision
from realtime.decide import Decider

HOP = 1600  # 0.1 s


def run(kit, rows, decision=None, thresholds=None, labels=("a", "b"), hop=HOP):
    card = kit.band_card(labels=labels, decision=decision or Decision())
    decider = Decider(card, thresholds=thresholds)
    changes = []
    for i, row in enumerate(rows):
        changes += decider.update(np.array(row, np.float32), (i + 1) * hop)
    return changes, changes + decider.finish(len(rows) * hop)


def one(scores):
    return [(s, 0.0) for s in scores]


def times(changes):
    return [(c.kind, c.at // HOP) for c in changes]


def test_start_and_stop_stand_at_the_windows_that_decide(kit):
    _, all_ = run(kit, one([0.1, 0.6, 0.9, 0.7, 0.3, 0.1]))
    assert times(all_) == [("start", 2), ("stop", 5)]
    assert [round(c.score, 3) for c in all_] == [0.6, 0.9]


def test_hysteresis_keeps_an_event_open(kit):
    scores = [0.6, 0.45, 0.6, 0.41, 0.39]
    assert times(run(kit, one(scores), Decision(hysteresis=0.1))[1]) == [
        ("start", 1),
        ("stop", 5),
    ]
    assert len(run(kit, one(scores), Decision(hysteresis=0.0))[1]) == 4


def test_an_event_can_always_end(kit):
    """A closing line of 0 or less would keep an event for ever."""
    _, all_ = run(kit, one([0.2, 0.08, 0.0]), Decision(hysteresis=0.5), {"default": 0.1})
    assert times(all_) == [("start", 1), ("stop", 3)]


def test_other_thresholds_hold_from_the_next_window_on(kit):
    decider = Decider(kit.band_card(labels=("a", "b"), decision=Decision()), None, {"a": 0.8})
    rows = [np.array(row, np.float32) for row in ((0.7, 0.2), (0.7, 0.2), (0.2, 0.6))]
    assert decider.update(rows[0], HOP) == []
    decider.steer({"a": 0.6, "b": 0.9})
    assert [c.label for c in decider.update(rows[1], 2 * HOP)] == ["a"]
    decider.steer({})  # as the card says: 0.5
    changes = decider.update(rows[2], 3 * HOP)
    assert [(c.kind, c.label) for c in changes] == [("stop", "a"), ("start", "b")]


def test_finish_stops_what_is_open(kit):
    before, all_ = run(kit, [(0.9, 0.9), (0.9, 0.9)])
    assert [c.kind for c in before] == ["start", "start"]
    assert [(c.kind, c.label, c.at) for c in all_[2:]] == [
        ("stop", "a", 2 * HOP), ("stop", "b", 2 * HOP),
    ]  # fmt: skip


def test_confirm_counts_windows_in_a_row(kit):
    scores = [0.9, 0.1, 0.9, 0.9, 0.2, 0.9, 0.9, 0.9, 0.1]
    _, all_ = run(kit, one(scores), Decision(confirm=3))
    assert times(all_) == [("start", 8), ("stop", 9)]


def test_refractory_counts_from_the_start(kit):
    scores = [0.9, 0.1, 0.9, 0.1, 0.1, 0.9, 0.1]
    _, all_ = run(kit, one(scores), Decision(refractory_s=0.5))
    assert times(all_) == [("start", 1), ("stop", 2), ("start", 6), ("stop", 7)]


def test_confirm_and_refractory_together(kit):
    """Windows over the threshold during the refractory time count for confirmation."""
    scores = [0.9, 0.9, 0.1] + [0.9] * 6
    _, all_ = run(kit, one(scores), Decision(confirm=2, refractory_s=0.5))
    assert times(all_)[:3] == [("start", 2), ("stop", 3), ("start", 7)]


def test_min_duration_extends(kit):
    _, all_ = run(kit, one([0.9, 0.0, 0.0, 0.0, 0.0]), Decision(min_duration_s=0.3))
    assert times(all_) == [("start", 1), ("stop", 4)]


def test_thresholds_by_label(kit):
    rows = [(0.6, 0.6)]
    changes, _ = run(kit, rows, thresholds={"a": 0.7})
    assert [c.label for c in changes] == ["b"]
    changes, _ = run(kit, rows, thresholds={"default": 0.7, "a": 0.5})
    assert [c.label for c in changes] == ["a"]


def test_background_never_starts(kit):
    changes, _ = run(kit, [(0.9, 0.9)] * 3, Decision(background=("a",)))
    assert [c.label for c in changes] == ["b"]


def test_exclusive_takes_the_best_and_closes_the_other(kit):
    rows = [(0.9, 0.8), (0.6, 0.95), (0.6, 0.95)]
    _, all_ = run(kit, rows, Decision(exclusive=True))
    assert [(c.kind, c.label, c.at // HOP) for c in all_] == [
        ("start", "a", 1), ("stop", "a", 2), ("start", "b", 2), ("stop", "b", 3),
    ]  # fmt: skip
    rows = [(0.9, 0.1), (0.1, 0.9), (0.1, 0.9), (0.1, 0.9)]
    _, all_ = run(kit, rows, Decision(exclusive=True, min_duration_s=0.3))
    assert [(c.kind, c.label, c.at // HOP) for c in all_][1:3] == [
        ("stop", "a", 4), ("start", "b", 4),
    ]  # fmt: skip


def test_exclusive_background_wins_silently(kit):
    decision = Decision(exclusive=True, background=("b",))
    assert run(kit, [(0.6, 0.7)] * 3, decision)[1] == []


def test_average_and_smoothing(kit):
    assert run(kit, one([0.9, 0.0, 0.9, 0.0]), Decision(average=2))[1] == []
    _, all_ = run(kit, one([0.9, 0.9, 0.0, 0.0]), Decision(average=2, hysteresis=0.1))
    assert times(all_) == [("start", 2), ("stop", 4)]
    card = kit.band_card(labels=("a",), decision=Decision(smoothing_s=0.2))
    decider = Decider(card)
    for i in range(1, 4):
        decider.update(np.ones(1, np.float32), i * HOP)
        assert decider.scores[0] == pytest.approx(1 - np.exp(-0.1 * i / 0.2), abs=1e-6)


def test_smoothing_does_not_depend_on_the_hop(kit):
    card = kit.band_card(labels=("a",), decision=Decision(smoothing_s=0.3))
    coarse, fine = Decider(card), Decider(card)
    coarse.update(np.ones(1, np.float32), 4 * HOP)
    for i in range(1, 5):
        fine.update(np.ones(1, np.float32), i * HOP)
    np.testing.assert_allclose(coarse.scores, fine.scores, atol=1e-6)


def test_one_sound_in_overlapping_windows_is_one_event(kit):
    """Ten windows see the word; its score rises and falls once."""
    bump = list(np.sin(np.linspace(0, np.pi, 12)))
    _, all_ = run(kit, one(bump + [0.0] * 5 + bump), Decision(hysteresis=0.1))
    assert [c.kind for c in all_] == ["start", "stop", "start", "stop"]


def test_time_may_not_go_back(kit):
    decider = Decider(kit.band_card(labels=("a",)))
    decider.update(np.zeros(1, np.float32), 100)
    with pytest.raises(ValueError, match="goes back"):
        decider.update(np.zeros(1, np.float32), 99)


def test_reset_is_fresh(kit):
    rows = np.random.default_rng(3).random((60, 2))
    decision = Decision(average=3, smoothing_s=0.2, confirm=2, refractory_s=0.4, exclusive=True)
    decider = Decider(kit.band_card(labels=("a", "b"), decision=decision))

    def once():
        found = []
        for i, row in enumerate(rows):
            found += decider.update(row.astype(np.float32), i * HOP)
        return found + decider.finish(len(rows) * HOP)

    first = once()
    decider.reset()
    assert once() == first


decisions = st.builds(
    Decision,
    smoothing_s=st.sampled_from([0.0, 0.1, 0.5]),
    average=st.integers(1, 4),
    hysteresis=st.floats(0, 1),
    confirm=st.integers(1, 4),
    min_duration_s=st.sampled_from([0.0, 0.25, 1.0]),
    refractory_s=st.sampled_from([0.0, 0.3, 1.0]),
    exclusive=st.booleans(),
    background=st.sampled_from([(), ("b",)]),
)
scores = st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 3), max_size=40)


@settings(max_examples=150, deadline=None)
@given(
    decision=decisions,
    rows=scores,
    hops=st.lists(st.integers(0, 4000), min_size=40, max_size=40),
)
def test_promises(kit, decision, rows, hops):
    card = kit.band_card(labels=("a", "b", "c"), decision=decision)
    decider = Decider(card)
    at, changes = 0, []
    for row, hop in zip(rows, hops, strict=False):
        at += hop
        changes += decider.update(np.array(row, np.float32), at)
        running = {c.label for c in changes if c.kind == "start"}
        assert not running & set(decision.background)
        assert ((decider.scores >= 0) & (decider.scores <= 1 + 1e-6)).all()
    end = at + 500
    finished = decider.finish(end)
    assert decider.finish(end) == []
    changes += finished
    assert [c.at for c in changes] == sorted(c.at for c in changes)
    shortest = round(decision.min_duration_s * card.rate)
    pause = round(decision.refractory_s * card.rate)
    for label in card.labels:
        own = [c for c in changes if c.label == label]
        assert [c.kind for c in own] == ["start", "stop"] * (len(own) // 2)
        for start, stop in zip(own[::2], own[1::2], strict=True):
            assert stop.at - start.at >= shortest or stop in finished
            assert stop.score >= start.score
        starts = [c.at for c in own[::2]]
        assert all(b - a >= pause for a, b in itertools.pairwise(starts))
    if decision.exclusive:
        open_now = 0
        for c in changes:
            open_now += 1 if c.kind == "start" else -1
            assert open_now <= 1
