"""What a tagger's layers do to a few new frames, given what they heard before.

For each family: its layers along time, the instants it pools over (`instants`), and what it
makes of them (`scores`). Used by `models.streaming`. The weights, and the layers that do not
look along time, are the network's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.bcresnet import BCResNet
from models.crnn import CRNN
from models.dscnn import DSCNN
from models.hello_edge import HelloEdge
from realtime.errors import UsageError


class Past:
    """What every layer keeps from one step to the next, in the order of the layers.

    Args:
        states: from the last step; None for the first, whose past is zeros.

    Attributes:
        after: for the next step.
    """

    def __init__(self, states: Sequence[Tensor] | None) -> None:
        self._states = states
        self.after: list[Tensor] = []

    def join(self, x: Tensor, keep: int, axis: int) -> Tensor:
        """`x` with the last `keep` frames before it; its own last ones are kept."""
        if not keep:
            return x
        if self._states is None:
            shape = [*x.shape]
            shape[axis] = keep
            before = x.new_zeros(shape)
        else:
            before = self._states[len(self.after)]
        joined = torch.cat([before, x], axis)
        self.after.append(joined.narrow(axis, joined.shape[axis] - keep, keep))
        return joined


class AlongTime(msgspec.Struct, frozen=True):
    """A layer as it looks along time: frames it sees, its stride, its padding before."""

    sees: int
    stride: int
    before: int


class Family(msgspec.Struct, frozen=True):
    """How a family of networks is streamed.

    Args:
        along_time: the layers, in order.
        instants: frames [batch, 1, time, mel] to what is pooled, [batch, time, values]; with
            no `Past` over the whole window, as the network itself does it.
        scores: instants to logits [batch, labels].
    """

    along_time: Callable[..., Iterator[AlongTime]]
    instants: Callable[..., Tensor]
    scores: Callable[..., Tensor]


def family_of(network: nn.Module) -> Family:
    """How a network is streamed.

    Raises:
        UsageError: its family is not.
    """
    for kind, family in FAMILIES.items():
        if isinstance(network, kind):
            return family
    known = ", ".join(kind.__name__ for kind in FAMILIES)
    raise UsageError(
        f"{type(network).__name__} has no streaming twin", f"the families that have: {known}"
    )


def _heard(conv: Any, x: Tensor, past: Past, axis: int) -> tuple[Tensor, Tensor]:
    """A convolution of what is new, and its input: the past in place of the padding."""
    t = axis - 2
    keep = (conv.kernel_size[t] - 1) * conv.dilation[t] + 1 - conv.stride[t]
    joined = past.join(x, keep, axis)
    padding = [0 if isinstance(p, str) else p for p in conv.padding]
    padding[t] = 0
    y = F.conv2d(
        joined, conv.weight, conv.bias, conv.stride, padding, conv.dilation, conv.groups
    )
    return y, joined


def _over_bands(y: Tensor, axis: int) -> Tensor:
    """Means over the bands: [batch, values, ...] to [batch, time, values]."""
    return y.mean(axis).transpose(1, 2)


def _look(conv: Any, axis: int = 2, before: int | None = None) -> AlongTime:
    t = axis - 2
    padding = conv.padding[t]
    if before is None:
        before = padding if isinstance(padding, int) else 0
    return AlongTime((conv.kernel_size[t] - 1) * conv.dilation[t] + 1, conv.stride[t], before)


# --- DS-CNN -------------------------------------------------------------------------------


def _dscnn_time(network: Any) -> Iterator[AlongTime]:
    yield _look(network.stem)
    for block in network.blocks:
        yield _look(block.depthwise)


def _dscnn(network: Any, x: Tensor, past: Past | None) -> Tensor:
    if past is None:
        y = network.blocks(torch.relu(network.stem_norm(network.stem(x))))
    else:
        y = torch.relu(network.stem_norm(_heard(network.stem, x, past, 2)[0]))
        for block in network.blocks:
            y = _ds_block(block, y, past)
    return _over_bands(y, 3)


def _ds_block(block: Any, x: Tensor, past: Past) -> Tensor:
    y, joined = _heard(block.depthwise, x, past, 2)
    y = torch.relu(block.depth_norm(y))
    y = block.point_norm(block.pointwise(y))
    if block.residual:
        y = y + joined.narrow(2, block.depthwise.kernel_size[0] // 2, x.shape[2])
    return torch.relu(y)


def _mean(network: Any, instants: Tensor) -> Tensor:
    scores: Tensor = network.classifier(instants.mean(1))
    return scores


# --- DS-CNN as published ------------------------------------------------------------------


def _hello_time(network: Any) -> Iterator[AlongTime]:
    for layer in network.stem:
        if isinstance(layer, nn.ZeroPad2d):
            before = int(layer.padding[2])
        if isinstance(layer, nn.Conv2d):
            yield _look(layer, before=before)
    for layer in network.layers:
        if isinstance(layer, nn.Conv2d):
            yield _look(layer)


def _hello(network: Any, x: Tensor, past: Past | None) -> Tensor:
    if past is None:
        return _over_bands(network.layers(network.stem(x)), 3)
    y = x
    for layer in (*network.stem, *network.layers):
        if isinstance(layer, nn.ZeroPad2d):
            left, right = layer.padding[:2]
            y = F.pad(y, (left, right))
        elif isinstance(layer, nn.Conv2d):
            y = _heard(layer, y, past, 2)[0]
        else:
            y = layer(y)
    return _over_bands(y, 3)


# --- BC-ResNet ----------------------------------------------------------------------------


def _bcresnet_time(network: Any) -> Iterator[AlongTime]:
    yield _look(network.stem[0], 3)
    for block in network.blocks:
        yield _look(block.over_time[0], 3)
    yield _look(network.last[0], 3)


def _bcresnet(network: Any, x: Tensor, past: Past | None) -> Tensor:
    y = x.transpose(2, 3)
    if past is None:
        y = network.last(network.blocks(network.stem(y)))
    else:
        y = network.stem[1:](_heard(network.stem[0], y, past, 3)[0])
        for block in network.blocks:
            y = _bc_block(block, y, past)
        y = network.last[1:](_heard(network.last[0], y, past, 3)[0])
    return _over_bands(y, 2)


def _bc_block(block: Any, x: Tensor, past: Past) -> Tensor:
    y = block.over_bands(block.enter(x))
    z = block.over_time[1:](_heard(block.over_time[0], y.mean(2, True), past, 3)[0])
    around = y if block.first else y + x
    # what goes around waits for the middle of what the convolution sees
    waited = past.join(around, block.over_time[0].dilation[1], 3).narrow(3, 0, x.shape[3])
    return torch.relu(waited + z)


# --- CRNN ---------------------------------------------------------------------------------


def _crnn_time(network: Any) -> Iterator[AlongTime]:
    for layer in network.layers:
        if isinstance(layer, nn.Conv2d):
            yield _look(layer)
        elif isinstance(layer, nn.MaxPool2d):
            pool: Any = layer.kernel_size
            frames = pool[0]
            yield AlongTime(frames, frames, 0)


def _crnn(network: Any, x: Tensor, past: Past | None) -> Tensor:
    y = x
    for layer in network.layers:
        y = _heard(layer, y, past, 2)[0] if past and isinstance(layer, nn.Conv2d) else layer(y)
    return y.transpose(1, 2).flatten(2)


def _recurrent(network: Any, instants: Tensor) -> Tensor:
    """Both ways over the instants, anew each time: the way back starts at the newest."""
    _, last = network.recur(instants)
    scores: Tensor = network.scores(last.transpose(0, 1).flatten(1))
    return scores


FAMILIES: dict[type[nn.Module], Family] = {
    DSCNN: Family(_dscnn_time, _dscnn, _mean),
    HelloEdge: Family(_hello_time, _hello, _mean),
    BCResNet: Family(_bcresnet_time, _bcresnet, _mean),
    CRNN: Family(_crnn_time, _crnn, _recurrent),
}
