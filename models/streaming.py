"""Streaming twins: a tagger's weights as a network with states, for a few new frames a step.

A tagger of whole windows computes almost everything again at each hop. Its twin keeps what
each layer needs of the past, computes what is new, and pools over the last instants, which it
keeps too.

**What it computes.** A tagger pads a window with zeros in time, so that what it makes of the
window's ends depends on where they are. In a stream there are no ends. The twin's scores are
those of the network over an endless recording, no padding anywhere, pooled over the last
`instants` of it. `Borderless` is the same definition for whole windows, by the network's own
layers: it is given frames enough that `instants` instants see no border, and pools those. The
two agree to rounding, at every step, from the first one on. The trained network agrees with
them only where its window's borders change nothing: a network of these families sees nearly
the whole window at each instant, so all its instants are changed a little.

**What it costs in delay.** An instant stands for the middle of the frames that it sees, and
the padded network also has instants whose later half is padding. The twin waits for those
frames: it speaks `delay` frames later.

The states of a step that follows digital silence are subtracted from all states, so that zeros
mean silence before the start, as in the windows of the engine.
"""

from __future__ import annotations

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.streaming_layers import Past, family_of
from realtime.card import Card, StateSpec
from realtime.errors import UsageError
from realtime.features import FeatureSpec
from realtime.frontend import finish_window, one_shot
from realtime.runners.plan import Plan

Array = NDArray[np.float32]


class Reach(msgspec.Struct, frozen=True):
    """How a network looks along time, in frames of its input.

    Args:
        sees: that one instant sees.
        stride: from one instant to the next.
        first: instants of a padded window before the first that sees no padding.
        skip: frames of the window before those which that one sees.
    """

    sees: int
    stride: int
    first: int
    skip: int

    @property
    def delay(self) -> int:
        """From the newest frame back to the middle of what the newest instant sees."""
        return (self.sees - 1) // 2


