"""Streaming twins to ONNX and TFLite: some frames a step, states as inputs and outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.calibrate import NO_LABEL, Clips, Sound
from export.quiet import quiet
from export.to_onnx import INPUT, OPSET, OUTPUT, slim
from export.to_tflite import slim as slim_tflite
from export.verify_gate import running_frames
from models.streaming import Twin
from realtime.card import Card
from realtime.errors import ModelError
from realtime.frontend import finish_window, one_shot

Array = NDArray[np.float32]


def named(card: Card) -> Card:
    """The card of a twin with the names of the file's tensors."""
    return msgspec.structs.replace(
        card, input=msgspec.structs.replace(card.input, name=INPUT), output=OUTPUT
    )


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
    sound, states = _examples(twin, card)
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                twin.eval(),
                (sound, *states.values()),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT, *states],
                output_names=[OUTPUT, *(s.output for s in card.states)],
                external_data=False,
                verbose=False,
            )
    except Exception as e:  # torch's exporters have no common base of errors
        raise ModelError(f"{card.name} cannot be exported to ONNX: {_first(e)}") from e
    if program is None:
        raise ModelError(f"{card.name} cannot be exported to ONNX")
    model = program.model_proto
    slim(model)
    return model.SerializeToString(), named(card)


def twin_to_tflite(twin: Twin, card: Card) -> tuple[bytes, Card]:
    """Export a twin to TFLite, float32; as `twin_to_onnx`.

    Raises:
        ModelError: the converter refuses the network.
    """
    sound, states = _examples(twin, card)
    try:
        with quiet(), tempfile.TemporaryDirectory() as folder:
            import litert_torch

            path = Path(folder) / "model.tflite"
            example = {INPUT: sound, **states}
            edge = litert_torch.convert(_Named(twin, card).eval(), sample_kwargs=example)
            edge.export(str(path))
            return slim_tflite(path.read_bytes()), named(card)
    except Exception as e:  # litert-torch, torch.export and MLIR each raise their own
        raise ModelError(f"{card.name} cannot be exported to TFLite: {_first(e)}") from e


def running_steps(card: Card, sounds: Sequence[Sound], count: int, name: str) -> Clips:
    """Steps of recordings one after the other, the bundled one first, to compare twins on.

    Args:
        card: of the twin.
        sounds: those of part val are heard.
        count: of them, at most.
        name: of the data, for reports.
    """
    frames = running_frames(card, sounds, count)
    size = card.window_frames
    steps = frames[: len(frames) // size * size].reshape(-1, size, frames.shape[1])
    truth = np.full(len(steps), NO_LABEL, np.int64)
    return Clips(steps, truth, f"{len(steps)} steps of {name}, part val")


def steps_of(card: Card, audio: Array) -> Array:
    """Running sound as steps of a twin: float32 [steps, frames, mel].

    Args:
        card: of the twin.
        audio: at its rate.
    """
    spec = card.input.features
    if spec is None:
        raise ValueError("a twin hears features")
    frames = finish_window(spec, one_shot(spec, audio))
    count = len(frames) // card.window_frames
    return frames[: count * card.window_frames].reshape(count, card.window_frames, -1)


class _Named(nn.Module):
    """A twin whose inputs and outputs carry names into the TFLite signature."""

    def __init__(self, twin: Twin, card: Card) -> None:
        super().__init__()
        self.twin = twin
        self.after = [s.output for s in card.states]

    def forward(self, features: Tensor, **states: Tensor) -> dict[str, Tensor]:
        """Scores and next states."""
        scores, *after = self.twin(features, *states.values())
        return {OUTPUT: scores} | dict(zip(self.after, after, strict=True))


def _examples(twin: Twin, card: Card) -> tuple[Tensor, dict[str, Tensor]]:
    spec = card.input.features
    if spec is None:
        raise ValueError("a twin hears features")
    states = {name: torch.zeros(shape) for name, shape in twin.state_shapes().items()}
    return torch.zeros(1, 1, twin.frames, spec.width), states


def _first(e: Exception) -> str:
    lines: list[Any] = [line for line in str(e).splitlines() if line.strip()]
    return str(lines[0])[:200] if lines else type(e).__name__
