"""A program of plain operations on one array, and `run`, which goes through it.

`realtime.runners.steps` makes programs of networks. The compiled worker of `realtime.duplex`
runs them; as plain Python `run` is what tests look into.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

MATRIX, COPY, ADD, SUB, MUL, RELU, SIGMOID, TANH = range(8)
CODE, OUT, A, B, N, M, BY_A, BY_B = range(8)  # columns of a program
COLUMNS: Final = 8


def run(program: Any, array: Any) -> None:  # noqa: C901  one kernel, as in `kernels.py`
    """One step.

    Args:
        program: int64 [operations, COLUMNS].
        array: float32 [size], with the input in its place; the scores are then in theirs.
    """
    one = np.float32(1.0)
    for i in range(program.shape[0]):
        row, code = program[i].view(np.uint64), program[i, CODE]
        # unsigned: with signed indices numba looks for negative ones, and no loop is quick
        out, a, b, n, m, by_a, by_b = row[1], row[2], row[3], row[4], row[5], row[6], row[7]
        if code == MATRIX:
            for j in range(n):
                begin = a + j * m
                total = np.float32(0.0)
                for k in range(m):
                    total += array[begin + k] * array[b + k]
                array[out + j] = total + array[by_a + j]
        elif code == COPY:
            for j in range(n):
                for k in range(m):
                    array[out + j * by_b + k] = array[a + j * by_a + k]
        elif code == ADD:
            for j in range(n):
                array[out + j] = array[a + j * by_a] + array[b + j * by_b]
        elif code == SUB:
            for j in range(n):
                array[out + j] = array[a + j * by_a] - array[b + j * by_b]
        elif code == MUL:
            for j in range(n):
                array[out + j] = array[a + j * by_a] * array[b + j * by_b]
        elif code == RELU:
            for j in range(n):
                array[out + j] = max(array[a + j], np.float32(0.0))
        elif code == SIGMOID:
            for j in range(n):
                array[out + j] = one / (one + np.exp(-array[a + j]))
        else:
            for j in range(n):
                array[out + j] = np.tanh(array[a + j])
