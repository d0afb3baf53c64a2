"""A model that names tones: its card, its weights, and tones for it."""

from typing import Any

import msgspec
import numpy as np

from realtime.card import Card, Decision, InputSpec
from realtime.feature_tables import mel_table
from realtime.features import FeatureSpec

RATE = 16_000
BAND_LABELS = ("low", "middle", "high")
BAND_HZ = (400.0, 1500.0, 5000.0)  # a tone in each label's band

BAND_SPEC = FeatureSpec(
    kind="mel", rate=RATE, frame=400, hop=160, fft=512, mels=32, log_floor=1e-6
)


def band_card(**changes: Any) -> Card:
    """The card of `band_model`: half-second windows, five decisions a second."""
    card = Card(
        format=1,
        name="bands",
        task="tag",
        input=InputSpec(kind="features", features=BAND_SPEC, layout="bctf"),
        rate=RATE,
        window_s=0.5,
        hop_s=0.1,
        labels=BAND_LABELS,
        thresholds={"default": 0.5},
        scores="logit",
        decision=Decision(hysteresis=0.2),
        licence="CC0-1.0",
    )
    return msgspec.structs.replace(card, **changes)


def band_weights(card: Card) -> tuple[np.ndarray, np.ndarray]:
    """Weights [frames * width, labels] and bias: mean log energy of two bands at a tone, + 2.

    A tone of amplitude 0.3 has about 6 there, the faint noise of `tones` -11, silence -13.8.
    So a score passes 0.5 when somewhat more than half of the window holds the tone.
    """
    frames, width = card.window_frames, BAND_SPEC.width
    centres = mel_table(BAND_SPEC).argmax(axis=0) * RATE / BAND_SPEC.fft
    weights = np.zeros((frames, width, len(card.labels)), np.float32)
    for label, hz in enumerate(BAND_HZ):
        nearest = np.argsort(np.abs(centres - hz))[:2]
        weights[:, nearest, label] = 1.0 / (frames * 2)
    return weights.reshape(frames * width, -1), np.full(len(card.labels), 2.0, np.float32)


def tones(*parts: tuple[str, float], rate: int = RATE, level: float = 0.3) -> np.ndarray:
    """Sound from (label or "", seconds) parts: tones in labels' bands over faint noise."""
    out = []
    for label, seconds in parts:
        t = np.arange(round(seconds * rate)) / rate
        hz = BAND_HZ[BAND_LABELS.index(label)] if label else 0.0
        out.append(level * np.sin(2 * np.pi * hz * t) if label else np.zeros(len(t)))
    sound = np.concatenate(out)
    noise = np.random.default_rng(1).normal(0, 1e-4, len(sound))
    return (sound + noise).astype(np.float32)
