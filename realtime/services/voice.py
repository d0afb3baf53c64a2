"""`Person`: whether a person is heard in a clip, by the shipped voice gate.

Used by the clips' thread with `--no-voice`. What it cannot hear out it takes for a person.
"""

from __future__ import annotations

import itertools
import logging

import numpy as np
from numpy.typing import NDArray

from realtime.gate.scorer import Scorer
from realtime.library import find_model
from realtime.runners import open_runner

GATE = "voice"
SURE = 0.9  # score, of the widest look-ahead that the gate has
ENOUGH_S = 0.05  # in a row; tests/bench/bench_person.py says what this lets through
SETTLE_S = 0.5  # of faint noise before the clip: digital silence misleads the network
NOISE = 1e-4

log = logging.getLogger("rt.realtime.voice")


class Person:
    """Hears persons.

    Args:
        model: the gate, a shipped name or a file.

    Raises:
        ModelError: it cannot be used.
    """

    def __init__(self, model: str = GATE) -> None:
        self._runner = open_runner(find_model(model, ""))
        self._noise = np.random.default_rng(0)

    def __call__(self, audio: NDArray[np.float32], rate: int) -> bool:
        """Whether a person is heard.

        Args:
            audio: float32 [samples].
            rate: Hz.
        """
        try:
            scorer = Scorer(self._runner, rate)
            quiet = self._noise.normal(0.0, NOISE, round(SETTLE_S * rate)).astype(np.float32)
            scorer.process(quiet)
            hop_s = self._runner.card.hop_s
            heard = [float(scores[-1]) >= SURE for _, _, scores in scorer.process(audio)]
        except Exception:  # privacy goes before the clip
            log.exception("the voice gate failed: the clip is not kept")
            return True
        runs = (len(list(run)) for sure, run in itertools.groupby(heard) if sure)
        return hop_s * max(runs, default=0) >= ENOUGH_S
