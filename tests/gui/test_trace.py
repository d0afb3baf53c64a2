"""What the scope shows: bins of time."""

import numpy as np
import pytest

from gui.trace import BIN_S, BINS, Trace


def hops(first, last, level=-30.0, score=0.5, gain=0.0):
    """Hops of 10 ms, from number `first` on, as a gate pushes them."""
    return [[(k + 1) * BIN_S, level, score, gain] for k in range(first, last)]


def test_columns_hold_the_loudest_and_the_surest_of_their_time():
    trace = Trace()
    trace.add(hops(0, 100))
    trace.add([[1.01, -10.0, 0.9, -60.0], [1.02, -50.0, 0.1, -3.0]])
    level, score, gain = trace.columns(50, 51, 0.02)
    assert (level[0], score[0], gain[0]) == pytest.approx((-10.0, 0.9, -3.0))


def test_a_short_gap_is_bridged_and_a_long_one_is_unknown():
    trace = Trace()
    trace.add(hops(0, 10, level=-20.0))
    trace.add(hops(13, 20))
    trace.add(hops(100, 110))
    level, _, _ = trace.columns(0, 110, BIN_S)
    assert level[11] == -20.0
    assert np.isnan(level[20:100]).all()


def test_what_a_gate_tells_once_more_changes_nothing():
    trace = Trace()
    trace.add(hops(0, 500))
    before = trace.columns(0, 500, BIN_S)
    trace.mark(1.5)
    trace.add(hops(100, 500))
    for was, is_now in zip(before, trace.columns(0, 500, BIN_S), strict=True):
        np.testing.assert_array_equal(was, is_now)
    assert list(trace.marks) == [1.5]


def test_the_level_gate_has_no_score():
    trace = Trace()
    trace.add(hops(0, 20, score=None))
    level, score, _ = trace.columns(0, 20, BIN_S)
    assert np.isfinite(level).all()
    assert np.isnan(score).all()


def test_nothing_is_shown_of_what_is_too_old():
    trace = Trace()
    trace.add(hops(0, BINS + 50))
    level, _, _ = trace.columns(0, 100, BIN_S)
    assert np.isnan(level[:50]).all()
    assert np.isfinite(level[50:]).all()


def test_after_eight_hours_an_instant_is_still_where_it_is():
    trace = Trace()
    begin = 8 * 360_000
    trace.add(hops(begin, begin + 300))
    trace.add(hops(begin + 300, begin + 301, level=-5.0))
    level, _, _ = trace.columns(begin + 290, begin + 301, BIN_S)
    assert level[10] == -5.0
    assert level[:10] == [-30.0] * 10
