"""A causal network that says, every hop, whether the wanted sound is there.

Two convolutions over the last frames, two gated recurrent layers, and a small head over all
that they know (the embedding), so that a gate for another sound needs a new head only. Every
state is an argument and a result: the same weights run over a whole clip or frame by frame.
Convolutional recurrent networks for voice activity: Zazo et al., "Feature Learning with
Raw-Waveform CLDNNs for Voice Activity Detection" (2016); the unit is Cho et al., "Learning
Phrase Representations using RNN Encoder-Decoder" (2014).

    shape, input 64 bands                            parameters   MACs a second
    voice:       conv 64-96, units 160-160, head 64     344,355          34.2 M
    voice-tiny:  conv 24-32, units 40-40, head 24        31,547           3.1 M
"""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from torch import Tensor, nn


class GateConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a gate network.

    Args:
        labels: scores, one for each look-ahead.
        mels: bands of a frame.
        channels: of the two convolutions.
        kernels: frames that each of them sees.
        units: of the two recurrent layers.
        head: units of the head's hidden layer.
        kinds: kinds of sound told apart on the side while training; not exported.
    """

    labels: int
    mels: int = 64
    channels: tuple[int, int] = (64, 96)
    kernels: tuple[int, int] = (5, 3)
    units: tuple[int, int] = (128, 128)
    head: int = 48
    kinds: int = 0


class GateNetwork(nn.Module):
    """The network. Logits for every frame."""

    def __init__(self, config: GateConfig) -> None:
        super().__init__()
        self.config = config
        (a, b), (j, k), (u, v) = config.channels, config.kernels, config.units
        self.first = nn.Conv1d(config.mels, a, j)
        self.second = nn.Conv1d(a, b, k)
        self.lower = nn.GRU(b, u, batch_first=True)
        self.upper = nn.GRU(u, v, batch_first=True)
        self.hidden = nn.Linear(self.embedding_size, config.head)
        self.score = nn.Linear(config.head, config.labels)
        self.kind = nn.Linear(self.embedding_size, config.kinds) if config.kinds else None

    @property
    def embedding_size(self) -> int:
        """Values that describe the sound up to a frame."""
        return self.config.channels[1] + sum(self.config.units)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each state for one stream; zeros are silence before the start."""
        c = self.config
        return {
            "frames": (1, c.mels, c.kernels[0] - 1),
            "channels": (1, c.channels[0], c.kernels[1] - 1),
            "lower": (1, 1, c.units[0]),
            "upper": (1, 1, c.units[1]),
        }

    def embed(
        self, x: Tensor, states: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """What is known after each frame.

        Args:
            x: float32 [batch, frames, mels].
            states: as `state_shapes`, with the batch in place of 1; None for the beginning.

        Returns:
            float32 [batch, frames, embedding_size], and the states after the last frame.
        """
        if states is None:
            states = [x.new_zeros(self._sized(s, len(x))) for s in self.state_shapes().values()]
        frames = torch.cat([states[0], x.transpose(1, 2)], 2)
        y = torch.cat([states[1], torch.relu(self.first(frames))], 2)
        z = torch.relu(self.second(y)).transpose(1, 2)
        lower, h = self.lower(z, states[2])
        upper, g = self.upper(lower, states[3])
        after = [frames[..., x.shape[1] :], y[..., x.shape[1] :], h, g]
        return torch.cat([z, lower, upper], 2), after

    def forward(
        self, x: Tensor, states: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits [batch, frames, labels], and the states after the last frame."""
        embedding, after = self.embed(x, states)
        return self.scores(embedding), after

    def scores(self, embedding: Tensor) -> Tensor:
        """The head: embedding [..., embedding_size] to logits [..., labels]."""
        logits: Tensor = self.score(torch.relu(self.hidden(embedding)))
        return logits

    @staticmethod
    def _sized(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
        # a recurrent layer's state is [layers, batch, units]
        return (batch, *shape[1:]) if shape[1] != 1 else (1, batch, shape[2])


class GateStep(nn.Module):
    """One frame with its states as plain arguments: the form that is exported.

    The recurrent layers are written out, so that their matrices can be quantized like any
    other.

    Args:
        network: whose weights are used.
    """

    def __init__(self, network: GateNetwork) -> None:
        super().__init__()
        self.network = network
        # as matrices, so that they are quantized too
        self.first, self.second = _matrix(network.first), _matrix(network.second)

    def forward(
        self, x: Tensor, frames: Tensor, channels: Tensor, lower: Tensor, upper: Tensor
    ) -> tuple[Tensor, ...]:
        """One step.

        Args:
            x: float32 [1, 1, mels].
            frames: states as `GateNetwork.state_shapes` names them.
            channels: the same.
            lower: the same.
            upper: the same.

        Returns:
            Logits [1, labels], the states in that order, and the embedding [1, size].
        """
        n = self.network
        frames = torch.cat([frames, x.transpose(1, 2)], 2)
        a = torch.relu(self.first(frames.flatten(1)))
        channels = torch.cat([channels, a[..., None]], 2)
        z = torch.relu(self.second(channels.flatten(1)))
        h = _recur(n.lower, z, lower[0])
        g = _recur(n.upper, h, upper[0])
        embedding = torch.cat([z, h, g], 1)
        scores = n.scores(embedding)
        return scores, frames[..., 1:], channels[..., 1:], h[None], g[None], embedding


def _matrix(layer: nn.Conv1d) -> nn.Linear:
    """A convolution at its last frame alone: [1, inputs x kernel] to [1, outputs]."""
    flat = layer.weight.detach().flatten(1)
    matrix = nn.Linear(flat.shape[1], flat.shape[0])
    matrix.load_state_dict({"weight": flat, "bias": layer.bias})
    return matrix


def _recur(layer: nn.GRU, x: Tensor, h: Tensor) -> Tensor:
    """One step of a recurrent layer: [1, inputs], [1, units] to [1, units]."""
    weights: list[Any] = layer._flat_weights
    new = nn.functional.linear(x, weights[0], weights[2])
    old = nn.functional.linear(h, weights[1], weights[3])
    (r, z, n), (rh, zh, nh) = new.chunk(3, 1), old.chunk(3, 1)
    z = torch.sigmoid(z + zh)
    n = torch.tanh(n + torch.sigmoid(r + rh) * nh)
    return n + z * (h - n)
