"""The key filter: its slopes, and the same bits whatever the blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.gate.key import KeyFilter

RATES = [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000]
FORMS = pytest.mark.parametrize("compiled", [True, False], ids=["numba", "numpy"])


def noise(n: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(n).standard_normal((n, channels)).astype(np.float32)


def gain_db(made: KeyFilter, hz: float, rate: int = 48_000) -> float:
    """Of a tone, measured over its second second."""
    t = np.arange(2 * rate) / rate
    tone = np.sin(2 * np.pi * hz * t).astype(np.float32)[:, None]
    out = made.process(tone)[rate:]
    return 20 * np.log10(np.sqrt(2 * np.mean(out.astype(np.float64) ** 2)))


@FORMS
@pytest.mark.parametrize("slope_db", [12, 24])
@pytest.mark.parametrize("hz", [80.0, 1000.0])
def test_slopes(hz: float, slope_db: int, compiled: bool) -> None:
    def high() -> KeyFilter:
        return KeyFilter(48_000, 1, highpass_hz=hz, slope_db=slope_db, compiled=compiled)

    def low() -> KeyFilter:
        return KeyFilter(48_000, 1, lowpass_hz=hz, slope_db=slope_db, compiled=compiled)

    assert gain_db(high(), hz) == pytest.approx(-3.01, abs=0.1)
    assert gain_db(low(), hz) == pytest.approx(-3.01, abs=0.1)
    assert gain_db(high(), hz / 2) == pytest.approx(-slope_db, abs=1)
    assert gain_db(low(), hz * 2) == pytest.approx(-slope_db, abs=1)
    # from one octave to the next
    assert gain_db(high(), hz / 4) - gain_db(high(), hz / 2) == pytest.approx(-slope_db, abs=1)
    assert gain_db(low(), hz * 4) - gain_db(low(), hz * 2) == pytest.approx(-slope_db, abs=1)
    assert gain_db(high(), hz * 4) == pytest.approx(0, abs=0.1)
    assert gain_db(low(), hz / 4) == pytest.approx(0, abs=0.1)


@FORMS
def test_both_together_leave_a_band(compiled: bool) -> None:
    band = KeyFilter(48_000, 1, 200, 2000, 24, compiled)
    assert gain_db(band, 630) == pytest.approx(0, abs=0.1)
    assert gain_db(band, 100) == pytest.approx(-24, abs=1)
    assert gain_db(band, 4000) == pytest.approx(-24, abs=1)


@given(
    rate=st.sampled_from(RATES),
    channels=st.integers(1, 3),
    highpass_hz=st.sampled_from([0, 20, 100, 3999]),
    lowpass_hz=st.sampled_from([0, 30, 3000, 20_000]),
    slope_db=st.sampled_from([12, 24]),
    n=st.integers(0, 700),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_any_partition_gives_the_same_bits(
    rate: int,
    channels: int,
    highpass_hz: float,
    lowpass_hz: float,
    slope_db: int,
    n: int,
    data: st.DataObject,
) -> None:
    def made(compiled: bool) -> KeyFilter:
        return KeyFilter(rate, channels, highpass_hz, lowpass_hz, slope_db, compiled)

    x = noise(n, channels)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=10)))
    whole = [made(compiled).process(x) for compiled in (True, False)]
    np.testing.assert_allclose(*whole, atol=1e-6)
    for compiled, want in zip((True, False), whole, strict=True):
        parts = made(compiled)
        got = [parts.process(x[a:b]) for a, b in itertools.pairwise([0, *cuts, n])]
        np.testing.assert_array_equal(np.concatenate(got), want, strict=True)


@FORMS
@pytest.mark.parametrize("size", [1, 31, 32, 33, 128])
def test_blocks_of_one_size(size: int, compiled: bool) -> None:
    x = noise(2000, 2)
    whole = KeyFilter(44_100, 2, 100, 5000, 24, compiled).process(x)
    parts = KeyFilter(44_100, 2, 100, 5000, 24, compiled)
    got = [parts.process(x[at : at + size]) for at in range(0, len(x), size)]
    np.testing.assert_array_equal(np.concatenate(got), whole)


@FORMS
@pytest.mark.parametrize("rate", RATES)
def test_the_lowest_tones_at_the_highest_rates(rate: int, compiled: bool) -> None:
    x = noise(2 * rate)
    y = KeyFilter(rate, 1, 20, 0, 24, compiled).process(x + 1)  # 1: a constant, it must go
    assert np.abs(y).max() < 8
    assert abs(y[rate:].mean()) < 0.01
    z = KeyFilter(rate, 1, 0, 20, 24, compiled).process(np.ones((2 * rate, 1), np.float32))
    np.testing.assert_allclose(z[rate:], 1, atol=1e-5)


@FORMS
def test_bad_samples_count_as_silence(compiled: bool) -> None:
    x = noise(1000, 2)
    x[100:110, 0], x[300, 1], x[301, 1] = np.nan, np.inf, -np.inf
    clean = np.where(np.isfinite(x), x, 0).astype(np.float32)
    bad, good = (KeyFilter(48_000, 2, 100, 5000, 24, compiled) for _ in range(2))
    np.testing.assert_array_equal(bad.process(x), good.process(clean))


@FORMS
def test_silence_is_silence_in_the_end(compiled: bool) -> None:
    made = KeyFilter(48_000, 1, 80, 8000, 24, compiled)
    made.process(noise(4800))
    made.process(np.zeros((480_000, 1), np.float32))
    cascade = made._cascade
    state = getattr(cascade, "_state", getattr(cascade, "_known", None))
    assert (state == 0).all()  # and no denormal numbers, which are slow


@FORMS
def test_reset_is_a_fresh_start(compiled: bool) -> None:
    x = noise(500, 2)
    fresh = KeyFilter(48_000, 2, 100, 0, 12, compiled).process(x)
    used = KeyFilter(48_000, 2, 100, 0, 12, compiled)
    used.process(noise(77, 2))
    used.reset()
    np.testing.assert_array_equal(used.process(x), fresh)


@FORMS
def test_what_cannot_be_written_to_is_read_all_the_same(compiled: bool) -> None:
    x = noise(64, 2)
    want = KeyFilter(48_000, 2, 100, 0, 12, compiled).process(x)
    read_only = np.frombuffer(x.tobytes(), np.float32).reshape(-1, 2)
    planar = np.asfortranarray(x)
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.float32, offset=1).reshape(-1, 2)
    for block in (read_only, planar, unaligned):
        got = KeyFilter(48_000, 2, 100, 0, 12, compiled).process(block)
        np.testing.assert_array_equal(got, want)


def test_without_frequencies_the_block_passes() -> None:
    x = noise(10)
    for made in (KeyFilter(8_000, 1), KeyFilter(8_000, 1, 0, 4_000)):
        assert not made.active
        assert made.process(x) is x
        made.reset()
    assert KeyFilter(8_000, 1, 50).active


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="a filter at"):
        KeyFilter(8_000, 0)
    with pytest.raises(ValueError, match="slope of 18"):
        KeyFilter(8_000, 1, 100, slope_db=18)
    for hz in (-1, 4_000, np.nan):
        with pytest.raises(ValueError, match="high-pass"):
            KeyFilter(8_000, 1, hz)
    for hz in (-1, np.nan):
        with pytest.raises(ValueError, match="low-pass"):
            KeyFilter(8_000, 1, 0, hz)
    for shape in ((4,), (4, 1)):
        with pytest.raises(ValueError, match="shape"):
            KeyFilter(8_000, 2, 100).process(np.zeros(shape, np.float32))
