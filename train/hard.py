"""`Hard`: parts of talk and of noises that a network takes for a word it should find.

A tagger that listens all day hears far more talk and noise than words, and most of it is
easy. The parts that are not are drawn often: those to which the network with which the training
begins gives a word's score. Source: Sung and Poggio, "Example-Based Learning for View-Based
Human Face Detection" (1998), who call it bootstrapping; today it is hard negative mining.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

HOP_S = 0.1  # between two parts that are looked at
EASY = 0.002  # how often a part is drawn to which no word is given, against a sure one's 1
ROWS = 256  # windows that are scored at a time

Array = NDArray[np.float32]


class Hard:
    """Windows of what is no word, drawn by how much they sound like a word.

    Args:
        clips: recordings without any word, float32 [samples] each.
        size: samples of a window.
        rate: Hz.
        features: of windows [rows, samples] those that the network takes [rows, ...].
        network: gives logits [rows, labels].
        background: which labels are no word, bool [labels].

    Attributes:
        chances: of the windows, float64; 1 is a sure word.
    """

    def __init__(
        self, clips: Sequence[Array], size: int, rate: int,
        features: Callable[[Tensor], Tensor], network: nn.Module, background: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        hop = round(HOP_S * rate)
        places = [
            (number, at)
            for number, clip in enumerate(clips)
            for at in range(0, max(1, len(clip) - size + 1), hop)
        ]
        self._places = np.array(places, np.int64).reshape(-1, 2)
        words = torch.from_numpy(~background)
        found = np.zeros(len(places))
        network.eval()
        with torch.no_grad():
            for first in range(0, len(places), ROWS):
                here = self._places[first : first + ROWS]
                x = np.zeros((len(here), size), np.float32)
                for out, (number, at) in zip(x, here, strict=True):
                    part = clips[number][at : at + size]
                    out[: len(part)] = part
                scores = network(features(torch.from_numpy(x))[:, None]).softmax(1)
                found[first : first + ROWS] = scores[:, words].amax(1).numpy()
        self.chances = found + EASY
        self._sum = np.cumsum(self.chances)

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """A window: which clip, and its first sample."""
        place = np.searchsorted(self._sum, rng.uniform(0.0, self._sum[-1]), side="right")
        number, at = self._places[min(int(place), len(self._places) - 1)]
        return int(number), int(at)
