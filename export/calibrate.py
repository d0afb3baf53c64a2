"""Real sound for an export: to calibrate activations with, and to judge the result by.

Every window comes out of `realtime.frontend`, the code that feeds the model later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from export.sounds import DEMO, Sound, read_all, read_mono
from realtime.card import Card
from realtime.frontend import finish_window, one_shot

Array = NDArray[np.float32]

NO_LABEL = -1
NOISE_SHARE = 0.2  # of the calibration windows
NOISE_DBFS = (-70.0, -45.0, -20.0, 0.0)  # white noise: the emptiest window and the fullest


class Clips(msgspec.Struct, frozen=True):
    """Windows as the model meets them.

    Args:
        windows: float32 [n, frames, width], or [n, samples] for a waveform model.
        truth: index of each window's label, int64 [n]; `NO_LABEL` where there is none.
        what: where they come from, for reports.
    """

    windows: Array
    truth: NDArray[np.int64]
    what: str

    def __len__(self) -> int:
        return len(self.windows)

    def halves(self) -> tuple[Clips, Clips]:
        """Every other window: two sets with the same mixture."""
        first, second = (Clips(self.windows[i::2], self.truth[i::2], self.what) for i in (0, 1))
        return first, second


def take_clips(
    card: Card, sounds: Sequence[Sound], part: str, count: int, name: str, seed: int = 0
) -> Clips:
    """Windows of a part, drawn at random.

    Labelled clips sit in the middle of their window, as in training's validation. For
    calibration (part train) a fifth is noise, and digital silence and white noise are added:
    nothing that a microphone gives lies outside those.

    Args:
        card: what the model is fed.
        sounds: where to take them from.
        part: "train" or "val".
        count: windows, at most.
        name: of the data, for reports.
        seed: of the drawing.

    Raises:
        AudioError: not one file could be read.
    """
    rng = np.random.default_rng(seed)
    calibrating = part == "train"
    noises = [s for s in sounds if s.part == part and s.role in ("noise", "talk")]
    clips = [s for s in sounds if s.part == part and s.role == "clip"]
    noisy = min(len(noises), round(count * NOISE_SHARE)) if calibrating else 0
    chosen = _draw(clips, count - noisy, rng) + _draw(noises, noisy, rng)
    windows, truth = [], []
    for sound, audio in read_all(chosen, card.rate, name):
        windows.append(window_of(card, audio))
        truth.append(_index(card, sound) if sound.role == "clip" else NO_LABEL)
    if calibrating or not windows:
        for window in _demo_windows(card, part):
            windows.append(window)
            truth.append(NO_LABEL)
    if calibrating:
        for window in _extremes(card, rng):
            windows.append(window)
            truth.append(NO_LABEL)
    what = f"{len(windows)} windows of {name}, part {part}"
    return Clips(np.stack(windows), np.array(truth, np.int64), what)


def window_of(card: Card, audio: Array) -> Array:
    """One window of a model: the sound's middle, with silence around it if it is short.

    Args:
        card: what the model is fed.
        audio: float32 [samples] at the card's rate.

    Returns:
        float32 [frames, width], or [samples] for a waveform model.
    """
    spec = card.input.features
    size = round(card.window_s * card.rate)
    placed = np.zeros(size, np.float32)
    at = (size - len(audio)) // 2
    first, last = max(at, 0), min(at + len(audio), size)
    placed[first:last] = audio[first - at : last - at]
    if spec is None:
        return placed
    return finish_window(spec, one_shot(spec, placed)[: card.window_frames])


def _draw(sounds: Sequence[Sound], count: int, rng: np.random.Generator) -> list[Sound]:
    return [sounds[i] for i in sorted(rng.permutation(len(sounds))[:count])]


def _index(card: Card, sound: Sound) -> int:
    """The label's index; other words are `unknown` to a model that has it."""
    for label in (sound.label, "unknown"):
        if label in card.labels:
            return card.labels.index(label)
    return NO_LABEL


def _demo_windows(card: Card, part: str) -> Iterator[Array]:
    """Windows of the bundled recording: two thirds to calibrate, the rest to judge."""
    audio = read_mono(DEMO, card.rate)
    size, border = round(card.window_s * card.rate), len(audio) * 2 // 3
    audio = audio[:border] if part == "train" else audio[border:]
    step = max(1, round(max(card.hop_s, 0.25) * card.rate))
    for at in range(0, max(1, len(audio) - size + 1), step):
        yield window_of(card, audio[at : at + size])


def _extremes(card: Card, rng: np.random.Generator) -> Iterator[Array]:
    size = round(card.window_s * card.rate)
    yield window_of(card, np.zeros(size, np.float32))
    for level in NOISE_DBFS:
        noise = rng.standard_normal(size) * 10 ** (level / 20)
        yield window_of(card, noise.clip(-1, 1).astype(np.float32))
