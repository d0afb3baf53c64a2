"""What a model is fed and what it gives, by its card: shapes, layouts, states, activation.

Shared by `realtime.runners.onnx` and `realtime.runners.litert`, which know their runtimes and
nothing of layouts. Every check here happens while a model is opened, before any audio: a card
that does not fit its model is an error that names the field.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.card import Card, StateSpec
from realtime.errors import CardError, RunnerError

Array = NDArray[np.float32]
Shape = tuple[int, ...]

SLACK = 0.01  # of a probability: 8 bits round


class Tensor(msgspec.Struct, frozen=True):
    """One input or output of a model, as its runtime reports it; a dimension of 0 is free."""

    name: str
    shape: Shape
    type: str


class Plan:
    """How one card's windows become a model's input and its output becomes probabilities.

    Args:
        card: the model's card.
        where: the model's file name, for messages.
    """

    def __init__(self, card: Card, where: str) -> None:
        self.card = card
        self.where = where
        spec = card.input.features
        if spec is None:
            self.window_shape: Shape = (round(card.window_s * card.rate),)
            sizes = {"t": self.window_shape[0]}
        else:
            frames, width = card.window_frames, spec.width
            self.window_shape = (frames, width)
            time = frames * width if spec.kind == "waveform" else frames
            sizes = {"t": time, "f": width}
        self.input_shape: Shape = tuple(sizes.get(axis, 1) for axis in card.input.layout)
        axes = [axis for axis in card.input.layout if axis in "tf"]
        self._swap = axes == ["f", "t"]
        # a FeatureSpec of kind waveform has scaled its samples already
        self._scale = np.float32(card.input.scale if spec is None else 1.0)

    def arrange(self, window: Array) -> Array:
        """Lay a window out as the model wants it.

        Args:
            window: float32 [frames, width] or [samples].

        Returns:
            float32 of `input_shape`, C order.

        Raises:
            ValueError: the window has another shape than `window_shape`.
        """
        if window.shape != self.window_shape:
            raise ValueError(f"window of shape {window.shape}, not {self.window_shape}")
        x = window.T if self._swap else window
        x = np.ascontiguousarray(x, dtype=np.float32).reshape(self.input_shape)
        return x if self._scale == 1.0 else x * self._scale

    def probabilities(self, raw: NDArray[np.generic]) -> Array:
        """Turn the model's output into probabilities, float32 [labels]."""
        x: Array = np.array(raw, dtype=np.float32).reshape(-1)
        if self.card.scores == "logit":
            # the sign-split form never overflows
            e = np.exp(-np.abs(x))
            x = np.where(x >= 0, np.float32(1), e) / (1 + e)
        elif self.card.scores == "logit_softmax":
            x = np.exp(x - x.max())
            x = x / x.sum()
        return x

    def choose(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, list[tuple[StateSpec, Tensor, Tensor]]]:
        """Match the card's names to the model's tensors and check every shape.

        Args:
            inputs: the model's inputs, in its order.
            outputs: the model's outputs, in its order.

        Returns:
            The audio input, the score output, and for each state its input and its output.

        Raises:
            RunnerError: a tensor has another shape or type than the card implies.
            CardError: the card names a tensor that the model does not have.
        """
        card = self.card
        by_input = {t.name: t for t in inputs}
        by_output = {t.name: t for t in outputs}
        states_in = [self._named(by_input, s.name, f"states.{s.name}") for s in card.states]
        named_out = {s.output for s in card.states if s.output}
        fixed = [self._named(by_input, name, f"constants.{name}") for name in card.constants]
        taken = {t.name for t in (*states_in, *fixed)}
        free = [t for t in inputs if t.name not in taken]
        if not free:
            raise RunnerError(
                f"{self.where}: every input of the model is a state or a constant",
                "check card fields states and constants",
            )
        sound = (
            self._named(by_input, card.input.name, "input.name") if card.input.name else free[0]
        )
        stray = [t.name for t in free if t.name != sound.name]
        if stray:
            raise RunnerError(
                f"{self.where}: the model's input {stray[0]} is neither the sound "
                f"({sound.name}) nor a state",
                "name it in card field states or constants, or the sound in input.name",
            )
        rest = [t for t in outputs if t.name not in named_out]
        if not rest:
            raise RunnerError(
                f"{self.where}: the model gives no scores",
                "check card fields output and states",
            )
        scores = self._named(by_output, card.output, "output") if card.output else rest[0]
        unnamed = iter(t for t in rest if t.name != scores.name)
        states = []
        for spec, tensor in zip(card.states, states_in, strict=True):
            field = f"states.{spec.name}.output"
            after = (
                self._named(by_output, spec.output, field)
                if spec.output
                else next(unnamed, None)
            )
            if after is None:
                raise RunnerError(
                    f"{self.where}: the model gives no next value for state {spec.name}",
                    "every state has an output; name it in card field states.output",
                )
            states.append((spec, tensor, after))
            self._fits(tensor, spec.shape, f"states.{spec.name}.shape")
            self._fits(after, spec.shape, f"states.{spec.name}.shape")
        self._fits(sound, self.input_shape, "input.layout with window_s and features")
        if 0 not in scores.shape:
            self.check_scores(int(np.prod(scores.shape)))
        return sound, scores, states

    def constants(self, inputs: Sequence[Tensor]) -> list[tuple[Tensor, NDArray[np.float64]]]:
        """The inputs that never change, filled; an axis of free length has length one.

        They are there: `choose` has looked.
        """
        numbers = self.card.constants
        return [
            (t, np.full([n or 1 for n in t.shape], numbers[t.name]))
            for t in inputs
            if t.name in numbers
        ]

    def check_trial(self, raw: NDArray[np.generic]) -> None:
        """Refuse what a model gives for zeros where it cannot be what the card says.

        Raises:
            RunnerError: not as many scores as labels, no numbers, or no probabilities.
        """
        self.check_scores(raw.size)
        x = raw.astype(np.float32)
        if not np.isfinite(x).all():
            raise RunnerError(
                f"{self.where}: the model gives scores that are no numbers",
                "a scale or a weight in it is wrong; export it anew",
            )
        low, high = float(x.min()), float(x.max())
        far = low if low < -SLACK else high
        if self.card.scores in ("sigmoid", "softmax") and not -SLACK <= far <= 1 + SLACK:
            raise RunnerError(
                f"{self.where}: the model gives {far:.3g} and card field scores is "
                f"{self.card.scores}",
                "raw scores are logit or logit_softmax",
            )

    def check_scores(self, count: int) -> None:
        """Refuse a model whose scores are not as many as the labels.

        Raises:
            RunnerError: so.
        """
        if count != len(self.card.labels):
            raise RunnerError(
                f"{self.where}: the model gives {count} scores and card field labels has "
                f"{len(self.card.labels)}",
                "name every score, in order",
            )

    def _fits(self, tensor: Tensor, shape: Shape, field: str) -> None:
        same = len(tensor.shape) == len(shape) and all(
            have in (0, want) for have, want in zip(tensor.shape, shape, strict=True)
        )
        if not same:
            have = [n or "any" for n in tensor.shape]
            raise RunnerError(
                f"{self.where}: tensor {tensor.name} has shape {have} and card field {field} "
                f"gives {list(shape)}".replace("'", ""),
                "correct the card or the model",
            )

    def _named(self, tensors: dict[str, Tensor], name: str, field: str) -> Tensor:
        if name not in tensors:
            raise CardError(
                f"{self.where}: card field {field} is {name}, and the model has no such tensor",
                f"it has {', '.join(tensors)}",
            )
        return tensors[name]
