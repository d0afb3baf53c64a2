"""Finding a sound in its recordings, and showing it in other ways."""

import numpy as np

from realtime.gate.ideal import hop_levels
from realtime.wake.occurrences import CUT, Shower, find

RATE = 16_000


def rings(*at, seconds=8.0, length=0.4):
    """Tones at some seconds of a faint room."""
    rng = np.random.default_rng(1)
    out = rng.normal(0, 1e-4, round(seconds * RATE))
    t = np.arange(round(length * RATE)) / RATE
    for start in at:
        first = round(start * RATE)
        out[first : first + len(t)] += 0.3 * np.sin(2 * np.pi * 900 * t) * np.exp(-4 * t)
    return out.astype(np.float32)


def test_a_second_of_quiet_parts_two_sounds_and_less_does_not():
    found = find(rings(1.0, 3.0, 3.8), RATE)
    assert [round(one.begin / RATE, 1) for one in found] == [1.0, 3.0]
    assert 4.0 < found[1].end / RATE < 4.3


def test_nothing_is_found_in_silence_or_in_a_click():
    assert find(np.zeros(RATE, np.float32), RATE) == []
    assert find(np.zeros(0, np.float32), RATE) == []


def test_windows_hold_the_sound_at_many_places_and_levels():
    (one,) = find(rings(3.0), RATE)
    shower = Shower(RATE, RATE, [], seed=1)
    windows = list(shower.draw(one, 60))
    assert all(w.shape == (RATE,) and w.dtype == np.float32 for w in windows)
    assert all(np.isfinite(w).all() and np.abs(w).max() <= 1.0 for w in windows)
    spectra = np.abs(np.fft.rfft(np.stack(windows), axis=1))
    ring = spectra[:, 820:980].max(axis=1) / np.median(spectra, axis=1)
    assert np.quantile(ring, 0.05) > 5.0, "the tone is in them"
    levels = [hop_levels(w, RATE).max() for w in windows]
    assert max(levels) - min(levels) > 20.0
    places = [int(hop_levels(w, RATE).argmax()) for w in windows]
    assert max(places) - min(places) > 40
    assert CUT < 0.5


def test_windows_of_a_long_sound_are_parts_of_it():
    (one,) = find(rings(1.0, length=5.0), RATE)
    windows = list(Shower(RATE, RATE, [rings(seconds=2.0)], seed=2).draw(one, 20))
    assert all(w.any() for w in windows)
    assert [w.tobytes() for w in Shower(RATE, RATE, [rings(seconds=2.0)], 2).draw(one, 20)] == [
        w.tobytes() for w in windows
    ]
