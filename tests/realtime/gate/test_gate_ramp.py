"""The ramp cannot click and lands exactly; the look-ahead line gives back what it took."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.gate import kernels
from realtime.gate.ramp import RAMP_MIN_MS, Delay, Ramp

RATES = [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000]
FORMS = pytest.mark.parametrize("compiled", [True, False], ids=["numba", "numpy"])
CHANGES = st.lists(st.tuples(st.integers(0, 2999), st.booleans()), max_size=12).map(sorted)
CUTS = st.lists(st.integers(0, 3000), max_size=12).map(sorted)


def run(ramp: Ramp, n: int, changes: list[tuple[int, bool]], cuts: list[int]) -> np.ndarray:
    """Gains of `n` samples, in blocks that end at `cuts`; changes count from the start."""
    edges = [0, *(min(c, n) for c in cuts), n]
    return np.concatenate(
        [
            ramp.process(b - a, [(at - a, is_open) for at, is_open in changes if a <= at < b])
            for a, b in itertools.pairwise(edges)
        ]
    )


def above(x: np.ndarray, hz: float, rate: int) -> float:
    """Energy over a frequency, dB."""
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    return 10 * np.log10(spectrum[np.fft.rfftfreq(len(x), 1 / rate) > hz].sum())


@FORMS
@pytest.mark.parametrize("rate", RATES)
def test_a_ramp_has_its_length_and_lands_exactly(rate: int, compiled: bool) -> None:
    ramp = Ramp(rate, 5, 50, -60, compiled=compiled)
    attack, release = rate * 0.005, rate * 0.05
    opening = ramp.process(rate, [(10, True)])
    np.testing.assert_array_equal(opening[:10], np.float32(0.001))
    assert opening[10] > np.float32(0.001)  # it moves at once
    assert np.flatnonzero(opening == 1)[0] == pytest.approx(10 + attack - 1, abs=1.5)
    assert ramp.open
    assert ramp.gain == 1.0
    closing = ramp.process(rate, [(10, False)])
    np.testing.assert_array_equal(closing[:10], 1)
    assert closing[13] < 1  # float32 cannot tell the first steps from 1
    closed = np.flatnonzero(closing == np.float32(0.001))[0]
    # nor the last ones from the end
    assert 0.97 * release < closed - 10 <= release
    assert (closing[closed:] == np.float32(0.001)).all()
    assert (np.diff(opening) >= 0).all()
    assert (np.diff(closing) <= 0).all()


def test_half_of_the_time_is_half_of_the_way() -> None:
    ramp = Ramp(48_000, 10, 10, -120)
    opening = ramp.process(480, [(0, True)])
    assert opening[239] == pytest.approx(0.5, abs=1e-6)
    assert opening[119] == pytest.approx(0.125, abs=1e-6)
    assert opening[359] == pytest.approx(0.875, abs=1e-6)


@pytest.mark.parametrize(("range_db", "gain"), [(-60, 1e-3), (-20, 0.1), (-119, 10**-5.95)])
def test_the_range_is_reached(range_db: float, gain: float) -> None:
    ramp = Ramp(48_000, 1, 1, range_db)
    assert ramp.process(5)[0] == pytest.approx(gain, rel=1e-6)
    ramp.process(1000, [(0, True)])
    assert ramp.process(1000, [(0, False)])[-1] == pytest.approx(gain, rel=1e-6)


@pytest.mark.parametrize("range_db", [-120.0, -144.0, -np.inf])
def test_a_low_range_is_silence(range_db: float) -> None:
    ramp = Ramp(48_000, 2, 2, range_db)
    assert (ramp.process(10) == 0).all()
    ramp.process(1000, [(0, True)])
    closing = ramp.process(1000, [(0, False)])
    assert (closing >= 0).all()
    assert (closing[96:] == 0).all()


def test_a_range_of_0_db_lets_all_through() -> None:
    ramp = Ramp(48_000, 2, 2, 0)
    assert (ramp.process(1000, [(100, True), (300, False)]) == 1).all()


@given(
    rate=st.sampled_from(RATES),
    attack=st.floats(0, 30),
    release=st.floats(0, 200),
    range_db=st.sampled_from([-np.inf, -60, -20, -6]),
    duck=st.booleans(),
    changes=CHANGES,
    cuts=CUTS,
)
@settings(max_examples=150, deadline=None)
def test_any_partition_gives_the_same_bits_and_no_kink(
    rate: int,
    attack: float,
    release: float,
    range_db: float,
    duck: bool,
    changes: list[tuple[int, bool]],
    cuts: list[int],
) -> None:
    def made(compiled: bool = True) -> Ramp:
        return Ramp(rate, attack, release, range_db, duck, compiled)

    whole = made().process(3000, changes)
    np.testing.assert_array_equal(run(made(), 3000, changes, cuts), whole)
    np.testing.assert_array_equal(run(made(False), 3000, changes, cuts), whole)
    floor = 10 ** (range_db / 20)
    assert whole.min() >= np.float32(floor)
    assert whole.max() <= 1
    length = max(min(attack, release), RAMP_MIN_MS) * rate / 1000
    slope = np.diff(whole.astype(np.float64))
    assert np.abs(slope).max() <= (1 - floor) * 2 / length + 1e-7
    assert np.abs(np.diff(slope)).max() <= (1 - floor) * 4 / length**2 + 2e-7


@pytest.mark.parametrize("size", [1, 2, 63, 128, 1000])
@FORMS
def test_blocks_of_one_size(size: int, compiled: bool) -> None:
    changes = [(100, True), (180, False), (400, True), (1400, False)]
    cuts = list(range(0, 3000, size))
    got = run(Ramp(48_000, 3, 20, -40, compiled=compiled), 3000, changes, cuts)
    whole = Ramp(48_000, 3, 20, -40, compiled=compiled).process(3000, changes)
    np.testing.assert_array_equal(got, whole)


def test_a_turn_goes_on_from_the_present_gain() -> None:
    ramp = Ramp(48_000, 10, 100, -60)
    before = ramp.process(200, [(0, True)])  # about a third of the way, at speed
    after = ramp.process(10_000, [(0, False)])
    both = np.concatenate([before, after]).astype(np.float64)
    slope = np.diff(both)
    assert np.abs(np.diff(slope)).max() <= 4 / 480**2 + 1e-7
    top = int(np.argmax(both))
    assert top == pytest.approx(400, abs=1)  # it brakes as fast as it speeded up
    assert before[-1] < both[top] < 0.7
    assert after[-1] == np.float32(0.001)


def test_part_of_the_way_takes_less_time() -> None:
    ramp = Ramp(48_000, 10, 10, -np.inf)
    ramp.process(120, [(0, True)])  # an eighth of the way, and as much again to stop
    back = ramp.process(480, [(0, False)])
    assert np.flatnonzero(back == 0)[0] == pytest.approx(120 + 240, abs=2)


@given(
    before=st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(-130, 0)),
    after=st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(-130, 0)),
    at=st.integers(0, 3000),
    turn=st.integers(0, 3000),
    duck=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_settings_change_without_a_click(
    before: tuple[float, float, float],
    after: tuple[float, float, float],
    at: int,
    turn: int,
    duck: bool,
) -> None:
    ramp = Ramp(16_000, *before)
    first = ramp.process(at + 1, [(0, True)] if at < turn else [(0, True), (turn, False)])
    ramp.attack_ms, ramp.release_ms, ramp.range_db = after
    ramp.duck = duck
    assert (ramp.attack_ms, ramp.release_ms, ramp.range_db, ramp.duck) == (*after, duck)
    second = ramp.process(9000)
    gains = np.concatenate([first, second]).astype(np.float64)
    shortest = max(min(*before[:2], *after[:2]), RAMP_MIN_MS) * 16
    assert np.abs(np.diff(gains, 2)).max() <= 4 / shortest**2 + 2e-7
    floor = 10 ** (after[2] / 20) if after[2] > -120 else 0.0
    assert gains[-1] == np.float32(1.0 if ramp.open != duck else floor)
    assert gains.min() >= 0
    assert gains.max() <= 1


def test_duck_is_the_inverse() -> None:
    changes = [(100, True), (1000, False)]
    ramp, duck = Ramp(48_000, 5, 10, -np.inf), Ramp(48_000, 5, 10, -np.inf, duck=True)
    np.testing.assert_allclose(
        duck.process(3000, changes), 1 - ramp.process(3000, changes), atol=1e-7
    )
    assert duck.gain == 1.0
    assert not duck.open


@pytest.mark.parametrize(
    ("attack_ms", "gain_db"), [(0.0, 28), (RAMP_MIN_MS, 28), (2.0, 38), (5.0, 55), (20.0, 75)]
)
def test_a_gated_tone_does_not_click(attack_ms: float, gain_db: float) -> None:
    rate, n = 48_000, 48_000
    tone = np.sin(2 * np.pi * 200 * np.arange(n) / rate + 0.3)
    changes = [(20_060, True), (28_060, False)]  # near the tone's peaks
    hard = np.zeros(n)
    hard[20_060:28_060] = 1
    gains = Ramp(rate, attack_ms, attack_ms, -np.inf).process(n, changes)
    assert above(tone * gains, 2000, rate) < above(tone * hard, 2000, rate) - gain_db


def test_a_turn_does_not_click_either() -> None:
    rate, n = 48_000, 48_000
    tone = np.sin(2 * np.pi * 200 * np.arange(n) / rate)
    turns = [(20_000 + 120 * i, i % 2 == 0) for i in range(40)]  # 2.5 ms: never fully open
    hard = np.cumsum([0.0] * n)
    for at, is_open in turns:
        hard[at:] = is_open
    gains = Ramp(rate, 5, 5, -np.inf).process(n, turns)
    assert above(tone * gains, 2000, rate) < above(tone * hard, 2000, rate) - 40


def test_reset_is_a_fresh_start() -> None:
    changes = [(3, True), (700, False)]
    fresh = Ramp(48_000, 5, 50, -30).process(2000, changes)
    ramp = Ramp(48_000, 5, 50, -30)
    ramp.process(100, [(50, True)])
    ramp.reset()
    np.testing.assert_array_equal(ramp.process(2000, changes), fresh)
    ramp.reset(open=True)
    assert (ramp.process(100) == 1).all()


def test_what_does_not_change_is_no_change() -> None:
    ramp, other = Ramp(48_000, 5, 50, -30), Ramp(48_000, 5, 50, -30)
    got = ramp.process(1000, [(10, True), (50, True), (600, False), (601, False)])
    np.testing.assert_array_equal(got, other.process(1000, [(10, True), (600, False)]))


def test_two_changes_at_one_sample_are_the_last() -> None:
    ramp = Ramp(48_000, 5, 50, -30)
    assert (ramp.process(1000, [(10, True), (10, False)]) == np.float32(10**-1.5)).all()


def test_nothing_asked_nothing_given() -> None:
    ramp = Ramp(48_000, 5, 50, -30)
    assert ramp.process(0).shape == (0,)
    assert ramp.process(0).dtype == np.float32
    ramp.process(10, [(0, True)])
    before = ramp.gain
    ramp.process(0)
    assert ramp.gain == before


def test_misuse_of_a_ramp_is_refused() -> None:
    for values in ((0, 1, 1, -60), (48_000, -1, 1, -60), (48_000, 1, np.nan, -60)):
        with pytest.raises(ValueError, match=r"a ramp of|a rate of"):
            Ramp(*values)
    for range_db in (1.0, np.nan):
        with pytest.raises(ValueError, match="range"):
            Ramp(48_000, 1, 1, range_db)
    ramp = Ramp(48_000, 1, 1, -60)
    for changes in ([(10, True)], [(-1, True)], [(5, True), (4, False)]):
        with pytest.raises(ValueError, match="a change at"):
            ramp.process(10, changes)


def test_without_numba_the_twins_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "available", lambda: False)
    assert not kernels.warm()
    assert Ramp(48_000, 1, 1, -60).process(100, [(0, True)])[-1] == 1


def test_without_a_folder_to_cache_in(monkeypatch: pytest.MonkeyPatch) -> None:
    numba = pytest.importorskip("numba")
    asked = []

    def njit(*_: object, cache: bool, **__: object) -> object:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda loop: loop

    monkeypatch.setattr(numba, "njit", njit)
    made = kernels._compiled.__wrapped__()
    assert asked == [True, False, False, False]
    assert made.filter is not None


@given(
    delay=st.integers(0, 50), channels=st.integers(1, 3), sizes=st.lists(st.integers(0, 120))
)
@settings(max_examples=100, deadline=None)
def test_a_delay_delays(delay: int, channels: int, sizes: list[int]) -> None:
    n = sum(sizes)
    x = np.random.default_rng(n).standard_normal((n, channels)).astype(np.float32)
    line = Delay(delay, channels)
    blocks = np.split(x, np.cumsum(sizes)[:-1]) if sizes else []
    out = np.concatenate([*(line.process(b) for b in blocks), line.flush()])
    silence = np.zeros((delay, channels), np.float32)
    np.testing.assert_array_equal(out, np.concatenate([silence, x]), strict=True)
    assert (line.flush() == 0).all()  # it starts anew


def test_a_delay_copies() -> None:
    for samples in (0, 2, 5):
        line, block = Delay(samples, 1), np.ones((3, 1), np.float32)
        out = line.process(block)
        block[:] = 7
        rest = line.flush()
        assert not (out == 7).any()
        assert not (rest == 7).any()


def test_misuse_of_a_delay_is_refused() -> None:
    for samples, channels in ((-1, 1), (1, 0)):
        with pytest.raises(ValueError, match="delay"):
            Delay(samples, channels)
    for shape in ((3,), (3, 1)):
        with pytest.raises(ValueError, match="shape"):
            Delay(2, 2).process(np.zeros(shape, np.float32))
