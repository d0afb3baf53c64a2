"""What a gate does at every decision until its scores, as numba compiles it.

A frame of samples becomes mel bands, these a step of the network. Files and pipes hear many
decisions at a call (`score_all`), live sound one (`score`), in `realtime.duplex.thinking`: the
same instructions, so the same scores to the bit.

The front end is `realtime.kernels`, the network `realtime.runners.program`. `ears.py` puts
both, compiled, into `rows` and `step`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# whole numbers
SOUND, SCORES, LABELS, STATES, STATES_END, HOP, LOGIT, MAGNITUDE, REMOVE_DC, BAD = range(10)
PLACES = 10
# numbers
FLOOR, MEAN, STD = range(3)
AMOUNTS = 3

# compiled functions, put here by `ears.py`
rows: Any = None
step: Any = None


def score(
    samples: Any,
    begin: int,
    places: Any,
    amounts: Any,
    mel: Any,
    tables: Any,
    program: Any,
    array: Any,
    scores: Any,
) -> None:
    """Score the frame that begins at a sample.

    Args:
        samples: float64 [n], scaled as the model wants them.
        begin: index into it.
        places: int64 [PLACES]; counts BAD, decisions whose scores were no numbers.
        amounts: float64 [AMOUNTS].
        mel: room for mel energies, float32 [1, mels].
        tables: of `MelKernel`.
        program: of `Steps`,
        array: and its array, with the states.
        scores: float32 [labels], filled; what is no number is taken as 0, and the states begin
            anew.
    """
    rows(
        samples, begin, mel, places[HOP], 0.0, places[REMOVE_DC] != 0, places[MAGNITUDE] != 0,
        *tables,
    )  # fmt: skip
    floor, mean, std = np.float32(amounts[FLOOR]), np.float32(amounts[MEAN]), amounts[STD]
    for i in range(mel.shape[1]):
        feature = np.log(max(mel[0, i], floor))
        array[places[SOUND] + i] = (feature - mean) / np.float32(std)
    step(program, array)
    total = 0.0
    for i in range(places[LABELS]):
        found = float(array[places[SCORES] + i])
        total += found
        if places[LOGIT]:
            found = 1.0 / (1.0 + math.exp(-found))
        scores[i] = np.float32(found)
    if not math.isfinite(total):
        array[places[STATES] : places[STATES_END]] = 0.0
        places[BAD] += 1
        scores[:] = np.float32(0.0)


def score_all(
    samples: Any,
    begins: Any,
    places: Any,
    amounts: Any,
    mel: Any,
    tables: Any,
    program: Any,
    array: Any,
    scores: Any,
) -> None:
    """Score one frame after another, as `score` does.

    Args:
        samples: as there, and so all that is not said here,
        begins: where the frames begin, int64 [n].
        places: int64 [PLACES],
        amounts: float64 [AMOUNTS],
        mel: float32 [1, mels],
        tables: of `MelKernel`,
        program: of `Steps`,
        array: and its array.
        scores: float32 [n, labels], filled.
    """
    for i in range(begins.shape[0]):
        score(
            samples, begins[i], places, amounts, mel, tables, program, array, scores[i]
        )  # fmt: skip


def forget(places: Any, array: Any) -> None:
    """Set the states to zero."""
    array[places[STATES] : places[STATES_END]] = 0.0
