"""What the operations of a program read and write, and which two of them can be one.

Used by `realtime.gate.many`. Programs are those of `realtime.runners.program`, as rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from realtime.runners.program import (
    ADD,
    BY_A,
    BY_B,
    CODE,
    COPY,
    MATRIX,
    MATRIX8,
    MUL,
    OUT,
    SUB,
    A,
    B,
    M,
    N,
)

Range = tuple[int, int]  # begin and end in the program's array

TWO_SIDED: Final = (ADD, SUB, MUL)
MATRICES: Final = (MATRIX, MATRIX8)


def paired(ops: list[list[int]], size: int, scores: int) -> list[list[int]]:
    """One operation in place of two that do the same to neighbours, as to two gates of a layer.

    Args:
        ops: the program; rows are changed.
        size: of the array; new results lie beyond it.
        scores: a result that stays where it is.
    """
    while (pair := next(_pairs(ops, scores), None)) is not None:
        low, high = pair
        n, first = low[N], min(ops.index(low), ops.index(high))
        ops[first] = [*low]
        ops[first][OUT], ops[first][N] = size, 2 * n
        ops = [op for op in ops if op is not low and op is not high]
        for op in ops:
            for column in _columns(op):
                for old, new in ((low[OUT], size), (high[OUT], size + n)):
                    if old <= op[column] < old + n:
                        op[column] += new - old
        size += 2 * n
    return ops


def _pairs(ops: list[list[int]], scores: int) -> Iterator[tuple[list[int], list[int]]]:
    """Two operations that can be one, that on the lower numbers first."""
    for i, one in enumerate(ops):
        for j in range(i + 1, len(ops)):
            for low, high in ((one, ops[j]), (ops[j], one)):
                columns = _columns(low)
                alike = all(low[c] == high[c] for c in (CODE, N, BY_A, BY_B))
                plain = low[CODE] not in (*MATRICES, COPY) and low[BY_A] == low[BY_B] == 1
                beside = all(low[c] + low[N] == high[c] for c in columns)
                if not (alike and plain and beside) or scores in (low[OUT], high[OUT]):
                    continue
                own = [written_by(low), written_by(high)]
                early = any(meet(written_by(op), r) for op in ops[i:j] for r in read_by(ops[j]))
                reads = [r for op in ops for r in read_by(op)]
                split = any(
                    meet(r, w) and not (w[0] <= r[0] and r[1] <= w[1])
                    for r in reads
                    for w in own
                )
                if not early and not split:
                    yield low, high


def _columns(op: Sequence[int]) -> tuple[int, ...]:
    """Where a row says what the operation reads, without weights."""
    if op[CODE] in MATRICES:
        return (B,)
    return (A, B) if op[CODE] in TWO_SIDED else (A,)


def read_by(op: Sequence[int]) -> list[Range]:
    """What an operation reads, without weights."""
    code, n, m = op[CODE], op[N], op[M]
    if code in MATRICES:
        return [(op[B], op[B] + m)]
    if code == COPY:
        return [(op[A], op[A] + (n - 1) * op[BY_A] + m)]
    by = {A: BY_A, B: BY_B}
    return [(op[c], op[c] + (n if op[by[c]] else 1)) for c in _columns(op)]


def written_by(op: Sequence[int]) -> Range:
    """What an operation writes, from its first to its last number."""
    extent = (op[N] - 1) * op[BY_B] + op[M] if op[CODE] == COPY else op[N]
    return op[OUT], op[OUT] + extent


def meet(one: Range, other: Range) -> bool:
    """Whether two ranges have a number in common."""
    return one[0] < other[1] and other[0] < one[1]


def joined(written: Sequence[Range], read: Sequence[Range]) -> list[Range]:
    """Ranges that are written, each joined with all that it meets."""
    rooms: list[Range] = []
    ranges = {r for r in (*written, *read) if any(meet(r, w) for w in written)}
    for begin, end in sorted(ranges):
        if rooms and begin < rooms[-1][1]:
            rooms[-1] = rooms[-1][0], max(rooms[-1][1], end)
        else:
            rooms.append((begin, end))
    return rooms
