"""`Thought`: what a worker keeps of its decisions, and its loop compiled where that can be.

`thought_of` joins the parts for `thinking.py`. It takes numba (extra `numba`), a model that
`realtime.runners.steps` can make a program of, whose scores it then compares with the
runtime's; otherwise the worker's Python does the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime import kernels
from realtime.card import Card
from realtime.duplex import biquads, compiled, thinking
from realtime.duplex import layout as at
from realtime.duplex.arena import Arena
from realtime.duplex.layout import Memory
from realtime.features import FeatureSpec
from realtime.gate.settings import GateSettings
from realtime.runners import Runner, program
from realtime.runners.steps import Steps, steps_of

MODULES = (at, biquads, kernels, program, thinking)
SUMS: Final = {"reassoc", "nsz", "contract"}  # lets a sum run in parallel lanes
SPARE: Final = 64  # rows of the log that may be overwritten while it is read
TRIAL: Final = 24  # steps that are compared with the runtime's,
CLOSE: Final = 1e-4  # and how near each score has to be

log = logging.getLogger("rt.realtime.duplex")


class Thought:
    """Decisions, and what they are made by.

    Args:
        settings: the gate's.

    Attributes:
        arena: holds these, and what the compiled loop works on.
        counts: int64 [thinking.COUNTS].
        numbers: float64 [thinking.NUMBERS].
        log: float64 [thinking.LOG, 4]: of the last decisions position, score, state, and the
            gain, as an amplitude, of what went out just then.
    """

    def __init__(self, settings: GateSettings) -> None:
        self.arena = Arena()
        self.counts = self.arena.put(np.zeros(thinking.COUNTS, np.int64))
        self.numbers = self.arena.put(np.zeros(thinking.NUMBERS))
        self.log = self.arena.put(np.zeros((thinking.LOG, 4)))
        self.numbers[thinking.MIN_OPEN_MS] = settings.min_open_ms
        self.counts[thinking.WHICH] = settings.score
        self.steer(settings)

    def steer(self, settings: GateSettings) -> None:
        """Take settings that may change while sound runs."""
        own = settings
        self.numbers[thinking.THRESHOLD] = own.threshold
        self.numbers[thinking.CLOSE_UNDER] = max(
            own.threshold - own.hysteresis, own.threshold / 2
        )
        self.numbers[thinking.HOLD_MS] = own.hold_ms
        self.numbers[thinking.CONFIRM] = own.confirm_score

    def since(self, number: int) -> NDArray[np.float64]:
        """Rows of the log after the decision of a number, as many as there still are.

        Returns:
            float64 [decisions, 5]: the number before what the log has.
        """
        last = int(self.counts[thinking.DECISIONS])
        numbers = np.arange(max(number, last - thinking.LOG + SPARE) + 1, last + 1)
        return np.column_stack([numbers, self.log[(numbers - 1) % thinking.LOG]])

    def score_at(self, position: int) -> float | None:
        """The score of the decision at a position, if it is remembered."""
        found = np.flatnonzero(self.log[:, 0] == position)
        return float(self.log[found[-1], 1]) if len(found) else None


def thought_of(
    memory: Memory, wake: int, runner: Runner, thought: Thought
) -> Callable[[], None] | None:
    """The worker's loop, compiled; None where that cannot be.

    Args:
        memory: shared with the sound process, prepared.
        wake: the eventfd that the sound process writes to.
        runner: the model.
        thought: where the loop keeps its numbers.
    """
    card, rate = runner.card, memory.ints[at.RATE]
    spec = card.input.features
    if spec is None or spec.kind != "mel" or spec.log != "ln":
        return None
    spec = spec.at_rate(rate)
    if not kernels.available(spec) or spec.preemphasis or spec.frame < spec.hop + 1:
        return None
    network = _network(runner)
    if network is None:
        return None
    function, step = _functions()
    if not _agrees(runner, network, step):
        log.debug("%s: its program differs from the runtime", card.name)
        return None
    counts, numbers = thought.counts, thought.numbers
    counts[thinking.WAKE] = wake
    counts[thinking.SOUND], counts[thinking.SCORES] = network.sound.at, network.scores.at
    counts[thinking.LABELS] = network.scores.size
    counts[thinking.STATES] = network.states.at
    counts[thinking.STATES_END] = network.states.at + network.states.size
    counts[thinking.HOP], counts[thinking.LOGIT] = spec.hop, card.scores == "logit"
    counts[thinking.MAGNITUDE], counts[thinking.REMOVE_DC] = spec.power == 1, spec.remove_dc
    numbers[thinking.SCALE], numbers[thinking.FLOOR] = spec.scale, spec.log_floor
    numbers[thinking.MEAN], numbers[thinking.STD] = spec.mean, spec.std
    put = thought.arena.put
    parts = (
        *(memory.words.view(np.int64), memory.words, memory.singles),
        *(counts, numbers, thought.log),
        put(np.zeros(spec.frame)),
        put(np.zeros(2 * at.MOST_SECTIONS * memory.ints[at.KEY_CHANNELS])),
        put(np.zeros((1, spec.mels), np.float32)),
        tuple(put(table) for table in kernels.MelKernel(spec).tables),
        *(put(network.program), put(network.array)),
    )
    counts[thinking.STOP] = 1
    function(*parts)  # compiles, or takes it out of the cache
    counts[thinking.STOP] = 0
    return lambda: function(*parts)


def warm(memory: Memory, runner: Runner) -> None:
    """Compile what `thought_of` needs, or take it out of the cache; while devices open."""
    spec = runner.card.input.features
    if spec is None or not compiled.available() or not kernels.available(spec):
        return
    with contextlib.suppress(Exception):  # `thought_of` meets it again
        _warm(memory, spec)


def _warm(memory: Memory, spec: FeatureSpec) -> None:
    function, step = _functions()
    counts = np.ones(thinking.COUNTS, np.int64)  # STOP
    table, array = np.zeros((0, program.COLUMNS), np.int64), np.zeros(1, np.float32)
    step(table, array)
    function(
        *(memory.words.view(np.int64), memory.words, memory.singles, counts),
        *(np.zeros(thinking.NUMBERS), np.zeros((1, 4)), np.zeros(1), np.zeros(1)),
        *(np.zeros((1, 1), np.float32), kernels.MelKernel(spec).tables, table, array),
    )


def _network(runner: Runner) -> Steps | None:
    """The model as a program."""
    path = getattr(runner, "path", None)
    card: Card = runner.card
    if path is None or card.scores not in ("sigmoid", "logit"):
        return None
    return steps_of(Path(path).read_bytes(), card, *runner.names)  # type: ignore[attr-defined]


def _agrees(runner: Runner, network: Steps, step: Callable[..., None]) -> bool:
    """Whether a program gives the runtime's scores."""
    rng = np.random.default_rng(0)
    array = network.array.copy()
    here, there = network.sound, network.scores
    runner.reset()
    try:
        for _ in range(TRIAL):
            frame = rng.normal(0.0, 1.5, here.shape).astype(np.float32)
            array[here.at : here.at + here.size] = frame.ravel()
            step(network.program, array)
            own = array[there.at : there.at + there.size].astype(np.float64)
            if runner.card.scores == "logit":
                own = 1.0 / (1.0 + np.exp(-own))
            if not np.allclose(own, runner.run(frame[0]), atol=CLOSE):
                return False
    finally:
        runner.reset()
    return True


