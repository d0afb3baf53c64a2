"""`Backbone`: the frozen part of a gate, from sound to embeddings.

Used by `realtime.learn.lesson`. It runs a gate's ONNX file frame by frame, as the gate will
run live, and takes the output "embedding" in place of the scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.errors import CardError, RunnerError
from realtime.frontend import one_shot
from realtime.learn.network import EMBEDDING, in_turn, open_session

Floats = NDArray[np.float32]


class Backbone:
    """A gate's network without its head.

    Args:
        model: bytes of its ONNX file.
        card: its card.
        where: its name, for messages.

    Attributes:
        size: values in an embedding.

    Raises:
        RunnerError: the model has no output "embedding".
        CardError: it does not take one frame a step.
        MissingExtra: ONNX Runtime is not installed.
    """

    def __init__(self, model: bytes, card: Card, where: str) -> None:
        spec = card.input.features
        if spec is None or card.window_frames != 1 or not card.states:
            raise CardError(
                f"model {card.name} does not take one frame a step",
                "learn from a gate with features and states, as the shipped ones are",
            )
        self.card = card
        self.spec = spec
        self._session = open_session(model, where)
        outputs = {o.name: o for o in self._session.get_outputs()}
        if EMBEDDING not in outputs:
            raise RunnerError(
                f"{where} has no output {EMBEDDING}", "learn from a gate that rt-export made"
            )
        self.size = int(outputs[EMBEDDING].shape[-1])

    def frames(self, sound: Floats) -> Floats:
        """What the network is fed: float32 [samples] to [hops, bands].

        A frame ends where its decision is due, with silence before the start.
        """
        padded = np.pad(sound, (self.spec.frame - self.spec.hop, 0))
        return one_shot(self.spec, padded)

    def embed(self, sound: Floats) -> Floats:
        """What is known after each hop.

        Args:
            sound: float32 [samples] at the card's rate.

        Returns:
            float32 [hops, size]; row k has heard the samples before k + 1 hops.
        """
        return self.embed_frames(self.frames(sound))

    def embed_frames(self, frames: Floats) -> Floats:
        """As `embed`, from frames [hops, bands]."""
        out: Floats = np.empty((len(frames), self.size), np.float32)
        steps = _Steps(self._session, self.card, self.size, frames.shape[1])
        for row, frame in zip(out, frames, strict=True):
            row[:] = steps.run(frame)
        return out

    def embed_all(self, sounds: Iterable[Floats]) -> Iterator[Floats]:
        """As `embed`, for many sounds, several at a time; the same on every machine.

        Sounds are taken as they are needed, and not all at once.
        """
        return in_turn(self.embed, sounds)


class _Steps:
    """The network at one stream: its tensors stay where they are in memory.

    The states are in two sets of arrays: a step reads one and writes the other.
    """

    def __init__(self, session: Any, card: Card, size: int, width: int) -> None:
        import onnxruntime as ort

        value = ort.OrtValue.ortvalue_from_numpy
        sound = card.input.name
        after = {s.name: s.output for s in card.states}
        self._run = session.run_with_iobinding
        self._sound = np.zeros((1, 1, width), np.float32)
        self._out = np.zeros((1, size), np.float32)
        self._sets = [
            {s.name: np.zeros(s.shape, np.float32) for s in card.states} for _ in range(2)
        ]
        tied = [{n: value(a) for n, a in each.items()} for each in self._sets]
        sound_value, out_value = value(self._sound), value(self._out)
        self._keep = (tied, sound_value, out_value)
        self._steps = []
        for now, then in (tied, tied[::-1]):
            binding = session.io_binding()
            binding.bind_ortvalue_input(sound, sound_value)
            binding.bind_ortvalue_output(EMBEDDING, out_value)
            for name, next_name in after.items():
                binding.bind_ortvalue_input(name, now[name])
                binding.bind_ortvalue_output(next_name, then[name])
            self._steps.append(binding)
        self._turn = 0

    def run(self, frame: Floats) -> Floats:
        """One step: the frame [bands] in, the embedding [size] out, overwritten by the next."""
        self._sound[0, 0] = frame
        self._run(self._steps[self._turn])
        self._turn = 1 - self._turn
        out: Floats = self._out[0]
        return out
