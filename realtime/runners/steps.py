"""`Steps`: a small network with states as a list of plain operations on one array.

For live sound, a step every 10 ms. A runtime takes longer to find its way into a step of so
small a network than to compute it, above all where other programs fill the caches meanwhile.
Here a step is a table of whole numbers, which operation on which places of the array, and
`run` goes through it. The compiled worker of `realtime.duplex` runs it; without numba it would
be slow, and the runtime serves.

It knows the operations of which the shipped gates are made, for one row and fixed shapes. Of
another network `steps_of` makes None. Results differ from the runtime's in the last bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.runners.graph import Node, read_graph

Shape = tuple[int, ...]
Array = NDArray[np.float32]

MATRIX, COPY, ADD, SUB, MUL, RELU, SIGMOID, TANH = range(8)
CODE, OUT, A, B, N, M, BY_A, BY_B = range(8)  # columns of a program
COLUMNS: Final = 8
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


class Steps(msgspec.Struct, frozen=True):
    """A network.

    Args:
        program: int64 [operations, COLUMNS], for `run`.
        array: float32; the weights are in it, all else is zero.
        sound: the input in it,
        scores: and the scores.
        states: the states, side by side.
    """

    program: NDArray[np.int64]
    array: Array
    sound: Place
    scores: Place
    states: Place


def steps_of(data: bytes, card: Card, sound: str, scores: str) -> Steps | None:
    """Make a program of an ONNX file; None where it cannot be one.

    Args:
        data: the file.
        card: the model's, which names the states and says the shape of the input.
        sound: name of the input that is no state.
        scores: name of the scores.
    """
    try:
        graph = read_graph(data)
        maker = _Maker(graph.constants)
        spec = card.input.features
        if spec is None:
            return None
        states = [maker.name(s.name, s.shape) for s in card.states]
        heard = maker.name(sound, (1, 1, spec.width))
        for node in graph.nodes:
            maker.add(node)
        for state, spec_of in zip(states, card.states, strict=True):
            after = maker.place(spec_of.output)
            if after.size != state.size or after.at < heard.at:  # a state itself
                return None
            maker.emit(COPY, state.at, after.at, 0, 1, state.size, 0, 0)
        first = states[0].at if states else 0
        return Steps(
            *maker.finish(),
            sound=heard,
            scores=maker.place(scores),
            states=Place(first, (heard.at - first,)),
        )
    except (KeyError, IndexError, ValueError):  # _Unknown too
        return None


class _Unknown(ValueError):  # noqa: N818  says what happened
    """An operation that is not known here."""


class _Maker:
    """Gives every tensor its place, and writes the program."""

    def __init__(self, constants: Mapping[str, NDArray[Any]]) -> None:
        self._constants = constants
        self._places: dict[str, Place] = {}
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
                raise _Unknown(name)
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
                raise _Unknown(node.kind)
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
                raise _Unknown(node.kind)
            moved = [i for i in order if shape[i] > 1]
            if moved != sorted(moved):
                raise _Unknown(node.kind)
            return tuple(shape[i] for i in order)
        if node.kind == "Reshape":
            return tuple(self._constants[node.inputs[1]].tolist())
        if node.kind == "Unsqueeze":
            axes = self._constants[node.inputs[1]].tolist()
            rank = len(shape) + len(axes)
            rest = iter(shape)
            ones = {axis % rank for axis in axes}
            return tuple(1 if i in ones else next(rest) for i in range(rank))
        raise _Unknown(node.kind)

    def _elementwise(self, node: Node) -> Place:
        parts = [self.place(name) for name in node.inputs]
        widest = max(parts, key=lambda p: (p.size, len(p.shape)))
        # one number may stand for all; other ways to broadcast are not known here
        if any(p.size not in (1, widest.size) for p in parts):
            raise _Unknown(node.kind)
        out = self._room(widest.shape)
        a, b = parts[0], parts[-1]
        by = [int(p.size > 1) for p in (a, b)]
        self.emit(ELEMENTWISE[node.kind], out.at, a.at, b.at, out.size, 0, *by)
        return out

    def _gemm(self, node: Node) -> Place:
        x, weights = self.place(node.inputs[0]), self._constants[node.inputs[1]]
        rows = weights if node.attributes.get("transB", 0) else weights.T
        n, m = rows.shape
        scaled = any(node.attributes.get(k, 1.0) != 1.0 for k in ("alpha", "beta"))
        if scaled or node.attributes.get("transA", 0) or x.shape != (1, m):
            raise _Unknown(node.kind)
        bias = np.zeros(n, np.float32)
        if len(node.inputs) > 2:
            bias = bias + self._constants[node.inputs[2]].reshape(-1)
        matrix, added, out = self._put(rows), self._put(bias), self._room((1, n))
        self.emit(MATRIX, out.at, matrix.at, x.at, n, m, added.at, 0)
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
            raise _Unknown(node.kind)
        ends = np.cumsum(sizes).tolist()
        return [self._part(place, axis, e - n, e) for n, e in zip(sizes, ends, strict=True)]

    def _slice(self, node: Node) -> Place:
        place = self.place(node.inputs[0])
        (begin,), (end,), (axis,), *step = (
            self._constants[n].tolist() for n in node.inputs[1:]
        )
        if step not in ([], [[1]]):
            raise _Unknown(node.kind)
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
        raise _Unknown(node.kind)
    return axis % len(shape)


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
