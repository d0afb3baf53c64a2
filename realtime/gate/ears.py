"""`CompiledEars`: the front end and the network of a gate as one compiled function.

Used by `Scorer` for long sound and by the worker of `realtime.duplex` for live sound. It takes
numba (extra `numba`), and a model that `realtime.runners.steps` can make a program of, whose
scores are then compared with the runtime's. `ears_of` gives None for any other.

numba takes half a second to load, and some seconds to compile what is not in its cache yet: so
this is asked for, never found.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime import kernels
from realtime.card import Card
from realtime.features import FeatureSpec
from realtime.gate import scoring
from realtime.runners import Runner, program
from realtime.runners.steps import Steps, steps_of

Array = NDArray[Any]

MODULES: Final = (kernels, program, scoring)
SUMS: Final = {"reassoc", "nsz", "contract"}  # lets a sum run in parallel lanes
TRIAL: Final = 24  # steps that are compared with the runtime's,
CLOSE: Final = 1e-4  # and how near each score has to be

log = logging.getLogger("rt.realtime.gate")


class CompiledEars:
    """The front end and the network, and their states.

    Args:
        spec: the front end at the rate of the sound.
        card: the model's.
        network: the model as a program.
        put: where arrays are to lie: makes a copy of each.

    Attributes:
        parts: what `scoring.score` takes between the samples' begin and the scores.
        labels: scores of a decision.
    """

    def __init__(
        self, spec: FeatureSpec, card: Card, network: Steps, put: Callable[[Array], Array]
    ) -> None:
        places, amounts = np.zeros(scoring.PLACES, np.int64), np.zeros(scoring.AMOUNTS)
        places[scoring.SOUND], places[scoring.SCORES] = network.sound.at, network.scores.at
        places[scoring.LABELS] = network.scores.size
        places[scoring.STATES] = network.states.at
        places[scoring.STATES_END] = network.states.at + network.states.size
        places[scoring.HOP], places[scoring.LOGIT] = spec.hop, card.scores == "logit"
        places[scoring.MAGNITUDE], places[scoring.REMOVE_DC] = spec.power == 1, spec.remove_dc
        amounts[scoring.FLOOR] = spec.log_floor
        amounts[scoring.MEAN], amounts[scoring.STD] = spec.mean, spec.std
        self.parts = (
            *(put(places), put(amounts), put(np.zeros((1, spec.mels), np.float32))),
            tuple(put(table) for table in kernels.MelKernel(spec).tables),
            *(put(network.program), put(network.array)),
        )
        self._places, self._array = self.parts[0], self.parts[-1]
        self.labels = network.scores.size
        self._score_all = functions()
        self.hear(np.zeros(spec.frame + 1), np.zeros(0, np.int64))  # compiles, or loads it

    @property
    def bad_scores(self) -> int:
        """Decisions whose scores were no numbers, since the start."""
        return int(self._places[scoring.BAD])

    def reset(self) -> None:
        """Start after silence."""
        scoring.forget(self._places, self._array)

    def hear(
        self, samples: NDArray[np.float64], begins: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Score frames, one after the other.

        Args:
            samples: float64 [n], contiguous, with a sample before each frame.
            begins: where each frame begins in them, int64 [decisions].

        Returns:
            float32 [decisions, labels].
        """
        scores = np.zeros((len(begins), self.labels), np.float32)
        self._score_all(samples, begins, *self.parts, scores)
        return scores


def ears_of(
    runner: Runner, rate: int, put: Callable[[Array], Array] = np.array
) -> CompiledEars | None:
    """Compile a gate; None where that cannot be.

    Args:
        runner: the model; its states are zero afterwards.
        rate: Hz of the sound.
        put: as in `CompiledEars`.
    """
    card = runner.card
    spec = card.input.features
    if spec is None or spec.kind != "mel" or spec.log != "ln":
        return None
    spec = spec.at_rate(rate)
    if not kernels.available(spec) or spec.preemphasis:
        return None
    network = _network(runner)
    if network is None:
        return None
    functions()
    if not _agrees(runner, network):
        log.debug("%s: its program differs from the runtime", card.name)
        return None
    return CompiledEars(spec, card, network, put)


def _network(runner: Runner) -> Steps | None:
    """The model as a program."""
    path = getattr(runner, "path", None)
    card = runner.card
    if path is None or card.scores not in ("sigmoid", "logit"):
        return None
    return steps_of(Path(path).read_bytes(), card, *runner.names)  # type: ignore[attr-defined]


def _agrees(runner: Runner, network: Steps) -> bool:
    """Whether a program gives the runtime's scores."""
    rng = np.random.default_rng(0)
    array = network.array.copy()
    here, there = network.sound, network.scores
    runner.reset()
    try:
        for _ in range(TRIAL):
            frame = rng.normal(0.0, 1.5, here.shape).astype(np.float32)
            array[here.at : here.at + here.size] = frame.ravel()
            scoring.step(network.program, array)
            own = array[there.at : there.at + there.size].astype(np.float64)
            if runner.card.scores == "logit":
                own = 1.0 / (1.0 + np.exp(-own))
            if not np.allclose(own, runner.run(frame[0]), atol=CLOSE):
                return False
    finally:
        runner.reset()
    return True


@cache
def functions() -> Callable[..., None]:
    """`scoring.score_all`, compiled when first called; what calls it can be compiled."""
    import numba

    for function in (program.exp, scoring.score, scoring.score_all, scoring.forget):
        numba.extending.register_jitable(function)
    scoring.step = jit(program.run, fastmath=SUMS)
    scoring.rows = kernels.rows()
    compiled: Callable[..., None] = jit(_bound(digest(*MODULES)))
    return compiled


def jit(function: Callable[..., Any], **more: Any) -> Any:
    """Let numba compile a function, without the lock of Python, and keep it."""
    import numba

    options = {"nogil": True, "error_model": "numpy", **more}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to cache in
        return numba.njit(**options)(function)


def digest(*modules: ModuleType) -> int:
    """A number for what is written in modules: numba does not see a change in another file.

    As a constant of a function it is a part of its key in the cache.
    """
    sources = "".join(inspect.getsource(module) for module in modules)
    return int(hashlib.sha256(sources.encode()).hexdigest()[:15], 16) + 1


def _bound(key: int) -> Callable[..., None]:
    """`score_all`, with a digest in its key."""

    def bound(
        samples: Any, begins: Any, places: Any, amounts: Any, mel: Any, tables: Any,
        program: Any, array: Any, scores: Any,
    ) -> None:  # fmt: skip
        if key:
            scoring.score_all(
                samples, begins, places, amounts, mel, tables, program, array, scores
            )  # fmt: skip

    return bound
