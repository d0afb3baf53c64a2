"""Another sound decides: other channels of the input, or a device with a clock of its own."""

import numpy as np
import pytest
from msgspec.structs import replace

from realtime.duplex import layout as at
from realtime.duplex.key import Key, key_channels
from realtime.errors import UsageError
from realtime.gate.level import LevelGate
from realtime.gate.settings import GateSettings

LEVEL = GateSettings(
    level=True, threshold_db=-20, close_db=-26, attack_ms=1, hold_ms=15, release_ms=20
)


def bursts(n, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.uniform(0, 1, 1 + n // 600) ** 4, 600)[:n]
    return (rng.standard_normal((n, channels)) * steps[:, None] * 0.4).astype(np.float32)


def gains_of(own, key):
    gate = LevelGate(
        *(48_000, key.shape[1], own.threshold_db, own.close_db, own.attack_ms, own.hold_ms),
        *(own.release_ms, own.range_db, own.duck, own.link),
        compiled=False,
    )
    return gate.process(key)[0]


def later(sound, samples=128):
    return np.concatenate([np.zeros((samples, sound.shape[1]), np.float32), sound])[
        : len(sound)
    ]


# --- other channels -------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2])
def test_other_channels_decide(rig, form, count):
    sound = np.concatenate([np.full((6000, 1), 0.5, np.float32), bursts(6000, 3)], axis=1)
    key = np.ascontiguousarray(sound[:, 4 - count :])
    made = rig(
        *(form, LEVEL), channels=1, outputs=1, width=4, key=Key(at.BESIDE, 4 - count, count)
    )
    out = made.play(sound)
    expected = sound[:, :1] * gains_of(LEVEL, key)[:, None]
    np.testing.assert_array_equal(out, later(expected))
    assert len(made.notes()) > 2
    listened = rig(
        *(form, replace(LEVEL, listen=True)),
        **{"channels": 1, "outputs": 1, "width": 4, "key": Key(at.BESIDE, 4 - count, count)},
    ).play(sound)
    np.testing.assert_allclose(listened, later(key.mean(axis=1)[:, None]), atol=1e-7)


def test_what_is_no_sound_in_other_channels_is_silence(rig, form):
    sound = np.full((1000, 2), 0.5, np.float32)
    sound[:, 1] = np.nan
    made = rig(form, LEVEL, width=2, key=Key(at.BESIDE, 1, 1))
    out = made.play(sound)
    assert np.abs(out).max() <= 0.5 * 10 ** (-60 / 20) + 1e-6
    assert not made.memory.heard.any()


# --- a device of its own --------------------------------------------------------------------


class TwoClocks:
    """A gate in its own time, and a key whose callbacks come when its clock says so."""

    def __init__(self, rig, form, own=LEVEL, rate=48_000, block=128, channels=1):
        self.made = rig(form, own, key=Key(at.APART, 0, channels), key_rate=rate)
        self.rate, self.block, self.channels = rate, block, channels
        self.given, self.played = 0, 0

    def run(self, sound, key, gives=lambda t: True):
        """Run a sound through; `key` says what the key is at instants, seconds."""
        out = []
        for begin in range(0, len(sound) - 127, 128):
            now = (self.played + 128) / 48_000
            while (self.given + self.block) / self.rate <= now:
                instants = (self.given + np.arange(self.block)) / self.rate
                then = (self.given + self.block) / self.rate
                if gives(then):
                    x = np.repeat(key(instants)[:, None], self.channels, axis=1)
                    self.made.path.push(np.ascontiguousarray(x, np.float32).reshape(-1), then)
                self.given += self.block
            self.made.path.at(now)
            y = np.zeros(128, np.float32)
            self.made.path.play(np.ascontiguousarray(sound[begin : begin + 128, 0]), y)
            self.played += 128
            out.append(y)
        return np.concatenate(out)


def beats(t):
    """A tone for 50 ms in each 200."""
    return np.where(t % 0.2 < 0.05, 0.5, 0.0) * np.sin(2 * np.pi * 2000 * t)


@pytest.mark.parametrize(("rate", "block"), [(48_000, 128), (44_100, 441)])
def test_a_device_of_its_own_decides(rig, fast_form, rate, block):
    clocks = TwoClocks(rig, fast_form, rate=rate, block=block, channels=2)
    out = clocks.run(np.full((96_000, 1), 0.25, np.float32), beats)
    ints, floats = clocks.made.ints, clocks.made.floats
    late = floats[at.OTHER + at.DELAY] / rate + block / rate
    opened = np.flatnonzero(np.diff((out > 0.2).astype(int)) == 1)[2:] / 48_000
    assert len(opened) >= 6
    np.testing.assert_allclose((opened - 128 / 48_000) % 0.2, late, atol=0.004)
    assert late < 0.03
    assert not ints[at.OTHER + at.SLIPS]
    assert floats[at.SHARE] == 1.0


def test_when_the_key_is_lost_the_input_decides_until_it_is_back(rig, fast_form):
    clocks = TwoClocks(rig, fast_form)
    sound = np.full((24_000, 1), 0.5, np.float32)
    out = clocks.run(sound, lambda t: 0 * t)
    assert np.abs(out[12_000:]).max() < 0.001  # the key is silent, the input loud
    clocks.made.ints[at.KEYED] = 0
    out = clocks.run(sound, beats, gives=lambda t: False)
    assert out[6000:].min() > 0.499
    clocks.made.ints[at.KEYED] = 1
    out = clocks.run(sound, lambda t: 0 * t)
    assert np.abs(out[14_000:]).max() < 0.001
    assert np.abs(np.diff(out)).max() < 0.02


def test_a_key_that_stalls_is_silence(rig, fast_form):
    clocks = TwoClocks(rig, fast_form)
    sound = np.full((24_000, 1), 0.5, np.float32)
    clocks.run(sound, lambda t: 0.5 * np.sin(2 * np.pi * 2000 * t))
    out = clocks.run(sound, beats, gives=lambda t: False)
    assert np.abs(out[12_000:]).max() < 0.001


def test_the_forms_agree(rig):
    sound = bursts(9000)
    outs = [TwoClocks(rig, form).run(sound, beats) for form in ("plain", "numpy")]
    np.testing.assert_allclose(*outs, atol=1e-6)
    assert np.abs(outs[0]).max() > 0.1


@pytest.mark.slow
def test_the_compiled_form_agrees(rig):
    pytest.importorskip("numba")
    sound = bursts(48_000)
    outs = [
        TwoClocks(rig, form, rate=44_100, channels=2).run(sound, beats)
        for form in ("numpy", "numba")
    ]
    np.testing.assert_allclose(*outs, atol=1e-5)


# --- their names ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "count"), [("1", 0, 1), ("3", 2, 1), ("3-4", 2, 2), (" 1 - 2", 0, 2)]
)
def test_channels(text, first, count):
    found = key_channels(text)
    assert (found.first, found.count) == (first, count)
    assert str(found) == text.replace(" ", "")


@pytest.mark.parametrize("text", ["0", "2-1", "x", "1,2", "1-65", "-1"])
def test_no_channels(text):
    with pytest.raises(UsageError, match="names no channels"):
        key_channels(text)


def test_nothing_said_is_nothing():
    assert key_channels("") is None
