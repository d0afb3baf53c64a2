"""Sounds to learn from: short tones as what is wanted, noise and claps as the rest."""

import numpy as np
import pytest

from realtime.learn.examples import Side, judge
from realtime.learn.gate_file import read_gate
from realtime.learn.lesson import Sizes

RATE = 16_000


def beeps(seconds: float, hz: float, seed: int, level: float = 0.2) -> np.ndarray:
    """Tones of 0.15 s with pauses, over faint noise."""
    rng = np.random.default_rng(seed)
    out = rng.normal(0, 1e-4, round(seconds * RATE))
    t = np.arange(round(0.15 * RATE)) / RATE
    at = 1600
    while at + len(t) < len(out):
        tone = np.sin(2 * np.pi * hz * rng.uniform(0.95, 1.05) * t) * np.exp(-8 * t)
        out[at : at + len(t)] += level * rng.uniform(0.5, 1.0) * tone
        at += len(t) + round(rng.uniform(0.1, 0.4) * RATE)
    return out.astype(np.float32)


def claps(seconds: float, seed: int, level: float = 0.2) -> np.ndarray:
    """Bursts of white noise with pauses, as loud as the tones."""
    rng = np.random.default_rng(seed)
    out = rng.normal(0, 1e-4, round(seconds * RATE))
    t = np.arange(round(0.08 * RATE)) / RATE
    at = 800
    while at + len(t) < len(out):
        burst = rng.normal(0, 0.5, len(t)) * np.exp(-30 * t)
        out[at : at + len(t)] += level * rng.uniform(0.5, 1.0) * burst
        at += len(t) + round(rng.uniform(0.05, 0.4) * RATE)
    return out.astype(np.float32)


def side(name: str, sounds: list[np.ndarray]) -> Side:
    """Sounds as a side that was read."""
    return Side(name, [judge(f"{name}{i}.wav", s, RATE) for i, s in enumerate(sounds)])


class Sounds:
    """What tests learn from; the fixture `sounds`."""

    beeps = staticmethod(beeps)
    claps = staticmethod(claps)
    side = staticmethod(side)
    rate = RATE
    few = Sizes(taught=24, chose=8, judged=10, tuned=8)


@pytest.fixture(scope="session")
def sounds() -> type[Sounds]:
    return Sounds


@pytest.fixture(scope="session")
def opens(sounds) -> Side:
    return sounds.side(
        "open", [sounds.beeps(6, hz, i) for i, hz in enumerate((400, 440, 480, 520))]
    )


@pytest.fixture(scope="session")
def closeds(sounds) -> Side:
    return sounds.side("closed", [sounds.claps(6, i) for i in range(10, 14)])


@pytest.fixture
def gate(learnable_model):
    return read_gate(learnable_model)
