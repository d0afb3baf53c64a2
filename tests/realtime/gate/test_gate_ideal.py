"""The ideal gate on sounds whose answer is known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.gate.ideal import gate_of_levels, hop_levels, ideal_gate, runs

RATE = 16_000


def bursts(*spans: tuple[float, float, float], seconds: float = 3.0, rate: int = RATE):
    """A 500 Hz tone in (begin s, end s, level dB re full scale) spans."""
    t = np.arange(round(seconds * rate)) / rate
    x = np.zeros_like(t)
    for begin, end, level in spans:
        inside = (t >= begin) & (t < end)
        x[inside] = 10 ** (level / 20) * np.sin(2 * np.pi * 500 * t[inside])
    return x.astype(np.float32)


def seconds(x, rate: int = RATE) -> list[tuple[float, float]]:
    return [(a / 100, b / 100) for a, b in runs(ideal_gate(x, rate))]


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_a_tone_opens_from_its_start_to_its_end(rate: int) -> None:
    # a hop's 20 ms reach 10 ms to either side
    assert seconds(bursts((1.0, 2.0, -20.0), rate=rate), rate) == [
        (pytest.approx(1.0, abs=0.011), pytest.approx(2.0, abs=0.021))
    ]


def test_levels_are_those_of_a_sine() -> None:
    levels = hop_levels(bursts((0.0, 3.0, -20.0)), RATE)
    assert levels[50:250] == pytest.approx(-23.01, abs=0.1)


def test_its_level_does_not_matter() -> None:
    loud, soft = bursts((0.5, 1.2, -3.0)), bursts((0.5, 1.2, -63.0))
    assert np.array_equal(ideal_gate(loud, RATE), ideal_gate(soft, RATE))


def test_it_opens_22_db_under_the_reference_and_stays_open_to_28() -> None:
    assert len(seconds(bursts((0.5, 1.5, -10.0), (2.0, 2.5, -31.0)))) == 2
    assert len(seconds(bursts((0.5, 1.5, -10.0), (2.0, 2.5, -33.5)))) == 1
    # the quiet part follows without a pause: open to 28 dB under, closed beyond
    assert seconds(bursts((0.5, 1.5, -10.0), (1.5, 2.0, -37.0)))[0][1] == pytest.approx(
        2.0, abs=0.03
    )
    assert seconds(bursts((0.5, 1.5, -10.0), (1.5, 2.0, -39.5)))[0][1] == pytest.approx(
        1.5, abs=0.03
    )


def test_short_gaps_are_bridged_and_short_openings_dropped() -> None:
    assert len(seconds(bursts((0.5, 1.0, -10.0), (1.11, 1.6, -10.0)))) == 1
    assert len(seconds(bursts((0.5, 1.0, -10.0), (1.2, 1.6, -10.0)))) == 2
    click = bursts((0.5, 1.5, -10.0), (2.0, 2.004, -26.0))
    assert len(seconds(click)) == 1


def test_silence_stays_closed() -> None:
    assert not ideal_gate(np.zeros(RATE, np.float32), RATE).any()
    assert not ideal_gate(np.zeros(0, np.float32), RATE).any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_rows_do_not_meet(seed: int) -> None:
    levels = np.random.default_rng(seed).uniform(-80, 0, (4, 200)).astype(np.float32)
    together = gate_of_levels(levels)
    for row, alone in zip(together, levels, strict=True):
        assert np.array_equal(row, gate_of_levels(alone[None])[0])
        assert all(b - a >= 3 for a, b in runs(row))
        ends = [b for _, b in runs(row)]
        assert all(a - e >= 12 for (a, _), e in zip(runs(row)[1:], ends, strict=False))
