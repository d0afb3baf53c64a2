"""Who hears for a gate: `ears_of` chooses; `CompiledEars` is front end and network compiled.

Used by `Scorer`, and by the worker of `realtime.duplex` for live sound. Ears of our own take a
model that `realtime.runners.steps` can make a program of, whose scores are then compared with
the runtime's; any other model is the runtime's affair. The compiled ones take numba (extra
`numba`), which takes half a second to load, and some seconds to compile what is not in its
cache yet: so they are asked for, never found.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Callable, Sequence
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
from realtime.gate.front import GateFront
from realtime.gate.plain_ears import Ears, ManyEars, RuntimeEars, Scores
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
        nothing = np.zeros(1), np.zeros(0, np.int64), *self.parts, np.zeros((0, 1), np.float32)
        self._score_all(*nothing)  # compiles it, or loads it

    @property
    def bad_scores(self) -> int:
        """Decisions whose scores were no numbers, since the start."""
        return int(self._places[scoring.BAD])

    def reset(self) -> None:
        """Start after silence."""
        scoring.forget(self._places, self._array)

    def hear(self, front: GateFront, first: int, ends: Sequence[int]) -> Scores:
        """See `realtime.gate.plain_ears.Ears`."""
        scores = np.zeros((len(ends), self.labels), np.float32)
        self._score_all(front.buffer, front.begins(ends), *self.parts, scores)
        return scores


def ears_of(runner: Runner, rate: int, compiled: bool) -> Ears:
    """The best ears for a model.

    Args:
        runner: the model; its states are zero afterwards.
        rate: Hz of the sound.
        compiled: `CompiledEars`, if that can be.
    """
    if compiled:
        try:
            own = compiled_ears_of(runner, rate)
        except Exception:  # whatever becomes of a compiler, NumPy remains
            log.warning("the gate cannot be compiled; it costs more", exc_info=True)
            own = None
        if own is not None:
            return own
    network = _network(runner)
    if network is not None:
        many = ManyEars(network, runner.card.scores == "logit")
        if _agrees(runner, many.score):
            many.reset()
            return many
    return RuntimeEars(runner)


def compiled_ears_of(
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
    array, here, there = network.array.copy(), network.sound, network.scores

    def score(frames: Scores) -> Scores:
        found = []
        for frame in frames:
            array[here.at : here.at + here.size] = frame
            scoring.step(network.program, array)
            found.append(array[there.at : there.at + there.size].copy())
        own = np.array(found, np.float32)
        if card.scores == "logit":
            own = 0.5 * np.tanh(0.5 * own) + 0.5
        return own

    return CompiledEars(spec, card, network, put) if _agrees(runner, score) else None


def _network(runner: Runner) -> Steps | None:
    """The model as a program."""
    path = getattr(runner, "path", None)
    card = runner.card
    if path is None or card.scores not in ("sigmoid", "logit"):
        return None
    return steps_of(Path(path).read_bytes(), card, *runner.names)  # type: ignore[attr-defined]


def _agrees(runner: Runner, score: Callable[[Scores], Scores]) -> bool:
    """Whether ears of our own, from their start on, give the runtime's scores."""
    width = runner.card.input.features.width if runner.card.input.features else 0
    frames = np.random.default_rng(0).normal(0.0, 1.5, (TRIAL, width)).astype(np.float32)
    runner.reset()
    told = np.array([runner.run(frame[None]) for frame in frames])
    runner.reset()
    same = np.allclose(score(frames), told, atol=CLOSE)
    if not same:
        log.debug("%s: its program differs from the runtime", runner.card.name)
    return same


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
