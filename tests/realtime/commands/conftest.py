"""A small gate, what it is given, and rt-gate with it."""

import numpy as np
import pytest

from realtime.commands.gate import main

RATE = 48_000


class Bursts:
    """Sound for a gate; the fixture `bursts`."""

    rate = RATE

    def __call__(self, seconds=2.0, rate=RATE, channels=2):
        """Half a second of faint noise, half a second of loud noise, and so on."""
        rng = np.random.default_rng(0)
        loud = (np.arange(round(seconds * rate)) * 2 // rate) % 2
        gain = np.where(loud, 0.1, 1e-4)[:, None] * np.linspace(1, 0.8, channels)
        return (rng.normal(0, 1, (len(loud), channels)) * gain).astype(np.float32)

    def pcm(self, seconds):
        """Of one channel at 16 kHz, as a pipe takes them: s16."""
        return (self(seconds, 16_000, 1) * 32768).astype("<i2").tobytes()


@pytest.fixture(scope="session")
def bursts():
    return Bursts()


@pytest.fixture
def talk(write_wav, bursts):
    """A stereo FLAC of 24 bits at 48 kHz."""
    return write_wav("talk.flac", bursts(), RATE, subtype="PCM_24")


@pytest.fixture
def gate(gate_model):
    """Run rt-gate with the small model."""
    return lambda *args: main([*map(str, args), "--model", str(gate_model)])


@pytest.fixture
def left(tmp_path):
    """What is in the test's folder, hidden files too, but matplotlib's home."""
    return lambda: sorted(p.name for p in tmp_path.iterdir() if p.name != "config")
