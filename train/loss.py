"""What is minimised: losses of labels and imitation of teachers, with mixup before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from realtime.errors import UsageError
from train.recipe import Recipe
from train.tables import Loss

LEAST = 1e-4  # a label that no clip has begins with this chance


def loss_of(
    network: nn.Module,
    teachers: Sequence[nn.Module],
    x: Tensor,
    y: Tensor,
    recipe: Recipe,
    weights: Tensor | None = None,
) -> Tensor:
    """The loss of a batch, one number.

    Args:
        network: gives logits [batch, labels].
        teachers: the same, imitated where there are any.
        x: features [batch, 1, frames, width].
        y: targets [batch, labels], NaN where nobody can tell.
        recipe: says what is minimised.
        weights: of the labels [labels].
    """
    one = recipe.loss.kind == "cross_entropy"
    if recipe.augment.mixup:
        x, y = mixed(x, y, recipe.augment.mixup, one)
    if recipe.augment.cutmix:
        x, y = cut(x, y, recipe.augment.cutmix, one)
    logits = network(x)
    if one:
        return _one_label(logits, teachers, x, y, recipe, weights)
    return _several_labels(logits, teachers, x, y, recipe, weights)


def mixed(x: Tensor, y: Tensor, probability: float, one: bool) -> tuple[Tensor, Tensor]:
    """Mixup: rows and targets mixed with another row's, by up to a half.

    Args:
        x: features [batch, 1, frames, width].
        y: targets [batch, labels].
        probability: that a row is mixed.
        one: a row has one label: what nobody can tell is shared out among those it may be.
    """
    weight = 1.0 - 0.5 * torch.rand(len(x), 1, device=x.device)
    weight[torch.rand(len(x), device=x.device) >= probability] = 1.0
    other = torch.randperm(len(x), device=x.device)
    x = weight[..., None, None] * x + (1.0 - weight[..., None, None]) * x[other]
    return x, _shared(y, weight, other, one)


def cut(x: Tensor, y: Tensor, probability: float, one: bool) -> tuple[Tensor, Tensor]:
    """CutMix along time: a span of up to half a row is another row's; arguments as `mixed`.

    Source: Yun et al., "CutMix" (2019); their rectangle has the whole height here.
    """
    frames = x.shape[2]
    width = (0.5 * frames * torch.rand(len(x), 1, device=x.device)).int()
    width[torch.rand(len(x), device=x.device) >= probability] = 0
    first = (torch.rand(len(x), 1, device=x.device) * (frames - width + 1)).int()
    at = torch.arange(frames, device=x.device)
    inside = (at >= first) & (at < first + width)
    other = torch.randperm(len(x), device=x.device)
    x = torch.where(inside[:, None, :, None], x[other], x)
    return x, _shared(y, 1.0 - width / frames, other, one)


def _shared(y: Tensor, weight: Tensor, other: Tensor, one: bool) -> Tensor:
    """Targets of rows that are `weight` [batch, 1] their own and otherwise another's."""
    maybe = y.isnan()
    part = torch.where(maybe, 1.0 / maybe.sum(1, keepdim=True), y) if one else y
    return torch.where(weight == 1.0, y, weight * part + (1.0 - weight) * part[other])


def class_weights(frequencies: Any, exponent: float) -> Tensor:
    """Weights of labels by inverse frequency, float32 [labels], 1 in the mean."""
    rare = torch.as_tensor(frequencies).clamp_min(LEAST) ** -exponent
    return (rare / rare.mean()).float()


def begin_scores(network: nn.Module, loss: Loss, shares: Any) -> None:
    """Let the scores begin as a recipe says; `shares` are the labels' among the clips."""
    if loss.begin != "zero":
        set_bias(network, shares if loss.begin == "frequency" else [loss.prior] * len(shares))


def set_bias(network: nn.Module, chances: Any) -> None:
    """Let the scores begin with these chances, by the bias of the last layer.

    Source: Lin et al., "Focal Loss for Dense Object Detection" (2017), section 4.1.

    Args:
        network: its last dense layer or convolution with a bias gives the scores.
        chances: of the labels, 0 to 1.

    Raises:
        UsageError: there is no such layer.
    """
    chance = torch.as_tensor(chances).float().clamp(LEAST, 1.0 - LEAST)
    last = [
        m
        for name, m in network.named_modules()
        if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)
        and m.weight.shape[0] == len(chance)
        and m.bias is not None
        and not name.endswith("weights")  # of the attention over instants
    ]
    if not last or last[-1].bias is None:
        raise UsageError("loss.begin needs a last layer with a bias", 'use loss.begin = "zero"')
    with torch.no_grad():
        last[-1].bias.copy_(chance.logit())


def _one_label(
    logits: Tensor, teachers: Sequence[nn.Module], x: Tensor, y: Tensor, recipe: Recipe,
    weights: Tensor | None,
) -> Tensor:  # fmt: skip
    """Cross-entropy; where nobody can tell, any of these labels will do."""
    maybe = y.isnan()
    wanted = torch.where(maybe, 0.0, y)
    either = maybe.any(1)
    logp = logits.log_softmax(1)
    s = recipe.loss.smoothing
    cross = ((1.0 - s) * wanted + s / y.shape[1]) * logp
    loss = -(cross if weights is None else weights * cross).sum(1)
    if bool(either.any()):
        any_of = -(logp + (maybe.float() + 1e-9).log()).logsumexp(1)
        loss = torch.where(either, any_of, loss)
    if teachers:
        t = recipe.loss.temperature
        with torch.no_grad():
            ideal = torch.stack([(m(x) / t).softmax(1) for m in teachers]).mean(0)
        imitation = -(ideal * (logits / t).log_softmax(1)).sum(1) * t * t
        loss = (1.0 - recipe.loss.imitate) * loss + recipe.loss.imitate * imitation
    mean: Tensor = loss.mean()
    return mean


def _several_labels(
    logits: Tensor, teachers: Sequence[nn.Module], x: Tensor, y: Tensor, recipe: Recipe,
    weights: Tensor | None,
) -> Tensor:  # fmt: skip
    """Binary cross-entropy, or focal, of every label; what nobody can tell is left out."""
    r, told = recipe.loss, ~y.isnan()
    wanted = torch.where(told, y, 0.0)
    smooth = wanted * (1.0 - r.smoothing) + r.smoothing / 2.0
    loss = nn.functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    if r.kind == "focal":
        missed = (logits.sigmoid() - wanted).abs() ** r.gamma
        loss = loss * missed * (r.alpha * wanted + (1.0 - r.alpha) * (1.0 - wanted))
    if weights is not None:
        loss = loss * weights
    mean: Tensor = (loss * told).sum() / told.sum().clamp_min(1)
    if not teachers:
        return mean
    t = r.temperature
    with torch.no_grad():
        ideal = torch.stack([(m(x) / t).sigmoid() for m in teachers]).mean(0)
    imitation = nn.functional.binary_cross_entropy_with_logits(logits / t, ideal) * t * t
    return (1.0 - r.imitate) * mean + r.imitate * imitation
