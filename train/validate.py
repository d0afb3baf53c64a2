"""`Validation`: how well averaged weights do on the labelled clips of the val part."""

from __future__ import annotations

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import build
from train.batches import Batches
from train.datasets.cached import CachedBatches
from train.loop import placed
from train.metrics.ranking import average_precision
from train.recipe import Recipe

WINDOWS = 12  # of a clip, at most
AT_ONCE = 256  # windows through the network
LEAST = 1e-6  # nearest that a chance comes to 0 or 1


class Verdict(msgspec.Struct, frozen=True):
    """What a validation says.

    Attributes:
        name: of the figure that decides: "accuracy" or "mAP".
        figure: 0 to 1.
        loss: cross-entropy of the clips' pooled scores.
        scores: chances float32 [clips, labels].
        truth: targets float32 [clips, labels], NaN where nobody can tell.
    """

    name: str
    figure: float
    loss: float
    scores: NDArray[np.float32]
    truth: NDArray[np.float32]


class Validation:
    """The val part's windows, made once."""

    def __init__(self, recipe: Recipe, batches: Batches | CachedBatches) -> None:
        self.recipe, self.several = recipe, batches.truth.several
        clips = batches.truth.clips("val", batches.usable)
        most = 1 if recipe.fit.pool == "middle" else WINDOWS
        windows = [batches.windows(int(i), most) for i in clips]
        self.windows = torch.cat(windows)
        self.count = [len(w) for w in windows]
        self.truth = torch.from_numpy(batches.truth.rows[clips])

    @torch.no_grad()
    def judge(self, weights: dict[str, Tensor], device: torch.device) -> Verdict:
        """The verdict on a network with these weights."""
        network = build(self.recipe.model, len(self.recipe.data.labels), load=False)
        network = placed(network, device)
        network.load_state_dict(weights)
        network.eval()
        parts = self.windows.split(AT_ONCE)
        logits = torch.cat([network(x[:, None].to(device)).float().cpu() for x in parts])
        chances = logits.sigmoid() if self.several else logits.softmax(1)
        pooled = torch.stack([self._pooled(c) for c in chances.split(self.count)])
        pooled = pooled.clamp(LEAST, 1.0 - LEAST)
        told = ~self.truth.isnan()
        truth = torch.where(told, self.truth, 0.0)
        if self.several:
            cross = nn.functional.binary_cross_entropy(pooled, truth, reduction="none")
            loss = float(cross[told].mean())
            name, figure = "mAP", mean_precision(pooled.numpy(), self.truth.numpy())
        else:
            loss = float(-(truth * pooled.log()).sum(1).mean())
            right = pooled.argmax(1) == truth.argmax(1)
            name, figure = "accuracy", float(right.float().mean())
        return Verdict(name, figure, loss, pooled.numpy(), self.truth.numpy())

    def _pooled(self, chances: Tensor) -> Tensor:
        return chances.amax(0) if self.recipe.fit.pool == "max" else chances.mean(0)


def mean_precision(scores: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Mean average precision of the labels that some clips have and some have not.

    It is 0 where there is no such label.

    Args:
        scores: [clips, labels].
        truth: [clips, labels]: 1, 0, or NaN, which is left out.
    """
    found = []
    for score, there in zip(scores.T, truth.T, strict=True):
        told = ~np.isnan(there)
        if 0 < (there[told] == 1.0).sum() < told.sum():
            found.append(average_precision(score[told], there[told] == 1.0))
    return float(np.mean(found)) if found else 0.0
