"""The level gate opens, holds, closes and ducks at the sample at which it should."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.gate.level import FLOOR_DB, HOLD_MIN_MS, MOST_CHANGES, LevelGate

RATES = [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000]
FORMS = pytest.mark.parametrize("compiled", [True, False], ids=["numba", "numpy"])
Changes = list[tuple[int, bool, float]]


def gate(rate: int = 48_000, channels: int = 1, **changes: object) -> LevelGate:
    """A gate that opens at -20 dB, closes under -30 and holds for 50 ms."""
    values: dict = {
        "threshold_db": -20.0,
        "close_db": -30.0,
        "attack_ms": 2.0,
        "hold_ms": 50.0,
        "release_ms": 20.0,
        "range_db": -60.0,
        **changes,
    }
    return LevelGate(rate, channels, **values)


def steps(*parts: tuple[float, int], channels: int = 1) -> np.ndarray:
    """A key of levels: (dBFS, samples); -inf is silence. Every other sample is negative."""
    x = np.concatenate([np.full(n, 10 ** (db / 20)) for db, n in parts])
    x[1::2] *= -1
    return np.repeat(x.astype(np.float32)[:, None], channels, axis=1)


def run(made: LevelGate, key: np.ndarray, cuts: list[int]) -> tuple[np.ndarray, Changes]:
    """All gains, and changes counted from the start."""
    gains, changes = [], []
    for a, b in itertools.pairwise([0, *sorted(cuts), len(key)]):
        block, found = made.process(key[a:b])
        gains.append(block)
        changes += [(a + at, is_open, level) for at, is_open, level in found]
    return np.concatenate(gains), changes


def bursts(n: int, channels: int, seed: int) -> np.ndarray:
    """Noise whose level wanders between -60 and 0 dB."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(10 ** (rng.uniform(-60, 0, n // 300 + 1) / 20), 300)[:n]
    return (levels[:, None] * rng.uniform(-1, 1, (n, channels))).astype(np.float32)


@FORMS
@pytest.mark.parametrize("rate", RATES)
def test_opens_at_the_sample_and_holds_for_the_hold(rate: int, compiled: bool) -> None:
    key = steps((-50, 1000), (-19, 500), (-31, rate))
    made = gate(rate, compiled=compiled)
    gains, changes = made.process(key)
    closed = 1500 + round(0.05 * rate)
    assert [c[:2] for c in changes] == [(1000, True), (closed, False)]
    assert changes[0][2] == pytest.approx(-19, abs=1e-4)
    assert changes[1][2] == pytest.approx(-31, abs=1e-4)
    np.testing.assert_array_equal(gains[:1000], np.float32(0.001))
    assert gains[1000] > np.float32(0.001)
    assert gains[1000 + round(0.002 * rate) : closed] == pytest.approx(1.0, abs=0)
    assert gains[-1] == np.float32(0.001)
    assert not made.open


@FORMS
def test_between_the_thresholds_nothing_changes(compiled: bool) -> None:
    made = gate(compiled=compiled)
    assert made.process(steps((-21, 48_000)))[1] == []  # does not open
    made.process(steps((-19, 10)))
    gains, changes = made.process(steps((-29, 480_000)))  # does not close
    assert changes == []
    assert gains[-1] == 1.0
    assert made.open
    assert len(made.process(steps((-31, 48_000)))[1]) == 1


@FORMS
def test_the_hold_begins_anew_with_each_loud_sample(compiled: bool) -> None:
    made = gate(compiled=compiled)
    key = steps((-10, 10), (-np.inf, 20_000))
    key[2409] = key[4809] = 0.05  # in the last sample of the hold
    assert [c[:2] for c in made.process(key)[1]] == [(0, True), (4810 + 2400, False)]


@FORMS
def test_a_loud_sound_is_not_held_for_longer_than_a_soft_one(compiled: bool) -> None:
    for level in (-19, 0, 20):
        key = steps((level, 100), (-np.inf, 20_000))
        assert gate(compiled=compiled).process(key)[1][1][:2] == (100 + 2400, False)


@FORMS
@pytest.mark.parametrize("hz", [50.0, 82.4, 200.0])
def test_a_tone_does_not_chatter_without_hold_or_hysteresis(hz: float, compiled: bool) -> None:
    t = np.arange(48_000) / 48_000
    tone = (0.11 * np.sin(2 * np.pi * hz * t)).astype(np.float32)[:, None]
    made = gate(close_db=-20.0, hold_ms=0.0, compiled=compiled)
    assert [c[1] for c in made.process(tone)[1]] == [True]
    changes = made.process(np.zeros((4800, 1), np.float32))[1]
    assert [c[1] for c in changes] == [False]
    assert changes[0][0] <= HOLD_MIN_MS * 48


@FORMS
def test_the_threshold_is_reached_by_equality(compiled: bool) -> None:
    made = gate(threshold_db=0.0, close_db=0.0, compiled=compiled)
    key = np.full((10, 1), np.nextafter(np.float32(1), np.float32(0)))
    assert made.process(key)[1] == []
    assert made.process(np.ones((10, 1), np.float32))[1] == [(0, True, 0.0)]


