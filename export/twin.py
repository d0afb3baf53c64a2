"""Streaming twins to ONNX and TFLite: some frames a step, states as inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from export.calibrate import NO_LABEL, Clips
from export.sounds import Sound
from export.to_onnx import INPUT, OUTPUT, onnx_of, with_names
from export.to_tflite import tflite_of
from export.verify_gate import running_frames
from models.streaming import Twin
from realtime.card import Card


def twin_to_onnx(twin: Twin, card: Card) -> tuple[bytes, Card]:
    """Export a twin, float32.

    Args:
        twin: the twin.
        card: its card, by `models.streaming.twin_of`.

    Returns:
        The file's bytes, without a card, and the card with the tensors' names.

    Raises:
        ModelError: the exporter refuses the network.
    """
    model = onnx_of(twin, *_ends(twin, card), card.name)
    return model.SerializeToString(), with_names(card)


def twin_to_tflite(twin: Twin, card: Card) -> tuple[bytes, Card]:
    """Export a twin to TFLite, float32; as `twin_to_onnx`.

    Raises:
        ModelError: the converter refuses the network.
    """
    return tflite_of(twin, *_ends(twin, card), card.name), with_names(card)


def running_steps(card: Card, sounds: Sequence[Sound], count: int, name: str) -> Clips:
    """Steps of recordings one after the other, the bundled one first, to compare twins on.

    Args:
        card: of the twin.
        sounds: those of part val are heard.
        count: of them, at most.
        name: of the data, for reports.

    Returns:
        Windows, float32 [steps, frames of a step, mels], without labels.

    Raises:
        AudioError: not one of the sounds could be read.
    """
    frames = running_frames(card, sounds, count, name)
    size = card.window_frames
    steps = frames[: len(frames) // size * size].reshape(-1, size, frames.shape[1])
    truth = np.full(len(steps), NO_LABEL, np.int64)
    return Clips(steps, truth, f"{len(steps)} steps of {name}, part val")


def _ends(twin: Twin, card: Card) -> tuple[dict[str, Tensor], list[str]]:
    """What a step takes, zeros by name, and the names of what it gives."""
    spec = card.input.features
    if spec is None:
        raise ValueError("a twin hears features")
    inputs = {INPUT: torch.zeros(1, 1, twin.frames, spec.width)}
    inputs |= {name: torch.zeros(shape) for name, shape in twin.state_shapes().items()}
    return inputs, [OUTPUT, *(s.output for s in card.states)]
