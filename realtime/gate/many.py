"""`Many`: the steps of a network with states, many at a time, in NumPy.

Used by `realtime.gate.ears` where nothing is compiled. A runtime takes a step at a time, for
the states of one step are an input of the next; most of what a step costs is the way into some
forty small operations. But only some of them wait for the step before. Here those that do not
are computed for all steps at once, and the others, as a recurrent layer's, step by step.

A step's scores are the same bits however many are computed with it: as in `realtime.spectrum`
every operation is one whose result for a row does not depend on the other rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from realtime.gate.touching import MATRICES, Range, joined, meet, paired, read_by, written_by
from realtime.runners.program import (
    ADD,
    BY_A,
    BY_B,
    CODE,
    COPY,
    MATRIX8,
    MUL,
    OUT,
    RELU,
    SIGMOID,
    SUB,
    A,
    B,
    M,
    N,
)
from realtime.runners.steps import Steps
from realtime.spectrum import BLOCK_WEIGHTS

Array = NDArray[np.float32]
Call = tuple[Callable[..., object], tuple[Any, ...]]

MOST: Final = 2 * BLOCK_WEIGHTS  # weights of a product; with more BLAS wakes its threads
UFUNCS: Final = {ADD: np.add, SUB: np.subtract, MUL: np.multiply}
ZERO, HALF = np.array(0.0, np.float32), np.array(0.5, np.float32)  # found quicker than numbers


class Many:
    """A network.

    Args:
        network: as a program.
        most: steps at once, at most. There is little to gain from more.
    """

    def __init__(self, network: Steps, most: int = 8) -> None:
        self._network, self.most = network, most
        states, sound = network.states, network.sound
        self._states: Range = states.at, states.at + states.size
        self._ops = paired(network.program.tolist(), network.array.size, network.scores.at)
        self._reads = [read_by(op) for op in self._ops]
        self._writes = [written_by(op) for op in self._ops]
        own = [(sound.at, sound.at + sound.size), *self._writes]
        self._rooms = joined(own, [r for reads in self._reads for r in reads])
        self._arrays = [np.zeros((most, end - begin), np.float32) for begin, end in self._rooms]
        # one row more: a step reads its row, and writes the next
        self._kept = np.zeros((most + 1, states.size), np.float32)
        self._parts = list(self._ordered())
        self._single = [
            [
                [_alone(call) for op in ops for call in self._calls(op, slice(i, i + 1))]
                for i in range(most)
            ]
            if recurrent
            else []
            for ops, recurrent in self._parts
        ]
        self._together: dict[int, list[list[Call]]] = {}

    def reset(self) -> None:
        """Set the states to zero."""
        self._kept[:] = 0.0

    def run(self, frames: Array) -> Array:
        """Take steps.

        Args:
            frames: float32 [steps, width]; as many as there may be, at most.

        Returns:
            What the program has for scores, float32 [steps, labels]; overwritten later.
        """
        count = len(frames)
        together = self._together.get(count)
        if together is None:
            together = self._together[count] = [
                [] if recurrent else [c for op in ops for c in self._calls(op, slice(0, count))]
                for ops, recurrent in self._parts
            ]
        sound, scores = self._network.sound, self._network.scores
        self._view(sound.at, sound.size, slice(0, count))[...] = frames
        for calls, steps in zip(together, self._single, strict=True):
            for function, arguments in calls:
                function(*arguments)
            for step in steps[:count]:
                for function, arguments in step:
                    function(*arguments)
        self._kept[0] = self._kept[count]
        return self._view(scores.at, scores.size, slice(0, count))

    def _ordered(self) -> Iterator[tuple[list[int], bool]]:
        """Operations in groups, each after all on which it depends; is it recurrent?"""
        count, (begin, end) = len(self._ops), self._states
        after = np.zeros((count, count), np.bool_)  # row before column
        for i, wrote in enumerate(self._writes):
            kept = begin <= wrote[0] < end  # for the next step
            for j, reads in enumerate(self._reads):
                after[i, j] = (kept or i < j) and any(meet(wrote, read) for read in reads)
        reach = after.copy()
        for k in range(count):
            reach |= reach[:, k : k + 1] & reach[k]
        left = list(range(count))
        while left:
            ready = (i for i in left if not any(reach[j, i] and not reach[i, j] for j in left))
            first = next(ready)
            group = [i for i in left if i == first or (reach[i, first] and reach[first, i])]
            left = [i for i in left if i not in group]
            yield group, bool(reach[first, first])

    def _view(self, at: int, size: int, rows: slice, later: int = 0) -> Array:
        """Numbers of the array, float32 [steps, size]; a constant's are the same in each."""
        begin, end = self._states
        if begin <= at < end:
            kept: Array = self._kept[rows.start + later : rows.stop + later]
            return kept[:, at - begin : at - begin + size]
        for (first, last), array in zip(self._rooms, self._arrays, strict=True):
            if first <= at < last:
                return array[rows, at - first : at - first + size]
        return self._network.array[None, at : at + size]

    def _calls(self, number: int, rows: slice) -> list[Call]:
        """What an operation calls for some steps."""
        op = self._ops[number]
        code, n, m = op[CODE], op[N], op[M]
        if code == COPY:
            target = self._grid(op[OUT], n, m, op[BY_B], rows, 1)
            return [(np.copyto, (target, self._grid(op[A], n, m, op[BY_A], rows)))]
        out = self._view(op[OUT], n, rows)
        if code in MATRICES:
            weights = self._weights(op)
            x, added = self._view(op[B], m, rows), self._view(op[BY_A], n, rows)
            parts = next(k for k in range(1, n + 1) if n % k == 0 and n * m <= k * MOST)
            blocks = np.ascontiguousarray(weights).reshape(parts, n // parts, m)
            result = out.reshape(len(out), parts, n // parts)
            return [(np.matvec, (blocks, x[:, None], result)), (np.add, (out, added, out))]
        a = self._view(op[A], n if op[BY_A] else 1, rows)
        if code in UFUNCS:
            b = self._view(op[B], n if op[BY_B] else 1, rows)
            return [(UFUNCS[code], (a, b, out))]
        if code == RELU:
            return [(_relu, (a, out))]
        if code == SIGMOID:  # without an exponential that overflows
            calls: list[Call] = [(np.multiply, (a, HALF, out)), (np.tanh, (out, out))]
            return [*calls, (np.multiply, (out, HALF, out)), (np.add, (out, HALF, out))]
        return [(np.tanh, (a, out))]

    def _weights(self, op: list[int]) -> Array:
        """A matrix, float32 [outputs, inputs]."""
        array, at, n, m = self._network.array, op[A], op[N], op[M]
        if op[CODE] == MATRIX8:
            whole = array.view(np.int8)[4 * at : 4 * at + n * m].reshape(m, n)
            return (whole * array[op[BY_B] : op[BY_B] + n]).T
        return array[at : at + n * m].reshape(m, n).T

    def _grid(
        self, at: int, n: int, m: int, distance: int, rows: slice, later: int = 0
    ) -> Array:
        """`n` pieces of `m` numbers, so far apart, float32 [steps, n, m]."""
        whole = self._view(at, (n - 1) * distance + m, rows, later)
        step, one = whole.strides
        grid: Array = as_strided(whole, (len(whole), n, m), (step, distance * one, one))
        return grid


def _relu(a: Array, out: Array) -> None:
    np.maximum(a, ZERO, out=out)


def _alone(call: Call) -> Call:
    """A call for one step without the axis of steps: NumPy is quickest with one dimension."""
    function, arguments = call
    if function is not np.matvec:
        return function, tuple(a[0] if np.ndim(a) > 1 else a for a in arguments)
    blocks, x, out = arguments
    if len(blocks) == 1:
        return blocks[0].dot, (x[0, 0], out[0, 0])
    return function, (blocks, x[0], out[0])