@cache
def _functions() -> tuple[Any, Any]:
    """The loop and a step of the network, compiled when they are first called."""
    import numba
    from numba import types

    compiled.register()
    kind: Any = types.intp
    thinking.read = types.ExternalFunction(
        "read", kind(types.int32, types.voidptr, types.uintp)
    )
    for name in ("think", "due", "forget", "catch_up", "hear", "score", "judge"):
        numba.extending.register_jitable(getattr(thinking, name))

    def jit(function: Callable[..., Any], **more: Any) -> Any:
        options = {"nogil": True, "error_model": "numpy", **more}
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # no folder to cache in
            return numba.njit(**options)(function)

    thinking.step = jit(program.run, fastmath=SUMS)
    thinking.rows = kernels.rows()
    return jit(_bound(_digest())), thinking.step


def _digest() -> int:
    """As in `compiled.py`: numba does not see a change in another file."""
    sources = "".join(inspect.getsource(module) for module in MODULES)
    return int(hashlib.sha256(sources.encode()).hexdigest()[:15], 16) + 1


def _bound(digest: int) -> Callable[..., None]:
    """`think`, with the digest in its key."""

    def bound(
        ints: Any, words: Any, singles: Any, counts: Any, numbers: Any, log: Any,
        samples: Any, filtered: Any, mel: Any, tables: Any, program: Any, array: Any,
    ) -> None:  # fmt: skip
        if digest:
            thinking.think(
                ints, words, singles, counts, numbers, log, samples, filtered, mel, tables,
                program, array,
            )  # fmt: skip

    return bound
