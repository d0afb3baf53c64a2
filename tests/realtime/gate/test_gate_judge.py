"""The judge: when it opens, when it closes, and what it says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.gate.judge import Judge, level_reason, reason

RATE = 16000
HOP = 160


def turns(judge, scores):
    """(decision, open) of every turn."""
    found = [(k, judge.update(score, (k + 1) * HOP)) for k, score in enumerate(scores)]
    return [(k, turn.open) for k, turn in found if turn is not None]


def test_threshold_and_hysteresis():
    scores = [0.1, 0.49, 0.5, 0.45, 0.41, 0.39, 0.45, 0.6]
    assert turns(Judge(RATE, 0.5, 0.1), scores) == [(2, True), (5, False), (7, True)]
    assert turns(Judge(RATE, 0.5), scores) == [(2, True), (3, False), (7, True)]


def test_the_closing_line_is_never_under_half_of_the_threshold():
    assert Judge(RATE, 0.5, 0.4).close_under == 0.25
    assert Judge(RATE, 0.1, 1.0).close_under == 0.05
    assert turns(Judge(RATE, 0.1, 1.0), [0.2, 0.06, 0.04]) == [(0, True), (2, False)]


def test_hold_counts_from_the_last_that_asked():
    """Open for 30 ms after the score was last over the line."""
    scores = [0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1]
    assert turns(Judge(RATE, 0.5, hold_ms=30), scores) == [(0, True), (7, False)]
    assert turns(Judge(RATE, 0.5, hold_ms=10), scores)[:2] == [(0, True), (2, False)]
    assert turns(Judge(RATE, 0.5, hold_ms=11), scores)[:2] == [(0, True), (3, False)]


def test_shortest_opening_counts_from_the_opening():
    scores = [0.9, 0.1, 0.1, 0.1, 0.1, 0.1]
    assert turns(Judge(RATE, 0.5, min_open_ms=40), scores) == [(0, True), (4, False)]
    scores = [0.9] * 5 + [0.1]
    assert turns(Judge(RATE, 0.5, min_open_ms=40), scores) == [(0, True), (5, False)]


def test_odd_rates_hold_as_long_as_they_should():
    judge = Judge(22050, 0.5, hold_ms=10)
    assert judge.update(0.9, 220).open
    assert judge.update(0.1, 440) is None  # 220 samples are not quite 10 ms
    assert judge.update(0.1, 662).open is False


def test_the_ends_of_the_scale():
    assert turns(Judge(RATE, 0.0), [0.0, 0.0]) == [(0, True)]
    assert turns(Judge(RATE, 1.0), [0.999, 1.0, 0.999]) == [(1, True), (2, False)]


def test_settings_may_change_between_decisions():
    judge = Judge(RATE, 0.5)
    assert judge.update(0.4, HOP) is None
    judge.threshold = 0.3
    assert judge.update(0.4, 2 * HOP).open
    judge.hold_ms = 1000
    assert judge.update(0.0, 3 * HOP) is None


def test_a_click_does_not_open_what_asks_for_two():
    judge = Judge(RATE, 0.5, confirm_score=0.7)
    scores = [0.6, 0.2, 0.6, 0.55, 0.6, 0.1, 0.6, 0.1, 0.7, 0.1, 0.69, 0.5]
    assert turns(judge, scores) == [(3, True), (5, False), (8, True), (9, False), (11, True)]


def test_a_score_to_confirm_under_the_threshold_asks_for_nothing():
    scores = [0.5, 0.1, 0.6]
    assert turns(Judge(RATE, 0.5, confirm_score=0.4), scores) == turns(Judge(RATE, 0.5), scores)


def test_after_a_reset_nothing_is_confirmed():
    judge = Judge(RATE, 0.5, confirm_score=1.0)
    judge.update(0.6, HOP)
    judge.reset()
    assert judge.update(0.6, HOP) is None
    assert judge.update(0.6, 2 * HOP).open


def test_reset():
    judge = Judge(RATE, 0.5, hold_ms=1000)
    judge.update(0.9, HOP)
    judge.reset()
    assert not judge.open
    assert judge.update(0.9, HOP).open


@given(
    scores=st.lists(st.floats(0, 1), max_size=60),
    threshold=st.floats(0, 1),
    hysteresis=st.floats(0, 1),
    hold=st.integers(0, 100),
    shortest=st.integers(0, 100),
    sure=st.floats(0, 1),
)
def test_promises(scores, threshold, hysteresis, hold, shortest, sure):
    judge = Judge(RATE, threshold, hysteresis, hold, shortest, sure)
    found = turns(judge, scores)
    assert [is_open for _, is_open in found] == [i % 2 == 0 for i in range(len(found))]
    for a, _ in found[::2]:
        assert scores[a] >= sure or (a > 0 and scores[a - 1] >= threshold)
    for (a, _), (b, _) in zip(found[::2], found[1::2], strict=False):
        assert scores[a] >= threshold
        assert scores[b] < judge.close_under
        assert (b - a) * 10 >= max(hold, shortest)


@pytest.mark.parametrize(
    ("score", "threshold", "text"),
    [
        (0.83, 0.5, "score 0.83 over 0.50"),
        (0.834, 0.5, "score 0.83 over 0.50"),
        (0.504, 0.5, "score 0.504 over 0.500"),
        (0.5, 0.5, "score 0.50 at 0.50"),
        (1.0, 0.5, "score 1.00 over 0.50"),
    ],
)
def test_reasons(score, threshold, text):
    assert reason(score, threshold) == text
    judge = Judge(RATE, threshold)
    assert judge.update(score, HOP).reason == text


def test_reason_of_a_level():
    assert level_reason(-31.46, -40.0) == "level -31.5 dB over -40.0 dB"
