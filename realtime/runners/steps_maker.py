"""`StepsMaker`: gives every tensor of a graph its place, and writes the program.

Used by `realtime.runners.steps`. It knows the operations of which the shipped gates are made,
for one row and fixed shapes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.runners.graph import Node
from realtime.runners.program import (
    ADD,
    COLUMNS,
    COPY,
    MATRIX,
    MATRIX8,
    MUL,
    RELU,
    SIGMOID,
    SUB,
    TANH,
)

Shape = tuple[int, ...]
Array = NDArray[np.float32]

LINE: Final = 16  # numbers in a line of the cache
ELEMENTWISE = {"Add": ADD, "Sub": SUB, "Mul": MUL, "Relu": RELU, "Sigmoid": SIGMOID}
ELEMENTWISE |= {"Tanh": TANH}


class Place(msgspec.Struct, frozen=True):
    """A tensor in the array: where it begins, and its shape."""

    at: int
    shape: Shape

    @property
    def size(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)


class Unknown(ValueError):  # noqa: N818  says what happened
    """An operation that is not known here."""


class StepsMaker:
    """Makes a program, node by node.

    Args:
        constants: of the graph, by name.
    """

    def __init__(self, constants: Mapping[str, NDArray[Any]]) -> None:
        self._constants = constants
        self._places: dict[str, Place] = {}
        self._whole: dict[str, tuple[NDArray[np.int8], Array]] = {}  # weights and their scales
        self._filled: list[tuple[int, Array]] = []
        self._rows: list[tuple[int, ...]] = []
        self._size = 0

    def name(self, name: str, shape: Shape) -> Place:
        """Room for an input."""
        place = self._places[name] = self._room(shape)
        return place

    def place(self, name: str) -> Place:
        """Where a tensor is; a constant is put there when it is first asked for."""
        if name not in self._places:
            value = self._constants[name]
            if value.dtype != np.float32:
                raise Unknown(name)
            self._places[name] = self._put(value)
        return self._places[name]

    def emit(self, *row: int) -> None:
        """Write an operation."""
        self._rows.append(row)

    def finish(self) -> tuple[NDArray[np.int64], Array]:
        """The program and the array."""
        array = np.zeros(self._size, np.float32)
        for at, values in self._filled:
            array[at : at + values.size] = values.ravel()
        return np.array(self._rows, np.int64).reshape(-1, COLUMNS), array

    def add(self, node: Node) -> None:
        """The next operation."""
        if node.kind == "DequantizeLinear":
            self._whole[node.outputs[0]] = self._dequantize(node)
            return
        if node.kind == "Split":
            for name, place in zip(node.outputs, self._split(node), strict=True):
                self._places[name] = place
            return
        if node.kind in ELEMENTWISE:
            made = self._elementwise(node)
        elif node.kind in ("Gemm", "Concat", "Slice", "Gather"):
            made = getattr(self, f"_{node.kind.lower()}")(node)
        else:
            place = self.place(node.inputs[0])
            made = Place(place.at, self._same(node, place.shape))
            if made.size != place.size:
                raise Unknown(node.kind)
        self._places[node.outputs[0]] = made

    def _room(self, shape: Shape) -> Place:
        at = self._size
        self._size += -(-max(1, math.prod(shape)) // LINE) * LINE
        return Place(at, shape)

    def _put(self, value: Array) -> Place:
        place = self._room(value.shape)
        self._filled.append((place.at, value))
        return place

    def _same(self, node: Node, shape: Shape) -> Shape:
        """The shape of the same numbers in the same order."""
        if node.kind == "Identity":
            return shape
        if node.kind == "Flatten":
            axis = _axis(node, shape, 1)
            return math.prod(shape[:axis]), math.prod(shape[axis:])
        if node.kind == "Transpose":
            order = node.attributes["perm"]
            if not isinstance(order, list):
                raise Unknown(node.kind)
            moved = [i for i in order if shape[i] > 1]
            if moved != sorted(moved):
                raise Unknown(node.kind)
            return tuple(shape[i] for i in order)
        if node.kind == "Reshape":
            return tuple(self._constants[node.inputs[1]].tolist())
        if node.kind == "Unsqueeze":
            axes = self._constants[node.inputs[1]].tolist()
            rank = len(shape) + len(axes)
            rest = iter(shape)
            ones = {axis % rank for axis in axes}
            return tuple(1 if i in ones else next(rest) for i in range(rank))
        raise Unknown(node.kind)

    def _elementwise(self, node: Node) -> Place:
        parts = [self.place(name) for name in node.inputs]
        widest = max(parts, key=lambda p: (p.size, len(p.shape)))
        # one number may stand for all; other ways to broadcast are not known here
        shape = np.broadcast_shapes(*(p.shape for p in parts))
        one_for_one = math.prod(shape) == widest.size  # not so of a row and a column
        if not one_for_one or any(p.size not in (1, widest.size) for p in parts):
            raise Unknown(node.kind)
        out = self._room(shape)
        a, b = parts[0], parts[-1]
        by = [int(p.size > 1) for p in (a, b)]
        self.emit(ELEMENTWISE[node.kind], out.at, a.at, b.at, out.size, 0, *by)
        return out

    def _dequantize(self, node: Node) -> tuple[NDArray[np.int8], Array]:
        """Weights of eight bits without an offset, and a scale for each row of them."""
        weights, scales = (self._constants[name] for name in node.inputs[:2])
        by_rows = weights.ndim == 2 and scales.shape == weights.shape[:1]
        if len(node.inputs) > 2 or weights.dtype != np.int8 or not by_rows:
            raise Unknown(node.kind)
        if _axis(node, weights.shape, 1) != 0:
            raise Unknown(node.kind)
        return weights, scales

    def _gemm(self, node: Node) -> Place:
        x, whole = self.place(node.inputs[0]), self._whole.get(node.inputs[1])
        weights = self._constants[node.inputs[1]] if whole is None else whole[0]
        rows = weights if node.attributes.get("transB", 0) else weights.T
        if whole is not None and rows is not weights:
            raise Unknown(node.kind)  # its scales are of the columns
        n, m = rows.shape
        scaled = any(node.attributes.get(k, 1.0) != 1.0 for k in ("alpha", "beta"))
        if scaled or node.attributes.get("transA", 0) or x.shape != (1, m):
            raise Unknown(node.kind)
        bias = np.zeros(n, np.float32)
        if len(node.inputs) > 2:
            bias = bias + self._constants[node.inputs[2]].reshape(-1)
        columns = np.ascontiguousarray(rows.T)
        code, scale = MATRIX, 0
        if whole is not None:
            code, scale = MATRIX8, self._put(whole[1]).at
            room = np.zeros(-(-columns.size // 4), np.float32)
            room.view(np.int8)[: columns.size] = columns.ravel()
            columns = room
        matrix, added, out = self._put(columns), self._put(bias), self._room((1, n))
        self.emit(code, out.at, matrix.at, x.at, n, m, added.at, scale)
        return out

    def _concat(self, node: Node) -> Place:
        parts = [self.place(name) for name in node.inputs]
        shape = parts[0].shape
        axis = _axis(node, shape, 0)
        length = sum(p.shape[axis] for p in parts)
        out = self._room((*shape[:axis], length, *shape[axis + 1 :]))
        outer = math.prod(shape[:axis])
        whole, filled = out.size // outer, 0
        for p in parts:
            width = p.size // outer
            self.emit(COPY, out.at + filled, p.at, 0, outer, width, width, whole)
            filled += width
        return out

    def _split(self, node: Node) -> list[Place]:
        place = self.place(node.inputs[0])
        axis = _axis(node, place.shape, 0)
        if len(node.inputs) > 1:
            sizes = self._constants[node.inputs[1]].tolist()
        else:
            sizes = [place.shape[axis] // len(node.outputs)] * len(node.outputs)
        if sum(sizes) != place.shape[axis]:
            raise Unknown(node.kind)
        ends = np.cumsum(sizes).tolist()
        return [self._part(place, axis, e - n, e) for n, e in zip(sizes, ends, strict=True)]

    def _slice(self, node: Node) -> Place:
        place = self.place(node.inputs[0])
        (begin,), (end,), (axis,), *step = (
            self._constants[n].tolist() for n in node.inputs[1:]
        )
        if step not in ([], [[1]]):
            raise Unknown(node.kind)
        axis %= len(place.shape)
        first, last, _ = slice(begin, end).indices(place.shape[axis])
        return self._part(place, axis, first, last)

    def _gather(self, node: Node) -> Place:
        place, index = self.place(node.inputs[0]), self._constants[node.inputs[1]]
        axis = _axis(node, place.shape, 0)
        at = int(index.item()) % place.shape[axis]
        part = self._part(place, axis, at, at + 1)
        shape = part.shape
        return Place(part.at, (*shape[:axis], *index.shape, *shape[axis + 1 :]))

    def _part(self, place: Place, axis: int, begin: int, end: int) -> Place:
        """A range of an axis; a copy where its numbers are not side by side."""
        shape = place.shape
        outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        found = (*shape[:axis], end - begin, *shape[axis + 1 :])
        at = place.at + begin * inner
        if outer == 1:
            return Place(at, found)
        out, width = self._room(found), (end - begin) * inner
        self.emit(COPY, out.at, at, 0, outer, width, shape[axis] * inner, width)
        return out


def _axis(node: Node, shape: Shape, default: int) -> int:
    axis = node.attributes.get("axis", default)
    if not isinstance(axis, int):
        raise Unknown(node.kind)
    return axis % len(shape)
