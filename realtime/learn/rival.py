"""The level gate on the same examples: tuned by grid search, so that the comparison is fair.

Used by `realtime.learn.lesson`. A person who tunes a level gate has more than its threshold: it
may hear the sound through filters, which for drums is half of the art. So the search is over
threshold, hysteresis, hold and both filters of the key, as `rt-gate --level` has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.gate.ideal import HOPS_PER_S
from realtime.gate.key import KeyFilter
from realtime.gate.level import LevelGate
from realtime.learn.judging import States, Truth
from realtime.learn.mixtures import Mixture

Levels = NDArray[np.float32]  # dBFS [mixtures, hops]

THRESHOLDS_DB: Final = tuple(range(-72, -1, 2))
UNDERS_DB: Final = (0.0, 6.0, 12.0)
HOLDS_MS: Final = (20.0, 60.0, 150.0)
HIGHPASS_HZ: Final = (0.0, 100.0, 200.0, 400.0, 1000.0, 2500.0)
LOWPASS_HZ: Final = (0.0, 500.0, 1500.0, 4000.0)
FINALISTS: Final = 3  # filters for which everything else is searched
SLOPE_DB: Final = 12
FLOOR: Final = 1e-7


class LevelSettings(msgspec.Struct, frozen=True):
    """What is searched; the fields are those of `rt-gate --level`."""

    threshold_db: float
    close_db: float
    hold_ms: float
    key_highpass: float = 0.0
    key_lowpass: float = 0.0

    def options(self) -> str:
        """The options to type."""
        parts = [
            f"--level --threshold-db {self.threshold_db:g}",
            f"--close-db {self.close_db:g} --hold-ms {self.hold_ms:g}",
        ]
        if self.key_highpass:
            parts.append(f"--key-highpass {self.key_highpass:g}")
        if self.key_lowpass:
            parts.append(f"--key-lowpass {self.key_lowpass:g}")
        return " ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data


def tune_level(
    mixtures: Sequence[Mixture], rate: int, done: Callable[[], None] | None = None
) -> LevelSettings:
    """The settings with the least cost over these mixtures.

    Filters are tried first with one hold and hysteresis; then all that is left with the best of
    them. It is searched on the loudest sample of each hop, which is all that decides; filters
    are applied to the spectrum for that.
    """
    truth = Truth(np.stack([m.gate for m in mixtures]))
    audio = np.stack([m.audio for m in mixtures])
    spectrum = np.fft.rfft(audio)
    tried = []
    for highpass, lowpass in filters():
        peaks = _peaks(spectrum, audio.shape[1], rate, highpass, lowpass)
        cost = min(
            truth.cost(_states(peaks, t, UNDERS_DB[1], HOLDS_MS[1])) for t in THRESHOLDS_DB
        )
        tried.append((cost, highpass, lowpass, peaks))
        if done is not None:
            done()
    tried.sort(key=lambda row: row[0])
    best, found = np.inf, LevelSettings(0.0, 0.0, 0.0)
    for _, highpass, lowpass, peaks in tried[:FINALISTS]:
        for threshold, under, hold in product(THRESHOLDS_DB, UNDERS_DB, HOLDS_MS):
            cost = truth.cost(_states(peaks, threshold, under, hold))
            if cost < best:
                best = cost
                found = LevelSettings(threshold, threshold - under, hold, highpass, lowpass)
    return found


def filters() -> Iterator[tuple[float, float]]:
    """High-pass and low-pass of the key that are tried, Hz; 0 is none."""
    for highpass, lowpass in product(HIGHPASS_HZ, LOWPASS_HZ):
        if not lowpass or lowpass > highpass:
            yield highpass, lowpass


def run_level(
    mixtures: Sequence[Mixture], rate: int, settings: LevelSettings, ahead: int
) -> States:
    """The real level gate's states, bool [mixtures, hops + 1].

    Args:
        mixtures: what it hears.
        rate: Hz.
        settings: of the gate.
        ahead: look-ahead in hops.
    """
    late = ahead * rate // HOPS_PER_S
    found = []
    for mixture in mixtures:
        key = np.pad(mixture.audio, (0, late))[:, None]
        if settings.key_highpass or settings.key_lowpass:
            key = KeyFilter(
                rate, 1, settings.key_highpass, settings.key_lowpass, SLOPE_DB
            ).process(key)
        gate = LevelGate(
            rate, 1, settings.threshold_db, settings.close_db, 1.0, settings.hold_ms, 1.0, -60.0
        )
        changes = gate.process(key)[1]
        at = np.array([c[0] for c in changes], np.int64)
        states = np.array([False, *(c[1] for c in changes)])
        instants = np.arange(len(mixture.gate)) * rate // HOPS_PER_S + late
        found.append(states[np.searchsorted(at, instants, side="left")])
    return np.stack(found)


def _peaks(
    spectrum: NDArray[np.complex128], samples: int, rate: int, highpass: float, lowpass: float
) -> Levels:
    """Largest sample of each hop behind Butterworth filters of second order.

    Args:
        spectrum: complex [mixtures, bins].
        samples: of each mixture.
        rate: Hz.
        highpass: Hz, 0 for none.
        lowpass: Hz, 0 for none.
    """
    hz = np.fft.rfftfreq(samples, 1.0 / rate)
    gain = np.ones(len(hz))
    if highpass:
        gain /= np.sqrt(1.0 + (highpass / np.maximum(hz, 1e-3)) ** 4)
    if lowpass:
        gain /= np.sqrt(1.0 + (hz / lowpass) ** 4)
    hop = rate // HOPS_PER_S
    sound = np.abs(np.fft.irfft(spectrum * gain, samples))[:, : samples // hop * hop]
    peaks = sound.reshape(len(sound), -1, hop).max(axis=2)
    levels: Levels = (20.0 * np.log10(np.maximum(peaks, FLOOR))).astype(np.float32)
    return levels


def _states(peaks: Levels, threshold_db: float, under_db: float, hold_ms: float) -> States:
    """The states of a level gate by the loudest sample of each hop."""
    count, hops = peaks.shape
    place = np.arange(hops)
    hold = max(1, round(hold_ms * HOPS_PER_S / 1000.0))
    kept = np.where(peaks >= threshold_db - under_db, place, -hops - hold)
    closed = np.where(place - np.maximum.accumulate(kept, 1) >= hold, place, -1)
    over = np.where(peaks >= threshold_db, place, -1)
    states: States = np.zeros((count, hops + 1), bool)
    states[:, 1:] = np.maximum.accumulate(over, 1) > np.maximum.accumulate(closed, 1)
    return states
