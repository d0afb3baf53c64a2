"""Figures against values worked out elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.metrics import confusion, poisson_upper, quantiles, wilson


@pytest.mark.parametrize(
    ("events", "bound"), [(0, 2.996), (1, 4.744), (5, 10.513), (20, 29.062)]
)
def test_poisson_bound(events: int, bound: float) -> None:
    # one-sided 95 % bounds: half the 0.95 quantile of chi-squared with 2 (n + 1) degrees
    assert poisson_upper(events) == pytest.approx(bound, abs=2e-3)


def test_wilson_interval() -> None:
    assert wilson(81, 263) == pytest.approx(
        (0.2553, 0.3662), abs=5e-4
    )  # Newcombe 1998, table I
    assert wilson(0, 20)[0] == 0.0
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 500), st.data())
def test_the_interval_holds_the_share(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    low, high = wilson(hits, n)
    assert 0.0 <= low <= hits / n <= high <= 1.0


def test_confusion_counts_every_clip() -> None:
    table = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]), 3)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_no_values_give_no_quantile() -> None:
    assert np.isnan(quantiles([])).all()
    assert quantiles([1.0, 2.0, 3.0]) == pytest.approx([2.0, 2.9])
