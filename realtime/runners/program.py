"""A program of plain operations on one array, and `run`, which goes through it.

`realtime.runners.steps` makes programs of networks. The compiled gates of `realtime.gate` and
`realtime.duplex` run them; as plain Python `run` is what tests look into.

A matrix of whole numbers of eight bits takes a quarter of the memory, and so less time where
other programs have filled the caches; its rows have a scale each.

Compiled, every inner loop goes over numbers that lie side by side and do not depend on one
another, so that the processor takes several at once: a matrix is a sum of its columns, and the
exponential is a polynomial, not a call for each number.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

# numba takes these as constants; see `realtime.kernels`
U1: Any = np.uint64(1)
U2: Any = np.uint64(2)
U3: Any = np.uint64(3)
U4: Any = np.uint64(4)
LARGEST: Final = 20.0  # beyond it sigmoid and tanh are 0 or 1, to 2e-9

MATRIX, COPY, ADD, SUB, MUL, RELU, SIGMOID, TANH, MATRIX8 = range(9)
CODE, OUT, A, B, N, M, BY_A, BY_B = range(8)  # columns of a program
COLUMNS: Final = 8


def run(program: Any, array: Any) -> None:  # noqa: C901  one kernel, as in `kernels.py`
    """One step.

    Args:
        program: int64 [operations, COLUMNS].
        array: float32 [size], with the input in its place; the scores are then in theirs.
            Numbers of eight bits lie in it four to a place.
    """
    whole = array.view(np.int8)
    for i in range(program.shape[0]):
        row, code = program[i].view(np.uint64), program[i, CODE]
        # unsigned: with signed indices numba looks for negative ones, and no loop is quick
        out, a, b, n, m, by_a, by_b = row[1], row[2], row[3], row[4], row[5], row[6], row[7]
        if code == MATRIX:
            for j in range(n):
                array[out + j] = array[by_a + j]
            for k in range(m // U4):
                at, x = a + U4 * k * n, b + U4 * k
                x0, x1, x2, x3 = array[x], array[x + U1], array[x + U2], array[x + U3]
                for j in range(n):
                    w = at + j
                    one = array[w] * x0 + array[w + n] * x1
                    other = array[w + U2 * n] * x2 + array[w + U3 * n] * x3
                    array[out + j] += one + other
            for k in range(m // U4 * U4, m):
                for j in range(n):
                    array[out + j] += array[a + k * n + j] * array[b + k]
        elif code == MATRIX8:
            for j in range(n):
                array[out + j] = np.float32(0.0)
            for k in range(m // U4):
                at, x = U4 * a + U4 * k * n, b + U4 * k
                x0, x1, x2, x3 = array[x], array[x + U1], array[x + U2], array[x + U3]
                for j in range(n):
                    w = at + j
                    one = np.float32(whole[w]) * x0 + np.float32(whole[w + n]) * x1
                    other = (
                        np.float32(whole[w + U2 * n]) * x2 + np.float32(whole[w + U3 * n]) * x3
                    )
                    array[out + j] += one + other
            for k in range(m // U4 * U4, m):
                for j in range(n):
                    array[out + j] += np.float32(whole[U4 * a + k * n + j]) * array[b + k]
            for j in range(n):
                array[out + j] = array[out + j] * array[by_b + j] + array[by_a + j]
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
                array[out + j] = np.float32(1.0 / (1.0 + exp(-float(array[a + j]))))
        else:
            for j in range(n):
                e = exp(-2.0 * float(array[a + j]))
                array[out + j] = np.float32((1.0 - e) / (1.0 + e))


def exp(x: float) -> float:
    """Euler's number to the power of `x`, at most of `LARGEST`, to a relative 1e-10.

    By Taylor's polynomial for a 128th of it, and seven squarings.
    """
    x = -LARGEST if x < -LARGEST else x  # so that NaN remains
    x = LARGEST if x > LARGEST else x
    t = x * (1.0 / 128.0)
    e = 1.0 + t * (1.0 / 5.0) * (1.0 + t * (1.0 / 6.0) * (1.0 + t * (1.0 / 7.0)))
    e = 1.0 + t * (1.0 / 2.0) * (1.0 + t * (1.0 / 3.0) * (1.0 + t * (1.0 / 4.0) * e))
    e = 1.0 + t * e
    for _ in range(7):
        e *= e
    return e
