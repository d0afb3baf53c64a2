"""Sound as bands: a tone is where its frequency is, and pieces of any length give the same."""

import numpy as np

from realtime.outputs.bands import Bands

RATE = 16_000


def test_a_tone_is_in_its_band():
    t = np.arange(RATE) / RATE
    for hz in (200.0, 1000.0, 6000.0):
        bands = Bands(RATE, 0.02, 96)
        found = bands.frames(np.sin(2 * np.pi * hz * t).astype(np.float32), 1.0)
        assert 45 <= len(found) <= 50
        for _, power in found:
            # a bin is wider than a low band
            assert abs(int(power.argmax()) - bands.band_of(hz)) <= 2.0
    assert 0 < bands.band_of(200.0) < bands.band_of(1000.0) < 96


def test_however_it_is_cut():
    sound = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    whole = Bands(RATE, 0.01, 128).frames(sound, 1.0)
    bands, found, at = Bands(RATE, 0.01, 128), [], 0
    for size in (1, 700, 1600, 13, 4000, RATE):
        piece = sound[at : at + size]
        at += len(piece)
        found += bands.frames(piece, at / RATE)
    assert [round(t, 6) for t, _ in found] == [round(t, 6) for t, _ in whole]
    np.testing.assert_array_equal([p for _, p in found], [p for _, p in whole])
