"""A checkpoint behind the Runner protocol: training and edge are judged by the same code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoint import load_model

Array = NDArray[np.float32]


class TorchRunner:
    """The torch network of a checkpoint.

    Args:
        path: `.safetensors` of rt-train.
        threads: CPU threads.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        torch.set_num_threads(max(1, threads))
        self.network, self.card = load_model(path)
        self.runtime = f"torch {torch.__version__}"

    def run(self, window: Array) -> Array:
        """Probabilities, float32 [labels], of features [frames, width]."""
        with torch.no_grad():
            logits = self.network(torch.from_numpy(np.array(window))[None, None])[0]
        how = self.card.scores
        if how.startswith("logit"):
            logits = logits.softmax(0) if how == "logit_softmax" else logits.sigmoid()
        scores: Array = logits.numpy()
        return scores

    def reset(self) -> None:
        """Nothing: whole windows have no state."""
