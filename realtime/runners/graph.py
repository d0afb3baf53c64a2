"""`read_graph`: what an ONNX file computes, as plain data, without the `onnx` package.

Used by `realtime.runners.steps`. Field numbers are those of onnx.proto (onnx/onnx, Apache-2.0).
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.protobuf import BYTES, Field, fields, numbers

# fields of ModelProto, GraphProto, NodeProto, AttributeProto and TensorProto
GRAPH: Final = 7
NODE, INITIALIZER = 1, 5
INPUT, OUTPUT, KIND, ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, REAL, WHOLE, WHOLES = 1, 2, 3, 8
DIMS, TYPE, TENSOR_NAME, RAW = 1, 2, 8, 9
TYPES: Final = {1: "<f4", 3: "<i1", 7: "<i8"}


class Node(msgspec.Struct, frozen=True):
    """One operation: its kind, the names of what it reads and makes, its attributes."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, int | float | list[int]]


class Graph(msgspec.Struct, frozen=True):
    """Operations in the order in which they run, and constants by their names."""

    nodes: list[Node]
    constants: dict[str, NDArray[Any]]


def read_graph(data: bytes) -> Graph:
    """The graph of an ONNX file.

    Constants of other types than float32, int8 and int64, or not stored as bytes, are left out.

    Raises:
        ValueError: the bytes are no ONNX file.
    """
    graph = next((f.content for f in fields(data) if f.number == GRAPH), None)
    if graph is None:
        raise ValueError("no graph")
    parts = list(fields(graph))
    constants = {}
    for part in parts:
        if part.number == INITIALIZER:
            tensor = list(fields(part.content))
            kind = TYPES.get((*numbers(tensor, TYPE), 0)[0])
            raw = [f.content for f in tensor if f.number == RAW]
            if kind and raw:
                values = np.frombuffer(raw[0], kind).reshape(numbers(tensor, DIMS))
                constants[_text(tensor, TENSOR_NAME)[0]] = values
    nodes = [_node(list(fields(p.content))) for p in parts if p.number == NODE]
    return Graph(nodes, constants)


def _node(parts: list[Field]) -> Node:
    attributes: dict[str, int | float | list[int]] = {}
    for part in parts:
        if part.number == ATTRIBUTE:
            inside = list(fields(part.content))
            (name,) = _text(inside, ATTRIBUTE_NAME)
            real = [f.content for f in inside if f.number == REAL]
            if many := numbers(inside, WHOLES):
                attributes[name] = many
            elif one := numbers(inside, WHOLE):
                attributes[name] = one[0]
            elif real:
                attributes[name] = struct.unpack("<f", real[0])[0]
    return Node(_text(parts, KIND)[0], _text(parts, INPUT), _text(parts, OUTPUT), attributes)


def _text(parts: list[Field], number: int) -> list[str]:
    return [f.content.decode() for f in parts if f.number == number and f.wire == BYTES]
