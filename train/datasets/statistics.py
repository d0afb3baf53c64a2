"""`rt-train statistics`: mean and deviation of a recipe's features over its training clips.

A network learns best from values around 0 that are about 1 in size: without the normalisation
an AST lost most of its precision in the study of its authors' recipe.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import torch

from realtime.errors import UsageError
from train.datasets.shard_bank import open_recordings
from train.manifest import Row, pick
from train.recipe import Recipe
from train.torch_frontend import TorchFrontEnd


class Statistics(msgspec.Struct, frozen=True):
    """Over all values of all frames.

    Args:
        mean: in the features' unit.
        std: their deviation.
        clips: how many were heard.
        hours: of sound in them.
    """

    mean: float
    std: float
    clips: int
    hours: float


def statistics(recipe: Recipe, rows: Iterable[Row]) -> Statistics:
    """Mean and deviation of the features of the training clips, before `mean` and `std`.

    Clips are heard as they are, without what would fill up a window.

    Raises:
        UsageError: no training clip is as long as a frame.
    """
    spec = recipe.features
    mine = pick(rows, "train", "clip")
    (bank,), _ = open_recordings(recipe.data, mine, spec.rate)
    frontend = TorchFrontEnd(spec)
    count, total, squares, clips, samples = 0, 0.0, 0.0, 0, 0
    for i in range(len(mine)):
        clip = bank.clip(i)
        if not spec.frames_in(len(clip)):
            continue
        with torch.no_grad():
            frames = frontend(torch.from_numpy(clip)[None])
            if spec.window_mean:
                frames = frames - frames.mean(1, keepdim=True)
        values = frames.double().numpy()
        count, clips, samples = count + values.size, clips + 1, samples + len(clip)
        total += float(values.sum())
        squares += float(np.square(values).sum())
    if not count:
        raise UsageError(
            f"{recipe.data.manifest}: no training clip is as long as a frame",
            "check the manifest and features.frame",
        )
    mean = total / count
    deviation = max(squares / count - mean * mean, 0.0) ** 0.5
    return Statistics(mean, deviation, clips, samples / spec.rate / 3600)