@FORMS
@pytest.mark.parametrize("range_db", [-60.0, -20.0, -np.inf])
def test_the_range_is_measured_in_the_sound(range_db: float, compiled: bool) -> None:
    t = np.arange(48_000) / 48_000
    tone = (0.01 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    gains, _ = gate(range_db=range_db, compiled=compiled).process(tone[:, None])
    with np.errstate(divide="ignore"):
        got = 10 * np.log10(np.sum((tone * gains) ** 2.0) / np.sum(tone**2.0))
    assert got == range_db or got == pytest.approx(range_db, abs=0.01)


@FORMS
def test_an_open_gate_changes_nothing(compiled: bool) -> None:
    made = gate(compiled=compiled)
    made.process(steps((-6, 4800)))
    loud = bursts(4800, 1, 3) + np.float32(2)
    gains, _ = made.process(loud)
    np.testing.assert_array_equal(loud[:, 0] * gains, loud[:, 0])


@FORMS
def test_duck_is_the_inverse(compiled: bool) -> None:
    key = steps((-50, 1000), (-10, 5000), (-50, 20_000))
    gains, changes = gate(range_db=-np.inf, compiled=compiled).process(key)
    made = gate(range_db=-np.inf, duck=True, compiled=compiled)
    ducked, same = made.process(key)
    assert same == changes
    np.testing.assert_allclose(ducked, 1 - gains, atol=1e-7)
    assert (ducked[:1000] == 1).all()
    assert (ducked[1200:8000] == 0).all()
    assert ducked[-1] == 1
    made.duck = False
    assert made.process(steps((-50, 4800)))[0][-1] == 0


@FORMS
def test_the_link_keeps_the_image(compiled: bool) -> None:
    key = np.zeros((20_000, 2), np.float32)
    key[1000:2000, 1] = 0.5  # one side only
    made = gate(channels=2, compiled=compiled)
    gains, changes = made.process(key)
    assert gains.shape == (20_000,)
    assert [c[:2] for c in changes] == [(1000, True), (4400, False)]


@FORMS
def test_without_the_link_each_channel_is_on_its_own(compiled: bool) -> None:
    key = np.zeros((20_000, 3), np.float32)
    key[1000:2000, 0] = 0.5
    key[1500:3000, 1] = 0.25
    made = gate(channels=3, link=False, compiled=compiled)
    gains, changes = made.process(key)
    assert gains.shape == (20_000, 3)
    for c in range(3):
        alone, _ = gate(compiled=compiled).process(key[:, c : c + 1])
        np.testing.assert_array_equal(gains[:, c], alone)
    assert [c[:2] for c in changes] == [(1000, True), (5400, False)]
    assert changes[0][2] == pytest.approx(-6.02, abs=0.01)
    assert changes[1][2] == FLOOR_DB
    assert not made.open


@FORMS
def test_the_whole_stays_open_from_one_channel_to_the_next(compiled: bool) -> None:
    key = np.zeros((10_000, 2), np.float32)
    key[0, 0] = key[2401, 1] = 0.5  # the second opens where the first closes
    _, changes = gate(channels=2, link=False, compiled=compiled).process(key)
    assert [c[:2] for c in changes] == [(0, True), (2401 + 2401, False)]


@given(
    rate=st.sampled_from(RATES),
    channels=st.integers(1, 3),
    link=st.booleans(),
    threshold_db=st.floats(-50, 0),
    under_db=st.floats(0, 12),
    hold_ms=st.floats(0, 40),
    seed=st.integers(0, 1000),
    cuts=st.lists(st.integers(0, 9000), max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_any_partition_and_either_form_give_the_same_bits(
    rate: int,
    channels: int,
    link: bool,
    threshold_db: float,
    under_db: float,
    hold_ms: float,
    seed: int,
    cuts: list[int],
) -> None:
    def made(compiled: bool) -> LevelGate:
        return gate(
            rate,
            channels,
            link=link,
            threshold_db=threshold_db,
            close_db=threshold_db - under_db,
            hold_ms=hold_ms,
            compiled=compiled,
        )

    key = bursts(9000, channels, seed)
    want, changes = made(True).process(key)
    for compiled, parts in ((False, []), (True, cuts), (False, cuts)):
        gains, found = run(made(compiled), key, parts)
        np.testing.assert_array_equal(gains, want, strict=True)
        assert found == changes


@FORMS
@pytest.mark.parametrize("size", [1, 2, 99, 100, 128])
def test_blocks_of_one_size(size: int, compiled: bool) -> None:
    def made() -> LevelGate:
        return gate(8_000, 2, hold_ms=0, compiled=compiled)

    key = bursts(6000, 2, 5)
    want, changes = made().process(key)
    got, found = run(made(), key, [*range(0, 6000, size)])
    np.testing.assert_array_equal(got, want)
    assert found == changes
    assert len(changes) > 3


@FORMS
def test_more_changes_in_a_block_than_the_detector_gives_at_once(compiled: bool) -> None:
    key = np.zeros((100 * 1000, 1), np.float32)
    key[::1000] = 0.5
    changes = gate(hold_ms=0.0, compiled=compiled).process(key)[1]
    assert len(changes) == 200 > MOST_CHANGES
    assert [c[0] for c in changes[::2]] == list(range(0, 100_000, 1000))
    assert [c[0] for c in changes[1::2]] == list(range(481, 100_000, 1000))
    assert [c[1] for c in changes] == [True, False] * 100


@FORMS
def test_settings_change_while_it_runs(compiled: bool) -> None:
    made = gate(release_ms=5.0, compiled=compiled)
    key = steps((-35, 4800))
    assert made.process(key)[1] == []
    made.threshold_db, made.close_db = -40.0, -45.0
    first, changes = made.process(key)
    assert [c[:2] for c in changes] == [(0, True)]
    made.close_db = -33.0
    made.threshold_db = -33.0
    made.hold_ms = 20.0
    second, changes = made.process(key)
    assert [c[:2] for c in changes] == [(960, False)]
    made.range_db = -6.0
    made.attack_ms, made.release_ms = 3.0, 30.0
    third, changes = made.process(key)
    assert changes == []
    assert third[-1] == np.float32(10**-0.3)
    assert (made.attack_ms, made.release_ms, made.range_db) == (3, 30, -6)
    assert (made.threshold_db, made.close_db, made.hold_ms) == (-33, -33, 20)
    gains = np.concatenate([first, second, third]).astype(np.float64)
    assert np.abs(np.diff(gains, 2)).max() <= 4 / 96**2 + 2e-7


@FORMS
def test_a_close_threshold_over_the_threshold_counts_as_the_same(compiled: bool) -> None:
    key = bursts(20_000, 1, 8)
    same, over = (gate(close_db=db, hold_ms=0, compiled=compiled) for db in (-20.0, -5.0))
    np.testing.assert_array_equal(same.process(key)[0], over.process(key)[0])


@FORMS
def test_bad_samples_count_as_silence(compiled: bool) -> None:
    key = bursts(9000, 2, 9)
    key[100:900, 0], key[2000, 1], key[5000] = np.nan, np.inf, -np.inf
    key[500, 1] = 0.9  # the other channel is heard all the same
    clean = np.where(np.isfinite(key), key, 0).astype(np.float32)
    want, changes = gate(channels=2, compiled=compiled).process(clean)
    got, found = gate(channels=2, compiled=compiled).process(key)
    np.testing.assert_array_equal(got, want)
    assert found == changes
    only_bad = gate(compiled=compiled).process(np.full((9000, 1), np.inf, np.float32))
    assert only_bad[1] == []


@FORMS
@pytest.mark.parametrize("link", [True, False])
def test_reset_is_a_fresh_start(link: bool, compiled: bool) -> None:
    key = bursts(9000, 2, 10)
    want, changes = gate(channels=2, link=link, compiled=compiled).process(key)
    made = gate(channels=2, link=link, compiled=compiled)
    made.process(steps((-3, 777), (-40, 50), channels=2))
    made.reset()
    got, found = made.process(key)
    np.testing.assert_array_equal(got, want)
    assert found == changes


@FORMS
def test_ten_minutes_of_silence_stay_closed(compiled: bool) -> None:
    made = gate(8_000, compiled=compiled)
    faint = np.random.default_rng(0).uniform(-0.09, 0.09, (8_000 * 60, 1)).astype(np.float32)
    for _ in range(10):
        gains, changes = made.process(faint)
        assert changes == []
        assert (gains == np.float32(0.001)).all()
    assert made.process(steps((-19, 10)))[1][0][:2] == (0, True)


@FORMS
def test_a_hold_of_minutes(compiled: bool) -> None:
    made = gate(192_000, hold_ms=200_000.0, compiled=compiled)
    made.process(steps((-10, 1)))
    silence = np.zeros((192_000 * 20, 1), np.float32)
    for _ in range(10):
        assert made.process(silence)[1] == []
    assert [c[:2] for c in made.process(silence)[1]] == [(0, False)]


def test_nothing_asked_nothing_given() -> None:
    for link, shape in ((True, (0,)), (False, (0, 2))):
        gains, changes = gate(channels=2, link=link).process(np.zeros((0, 2), np.float32))
        assert gains.shape == shape
        assert gains.dtype == np.float32
        assert changes == []


@FORMS
def test_a_threshold_of_nothing_is_always_open(compiled: bool) -> None:
    made = gate(threshold_db=-np.inf, close_db=-np.inf, compiled=compiled)
    _, changes = made.process(np.zeros((100_000, 1), np.float32))
    assert changes == [(0, True, FLOOR_DB)]


def test_misuse_is_refused() -> None:
    for rate, channels in ((0, 1), (48_000, 0)):
        with pytest.raises(ValueError, match="a gate at"):
            gate(rate, channels)
    for name in ("threshold_db", "close_db"):
        with pytest.raises(ValueError, match="not a number"):
            gate(**{name: np.nan})
    for ms in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="a hold"):
            gate(hold_ms=ms)
    for shape in ((4,), (4, 1)):
        with pytest.raises(ValueError, match="shape"):
            gate(channels=2).process(np.zeros(shape, np.float32))