def reach_of(network: nn.Module) -> Reach:
    """How a network looks along time.

    Raises:
        UsageError: its family is not streamed.
    """
    sees, stride, before = 1, 1, 0
    for layer in family_of(network).along_time(network):
        sees += (layer.sees - 1) * stride
        before += layer.before * stride
        stride *= layer.stride
    first = -(-before // stride)
    return Reach(sees, stride, first, first * stride - before)


class Borderless(nn.Module):
    """A tagger without the borders of its window, for whole windows of `frames` frames.

    Args:
        network: whose layers are used.
        instants: to pool over.

    Attributes:
        frames: of a window: what the instants see, and those that put them in step.
    """

    def __init__(self, network: nn.Module, instants: int) -> None:
        super().__init__()
        reach = reach_of(network)
        self.network = network
        self.instants = instants
        self.frames = reach.skip + reach.sees + (instants - 1) * reach.stride
        self._first = reach.first

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, frames, mel] to logits [batch, labels]."""
        family = family_of(self.network)
        found = family.instants(self.network, x, None)
        return family.scores(self.network, found[:, self._first :][:, : self.instants])


class Twin(nn.Module):
    """A tagger with states; what is exported.

    Args:
        network: whose weights are used, in evaluation mode.
        frames: new ones each step, a multiple of the network's stride.
        instants: to pool over.
        silence: a frame of digital silence, float32 [mel].

    Attributes:
        reach: of the network.
        rest: the states after silence.

    Raises:
        UsageError: a family that is not streamed, or frames that do not fit its stride.
    """

    def __init__(self, network: nn.Module, frames: int, instants: int, silence: Tensor) -> None:
        super().__init__()
        self.reach = reach_of(network)
        new = frames // self.reach.stride
        if frames < 1 or frames % self.reach.stride or new > instants:
            raise UsageError(
                f"a step of {frames} frames",
                f"use a multiple of {self.reach.stride}, up to {self.reach.stride * instants}",
            )
        self.network = network.eval()
        self.frames = frames
        self._keep = instants - new
        quiet = silence.expand(1, 1, frames, len(silence))
        states: list[Tensor] | None = None
        with torch.no_grad():
            # all that it remembers is the past of so many frames
            for _ in range((self.reach.sees + instants * self.reach.stride) // frames + 2):
                states = self._step(quiet, states)[1]
        self.rest = nn.ParameterList(
            nn.Parameter(s.clone(), requires_grad=False) for s in states or ()
        )

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each state; zeros are silence before the start."""
        return {f"past{i}": tuple(state.shape) for i, state in enumerate(self.rest)}

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """One step.

        Args:
            x: float32 [1, 1, frames, mel].
            states: as `state_shapes`.

        Returns:
            Logits [1, labels], and the states after it.
        """
        before = [s + r for s, r in zip(states, self.rest, strict=True)]
        scores, after = self._step(x, before)
        return scores, *(s - r for s, r in zip(after, self.rest, strict=True))

    def _step(self, x: Tensor, states: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        family, past = family_of(self.network), Past(states)
        instants = past.join(family.instants(self.network, x, past), self._keep, 1)
        return family.scores(self.network, instants), past.after


def silence_of(spec: FeatureSpec) -> Tensor:
    """A frame of digital silence, as the network hears it: float32 [mel]."""
    samples = np.zeros(spec.frame + 4 * spec.fft, np.float32)
    frames = finish_window(spec, one_shot(spec, samples))
    return torch.from_numpy(np.array(frames[len(frames) // 2], np.float32))


def twin_of(
    network: nn.Module, card: Card, frames: int = 0, instants: int = 0
) -> tuple[Twin, Card]:
    """The twin of a tagger, and its card.

    Args:
        network: a tagger.
        card: its card.
        frames: new ones each step; 0 takes the fewest that are no shorter than four fifths of
            the card's hop.
        instants: to pool over; 0 takes as many as the network has in the card's window.

    Returns:
        The twin, and a card whose hop is a step, with the states. Numbers of windows in its
        decision rule are changed so that they last as long as before.

    Raises:
        UsageError: a family that is not streamed, features that depend on the whole window, or
            frames that do not fit.
    """
    spec = card.input.features
    if spec is None or spec.window_mean or spec.kind == "waveform" or card.states:
        raise UsageError(
            f"{card.name} has no streaming twin",
            "one is made of taggers that hear features without the window's mean",
        )
    reach = reach_of(network)
    if not frames:
        frames = reach.stride * max(1, -(-4 * card.hop_frames // (5 * reach.stride)))
    with torch.no_grad():
        example = torch.zeros(1, 1, card.window_frames, spec.width)
        whole = family_of(network).instants(network.eval(), example, None).shape[1]
    twin = Twin(network, frames, instants or whole, silence_of(spec))
    step_s = frames * spec.hop / card.rate
    rule = card.decision
    average, confirm = (
        max(1, round(n * card.hop_s / step_s)) for n in (rule.average, rule.confirm)
    )
    return twin, msgspec.structs.replace(
        card,
        name=f"{card.name}-stream",
        window_s=step_s,
        hop_s=step_s,
        input=msgspec.structs.replace(card.input, layout="bctf"),
        states=tuple(
            StateSpec(name=name, shape=shape, output=f"{name}_next")
            for name, shape in twin.state_shapes().items()
        ),
        decision=msgspec.structs.replace(rule, average=average, confirm=confirm),
        measured=(),
    )


class TwinRunner:
    """A twin behind the runners' protocol; a `realtime.runners.Runner`.

    Args:
        twin: the twin.
        card: its card.
    """

    def __init__(self, twin: Twin, card: Card) -> None:
        self.card = card
        self.runtime = f"torch {torch.__version__}"
        self._twin = twin.eval()
        self._plan = Plan(card, card.name)
        self._states: list[Tensor] = []
        self.reset()

    def run(self, window: Array) -> Array:
        """Score one step; see `realtime.runners.Runner`."""
        with torch.inference_mode():
            x = torch.from_numpy(self._plan.arrange(window))
            scores, *self._states = self._twin(x, *self._states)
        return self._plan.probabilities(scores.numpy())

    def reset(self) -> None:
        """Silence before the start."""
        self._states = [torch.zeros(shape) for shape in self._twin.state_shapes().values()]
