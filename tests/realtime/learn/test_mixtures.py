"""Mixtures: their kinds, levels and labels, and that chance is the seed's alone."""

import numpy as np
import pytest

from realtime.gate.ideal import hop_levels
from realtime.learn.mixtures import BOTH, CLOSED, OPEN, SILENCE, Mixer
from realtime.learn.sounds import cut_out, loudness, noise, tilt

RATE = 16_000


@pytest.fixture
def mixer(opens, closeds):
    return Mixer(opens.clips, closeds.clips, RATE, (1, 2))


def test_kinds_in_fixed_shares(mixer):
    kinds = [m.kind for m in mixer.draw(50, 0.4)]
    assert {k: kinds.count(k) for k in (SILENCE, CLOSED, OPEN, BOTH)} == {
        SILENCE: 2, CLOSED: 9, OPEN: 7, BOTH: 32,
    }  # fmt: skip


def test_the_same_again_and_another_with_another_seed(opens, closeds, mixer):
    first, again = list(mixer.draw(20, 0.5)), list(mixer.draw(20, 0.5))
    other = list(Mixer(opens.clips, closeds.clips, RATE, (1, 3)).draw(20, 0.5))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.audio, b.audio)
    assert not any(np.array_equal(a.audio, b.audio) for a, b in zip(first, other, strict=True))


def test_labels_are_of_the_open_side_alone(mixer):
    for m in mixer.draw(50, 0.0):
        assert len(m.gate) == len(m.audio) // 160 + 1
        assert m.gate.any() == (m.kind in (OPEN, BOTH))
        assert np.isfinite(m.audio).all()
        assert np.abs(m.audio).max() <= 1.0
    for m in mixer.draw(50, 0.0):
        if m.kind == OPEN and not m.gate.all():
            levels, gate = hop_levels(m.audio, RATE), m.gate[:-1]
            assert np.median(levels[gate]) > np.median(levels[~gate]) + 10


def test_levels_over_thirty_decibels_or_as_recorded(mixer):
    anyhow = [loudness(m.audio, RATE) for m in mixer.draw(60, 0.0) if m.kind == OPEN]
    recorded = [loudness(m.audio, RATE) for m in mixer.draw(60, 1.0) if m.kind == OPEN]
    assert max(anyhow) - min(anyhow) > 15
    assert max(recorded) - min(recorded) < 12
    assert all(-45 < level < -9 for level in anyhow)


def test_one_side_alone(opens, closeds):
    only = {m.kind for m in Mixer([], closeds.clips, RATE, (0,)).draw(20, 0.4)}
    assert only == {SILENCE, CLOSED}
    only = {m.kind for m in Mixer(opens.clips, [], RATE, (0,)).draw(20, 0.4)}
    assert only == {SILENCE, OPEN}


def test_every_recording_has_its_turn(opens, closeds, monkeypatch):
    mixer = Mixer(opens.clips, closeds.clips, RATE, (0,))
    turns = [mixer._open._turn(i) for i in range(8)]
    assert sorted(turns[:4]) == sorted(turns[4:]) == [0, 1, 2, 3]
    assert sorted(mixer._open._turn(-1 - i) for i in range(3, 7)) == [0, 1, 2, 3]


def test_sounds_are_cut_at_their_pauses(sounds):
    found = cut_out(sounds.beeps(10, 440, 3), RATE)
    assert 12 <= len(found) <= 30
    assert all(0.1 < len(s) / RATE < 1.5 for s in found)
    assert cut_out(np.zeros(0, np.float32), RATE) == []


def test_a_tilt_keeps_the_length_and_the_time(sounds):
    sound = sounds.claps(3, 0)
    found = tilt(sound, np.random.default_rng(0), 4.0)
    assert found.shape == sound.shape
    assert found.dtype == np.float32
    assert abs(loudness(found, RATE) - loudness(sound, RATE)) < 15


def test_noise_has_a_level():
    assert np.sqrt(np.square(noise(16000, np.random.default_rng(0))).mean()) == pytest.approx(1)
