"""The stream resampler: the same output whatever the blocks, and equal to soxr in one go."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.errors import MissingExtra
from realtime.resample import StreamResampler

RATES = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]


def noise(n: int, channels: int = 1) -> np.ndarray:
    x = np.random.default_rng(n).standard_normal((n, channels)).astype(np.float32)
    return x[:, 0] if channels == 1 else x


def stream(r: StreamResampler, x: np.ndarray, cuts: list[int]) -> np.ndarray:
    blocks = np.split(x, sorted(min(c, len(x)) for c in cuts))
    return np.concatenate([*(r.process(b) for b in blocks), r.flush()])


@given(
    rate=st.sampled_from(RATES),
    to=st.sampled_from([8_000, 16_000, 32_000]),
    channels=st.integers(1, 3),
    n=st.integers(0, 6000),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_any_partition_gives_the_same_bits(
    rate: int, to: int, channels: int, n: int, data: st.DataObject
) -> None:
    x = noise(n, channels)
    cuts = data.draw(st.lists(st.integers(0, n), max_size=10))
    got = stream(StreamResampler(rate, to, channels), x, cuts)
    np.testing.assert_array_equal(got, soxr.resample(x, rate, to), strict=True)


@pytest.mark.parametrize("size", [1, 2, 99, 100, 441, 1024])
def test_blocks_of_one_size(size: int) -> None:
    x = noise(5001)
    got = stream(StreamResampler(44_100, 16_000), x, list(range(0, len(x), size)))
    np.testing.assert_array_equal(got, soxr.resample(x, 44_100, 16_000))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 99, 100, 101])
@pytest.mark.parametrize("rate", RATES)
def test_no_sample_is_gained_or_lost(rate: int, n: int) -> None:
    got = stream(StreamResampler(rate, 16_000), noise(n), [])
    assert abs(len(got) - n * 16_000 / rate) <= 0.5


def test_equal_rates_pass_the_block_itself() -> None:
    r, x = StreamResampler(16_000, 16_000), noise(100)
    assert r.process(x) is x
    assert r.delay == 0.0
    assert r.flush().shape == (0,)


def test_delay_is_what_is_still_to_come() -> None:
    r, x = StreamResampler(48_000, 16_000), noise(9600)
    got = r.process(x)
    assert r.delay == pytest.approx(3200 - len(got), abs=1)
    assert 0 < r.delay < 0.06 * 16_000
    assert len(got) + len(r.flush()) == 3200
    assert r.delay == 0.0


def test_reset_and_flush_start_anew() -> None:
    r, x = StreamResampler(44_100, 16_000, 2), noise(3000, 2)
    want = soxr.resample(x, 44_100, 16_000)
    r.process(noise(500, 2) * 7)
    r.reset()
    np.testing.assert_array_equal(stream(r, x, [17]), want)
    np.testing.assert_array_equal(stream(r, x, [2000]), want)


def test_a_tone_keeps_its_place_and_an_alias_is_gone() -> None:
    t = np.arange(48_000) / 48_000
    got = stream(StreamResampler(48_000, 16_000), np.sin(2 * np.pi * 1000 * t).astype("f"), [])
    want = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    np.testing.assert_allclose(got[1000:-1000], want[1000:-1000], atol=1e-4)
    high = stream(StreamResampler(48_000, 16_000), np.sin(2 * np.pi * 9000 * t).astype("f"), [])
    assert np.abs(high[1000:-1000]).max() < 1e-4


def test_blocks_that_are_not_contiguous() -> None:
    x = noise(2000, 2)
    got = stream(StreamResampler(48_000, 16_000), x[:, 1], [700])
    np.testing.assert_array_equal(got, soxr.resample(x[:, 1].copy(), 48_000, 16_000))


def test_misuse_is_refused() -> None:
    for rates in ((0, 16_000), (16_000, -1)):
        with pytest.raises(ValueError, match="rates"):
            StreamResampler(*rates)
    with pytest.raises(ValueError, match="channels"):
        StreamResampler(8_000, 16_000, 0)
    for channels, block in ((1, noise(10, 2)), (2, noise(10)), (2, noise(10, 3))):
        for rate in (8_000, 16_000):
            with pytest.raises(ValueError, match="shape"):
                StreamResampler(rate, 16_000, channels).process(block)


def test_a_missing_soxr_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object) -> object:
        if name == "soxr":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    StreamResampler(16_000, 16_000)
    with pytest.raises(MissingExtra, match="soxr"):
        StreamResampler(8_000, 16_000)
