"""`Ears`: the network that is kept as it is, from windows of sound to embeddings.

Used by all of `realtime.wake`. An embedding is what a tagger's last linear layer takes; a model
of one's own has another layer in that place. Windows stand where the engine puts them, so what
is learned here is what `rt-tag` will hear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.errors import CardError, RunnerError
from realtime.frontend import finish_window, one_shot
from realtime.learn.network import EMBEDDING, in_turn, open_session
from realtime.runners.plan import Plan

Floats = NDArray[np.float32]


class Ears:
    """A tagger's network without its last layer.

    Args:
        model: bytes of its ONNX file.
        card: its card.
        where: its name, for messages.
        digest: of the network that makes the embeddings, and stays the same while models are
            learned on it.

    Attributes:
        size: values in an embedding.
        samples: in a window.

    Raises:
        RunnerError: the model has no output "embedding".
        CardError: it does not take whole windows of features.
        MissingExtra: ONNX Runtime is not installed.
    """

    def __init__(self, model: bytes, card: Card, where: str, digest: str) -> None:
        spec = card.input.features
        if spec is None or card.states or card.task != "tag":
            raise CardError(
                f"model {card.name} does not take whole windows of features",
                "learn from a tagger as ears is",
            )
        self.card = card
        self._spec = spec
        self._plan = Plan(card, where)
        self._session = open_session(model, where)
        outputs = {o.name: o for o in self._session.get_outputs()}
        if EMBEDDING not in outputs:
            raise RunnerError(
                f"{where} has no output {EMBEDDING}",
                "learn from ears, or export a tagger with rt-export --embedding",
            )
        self._input = self._session.get_inputs()[0].name
        self.size = int(outputs[EMBEDDING].shape[-1])
        self.samples = card.window_frames * spec.hop + spec.frame - spec.hop
        self.digest = digest

    @property
    def rate(self) -> int:
        """Hz."""
        return self.card.rate

    def frames(self, window: Floats) -> Floats:
        """What a runner is fed for a window: float32 [samples] to [frames, bands]."""
        return finish_window(self._spec, one_shot(self._spec, window))

    def embed(self, window: Floats) -> Floats:
        """One window: float32 [samples] to [size]."""
        return self._run(self.frames(window))

    def stream(self, sound: Floats, hop_s: float) -> Floats:
        """What is known after each hop of a sound, as the engine hears it.

        Silence comes before it and after it, until no window holds more than a hop of it.

        Args:
            sound: float32 [samples].
            hop_s: seconds between two windows.

        Returns:
            float32 [hops, size].
        """
        rows, unit = self.card.window_frames, self._spec.hop
        step = max(1, round(hop_s * self.rate / unit))
        hops = -(-len(sound) // (step * unit)) + -(-(rows - step) // step)
        before = self.samples  # all silent
        padded = np.zeros(before + hops * step * unit, np.float32)
        padded[before : before + len(sound)] = sound
        frames = one_shot(self._spec, padded)
        last = [len(frames) - (hops - 1 - k) * step for k in range(hops)]
        windows = (finish_window(self._spec, frames[n - rows : n]) for n in last)
        return np.stack([self._run(window) for window in windows])

    def embed_all(self, windows: Iterable[Floats]) -> Iterator[Floats]:
        """As `embed`, for many windows, several at a time."""
        return in_turn(self.embed, windows)

    def stream_all(self, sounds: Iterable[Floats], hop_s: float) -> Iterator[Floats]:
        """As `stream`, for many sounds, several at a time."""
        return in_turn(lambda sound: self.stream(sound, hop_s), sounds)

    def _run(self, window: Floats) -> Floats:
        out: Floats = self._session.run([EMBEDDING], {self._input: self._plan.arrange(window)})[
            0
        ]
        return out.reshape(-1)
