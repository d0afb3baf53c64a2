"""`Thought`: what a worker keeps of its decisions, and its loop compiled where that can be.

`thought_of` joins the parts for `thinking.py`. It takes what `realtime.gate.ears` takes;
without that the worker's Python does the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime import kernels
from realtime.duplex import biquads, compiled, thinking
from realtime.duplex import layout as at
from realtime.duplex.arena import Arena
from realtime.duplex.layout import Memory
from realtime.features import FeatureSpec
from realtime.gate import ears, scoring
from realtime.gate.settings import GateSettings
from realtime.runners import Runner, program

MODULES: Final = (at, biquads, thinking, *ears.MODULES)
SPARE: Final = 64  # rows of the log that may be overwritten while it is read


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
        ears: the compiled front end and network, if there are some.
    """

    def __init__(self, settings: GateSettings) -> None:
        self.arena = Arena()
        self.counts = self.arena.put(np.zeros(thinking.COUNTS, np.int64))
        self.numbers = self.arena.put(np.zeros(thinking.NUMBERS))
        self.log = self.arena.put(np.zeros((thinking.LOG, 4)))
        self.ears: ears.CompiledEars | None = None
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
    put = thought.arena.put
    spec = runner.card.input.features
    own = ears.compiled_ears_of(runner, memory.ints[at.RATE], put)
    if spec is None or own is None:
        return None
    spec = spec.at_rate(memory.ints[at.RATE])
    if spec.frame < spec.hop + 1:
        return None
    thought.counts[thinking.WAKE] = wake
    thought.numbers[thinking.SCALE] = spec.scale
    thought.ears = own
    parts = (
        *(memory.words.view(np.int64), memory.words, memory.singles),
        *(thought.counts, thought.numbers, thought.log),
        put(np.zeros(spec.frame)),
        put(np.zeros(2 * at.MOST_SECTIONS * memory.ints[at.KEY_CHANNELS])),
        put(np.zeros(own.labels, np.float32)),
        *own.parts,
    )
    function = _function()
    thought.counts[thinking.STOP] = 1
    function(*parts)  # compiles, or takes it out of the cache
    thought.counts[thinking.STOP] = 0
    return lambda: function(*parts)


def warm(memory: Memory, runner: Runner) -> None:
    """Compile what `thought_of` needs, or take it out of the cache; while devices open."""
    spec = runner.card.input.features
    if spec is None or not compiled.available() or not kernels.available(spec):
        return
    with contextlib.suppress(Exception):  # `thought_of` meets it again
        _warm(memory, spec)


def _warm(memory: Memory, spec: FeatureSpec) -> None:
    counts = np.ones(thinking.COUNTS, np.int64)  # STOP
    table, array = np.zeros((0, program.COLUMNS), np.int64), np.zeros(1, np.float32)
    function = _function()
    scoring.step(table, array)
    function(
        *(memory.words.view(np.int64), memory.words, memory.singles, counts),
        *(np.zeros(thinking.NUMBERS), np.zeros((1, 4)), np.zeros(1), np.zeros(1)),
        *(np.zeros(1, np.float32), np.zeros(scoring.PLACES, np.int64)),
        *(np.zeros(scoring.AMOUNTS), np.zeros((1, 1), np.float32)),
        *(kernels.MelKernel(spec).tables, table, array),
    )


@cache
def _function() -> Any:
    """The loop, compiled when it is first called."""
    import numba
    from numba import types

    compiled.register()
    ears.functions()
    kind: Any = types.intp
    thinking.read = types.ExternalFunction(
        "read", kind(types.int32, types.voidptr, types.uintp)
    )
    for name in ("think", "due", "forget", "catch_up", "hear", "judge"):
        numba.extending.register_jitable(getattr(thinking, name))
    return ears.jit(_bound(ears.digest(*MODULES)))


def _bound(key: int) -> Callable[..., None]:
    """`think`, with a digest in its key."""

    def bound(
        ints: Any, words: Any, singles: Any, counts: Any, numbers: Any, log: Any,
        samples: Any, filtered: Any, scores: Any, places: Any, amounts: Any, mel: Any,
        tables: Any, program: Any, array: Any,
    ) -> None:  # fmt: skip
        if key:
            thinking.think(
                ints, words, singles, counts, numbers, log, samples, filtered, scores,
                places, amounts, mel, tables, program, array,
            )  # fmt: skip

    return bound
