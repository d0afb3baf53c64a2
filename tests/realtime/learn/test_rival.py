"""The level gate that a learned one is compared with."""

import numpy as np
import pytest

from realtime.learn.judging import Truth
from realtime.learn.mixtures import Mixer, Mixture
from realtime.learn.rival import LevelSettings, _peaks, _states, filters, run_level, tune_level

RATE = 16_000


def bursts(level_db, hz, other_hz, other_db):
    """Tones that should open it, over a steady one that should not."""
    t = np.arange(5 * RATE) / RATE
    gate = (np.arange(501) % 100 >= 40) & (np.arange(501) % 100 < 70)
    on = np.repeat(gate[:-1], 160)
    sound = on * np.sin(2 * np.pi * hz * t) * 10 ** (level_db / 20)
    sound = sound + np.sin(2 * np.pi * other_hz * t) * 10 ** (other_db / 20)
    return Mixture("both", sound.astype(np.float32), gate)


def test_it_finds_what_lies_between_two_levels():
    mixtures = [bursts(-20, 500, 700, -50), bursts(-26, 400, 900, -56)]
    settings = tune_level(mixtures, RATE)
    figures = Truth(np.stack([m.gate for m in mixtures])).figures(
        run_level(mixtures, RATE, settings, 0)
    )
    assert figures.missed == 0
    assert figures.target_lost_pct < 5
    assert figures.cost < 0.12


def test_it_finds_the_filter_where_level_is_no_help():
    mixtures = [bursts(-30, 4000, 150, -20), bursts(-34, 5000, 120, -24)]
    settings = tune_level(mixtures, RATE)
    assert settings.key_highpass >= 400
    states = run_level(mixtures, RATE, settings, 0)
    assert Truth(np.stack([m.gate for m in mixtures])).cost(states) < 0.12
    assert "--key-highpass" in settings.options()


@pytest.mark.parametrize("highpass", [0.0, 1000.0])
def test_the_search_sees_what_the_real_gate_does(opens, closeds, highpass):
    mixtures = list(Mixer(opens.clips, closeds.clips, RATE, (4,)).draw(10, 0.5))
    settings = LevelSettings(-40.0, -46.0, 60.0, highpass)
    audio = np.stack([m.audio for m in mixtures])
    peaks = _peaks(np.fft.rfft(audio), audio.shape[1], RATE, highpass, 0.0)
    quick = _states(peaks, -40.0, 6.0, 60.0)
    real = run_level(mixtures, RATE, settings, 0)
    assert np.mean(quick == real) > (0.97 if highpass else 0.985)


def test_look_ahead_opens_earlier():
    mixtures = [bursts(-20, 500, 700, -60)]
    settings = LevelSettings(-30.0, -36.0, 20.0)
    now, ahead = (run_level(mixtures, RATE, settings, hops)[0] for hops in (0, 2))
    np.testing.assert_array_equal(ahead[:-2], now[2:])


def test_options_can_be_typed():
    text = LevelSettings(-30.0, -36.0, 60.0, 200.0, 4000.0).options()
    assert text == (
        "--level --threshold-db -30 --close-db -36 --hold-ms 60 --key-highpass 200 "
        "--key-lowpass 4000"
    )
    from realtime.commands.gate import parser

    parser().parse_args(text.split())


def test_filters_leave_something():
    assert all(not low or low > high for high, low in filters())
    assert (0.0, 0.0) in list(filters())
