"""Which layers does int8 cost too much? Each is quantized alone, and the worst stay float.

The cost of a layer is the mean difference of all scores when it is the only one that is
quantized. Costs do not add up, so the worst layers are left in float one after the other, and
each time the whole model is compared again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from export.layers import Layer
from export.quantize import Choice

Array = NDArray[np.float32]

ROOM = 0.5  # of the tolerance: other clips will judge than those that chose

log = logging.getLogger("rt.export.sensitivity")


class Cost(msgspec.Struct, frozen=True):
    """What int8 costs in one layer.

    Args:
        layer: its name.
        kind: of its operator.
        weights: numbers in it.
        mean: mean difference of scores when it alone is int8.
        worst: greatest difference of a score.
        kept: whether it stays float.
    """

    layer: str
    kind: str
    weights: int
    mean: float
    worst: float
    kept: bool = False


class Search:
    """What to leave in float, by measured agreement.

    Args:
        layers: of the network.
        make: quantizes.
        gaps: differences of the scores of a model from the float ones, on windows that
            calibrated nothing.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        make: Callable[[Choice], bytes],
        gaps: Callable[[bytes], Array],
    ) -> None:
        self._layers = layers
        self._make = make
        self._gaps = gaps

    def error(self, model: bytes) -> float:
        """Mean difference of scores."""
        return float(self._gaps(model).mean())

    def costs(self, share: float) -> list[Cost]:
        """The cost of each layer, the worst first."""
        found = []
        for layer in self._layers:
            gaps = self._gaps(self._make(Choice(share, "none", only=layer.name)))
            cost = Cost(
                layer.name, layer.kind, layer.weights, float(gaps.mean()), float(gaps.max())
            )
            log.info("%s alone in int8: mean score difference %.5f", layer.name, cost.mean)
            found.append(cost)
        return sorted(found, key=lambda c: -c.mean)

    def keep_worst(
        self, choice: Choice, costs: Sequence[Cost], bound: float
    ) -> tuple[bytes, Choice, float]:
        """Leave the worst layers in float until the mean difference is under a bound.

        Args:
            choice: to begin with.
            costs: of the layers, the worst first.
            bound: mean difference of scores.

        Returns:
            The model, what it is, and its mean difference; the best if none is under the bound.
        """
        best: tuple[bytes, Choice, float] | None = None
        floats: tuple[str, ...] = choice.floats
        for cost in costs:
            floats += (cost.layer,)
            trial = msgspec.structs.replace(choice, floats=floats)
            model = self._make(trial)
            error = self.error(model)
            log.info("float: %s: mean score difference %.5f", " ".join(floats), error)
            if best is None or error < best[2]:
                best = model, trial, error
            if error <= bound:
                break
        if best is None:
            raise ValueError("no layer to keep")
        return best


def marked(costs: Sequence[Cost], choice: Choice, layers: Sequence[Layer]) -> tuple[Cost, ...]:
    """The costs, with a mark at the layers that a choice keeps in float."""
    kept = set(choice.floats)
    if layers and choice.keep in ("first", "ends"):
        kept.add(layers[0].name)
    if layers and choice.keep in ("last", "ends"):
        kept.add(layers[-1].name)
    return tuple(msgspec.structs.replace(c, kept=c.layer in kept) for c in costs)
