"""`OnnxFile`: another head and another card in a model file, without the `onnx` package.

Used by `realtime.learn.gate_file` and `realtime.wake.model_file`. An ONNX file is a protobuf
message; here is as much of a reader as it takes to find weights by their names and the
metadata, and to write the file again with some of them replaced, or with other last layers.
Everything else is passed on byte for byte. Field numbers are those of onnx.proto (onnx/onnx,
Apache-2.0), the wire format that of protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.errors import RunnerError
from realtime.protobuf import BYTES, Field, fields, message, number, numbers

Floats = NDArray[np.float32]

# fields of ModelProto, GraphProto, NodeProto, TensorProto, StringStringEntryProto and
# ValueInfoProto
GRAPH: Final = 7
METADATA: Final = 14
NODE, INITIALIZER, OUTPUT, VALUE_INFO, ANNOTATION = 1, 5, 12, 13, 14
INPUTS, OUTPUTS, NODE_NAME, OPERATOR, ATTRIBUTE = 1, 2, 3, 4, 5
DIMS, TYPE, FLOAT_DATA, NAME, RAW = 1, 2, 4, 8, 9
KEY, VALUE = 1, 2
VALUE_NAME: Final = 1

FLOAT: Final = 1  # TensorProto.DataType
INT: Final = 2  # AttributeProto.AttributeType


class OnnxFile:
    """The bytes of an ONNX file, taken apart as far as learning needs it.

    Args:
        data: the file.
        where: its name, for messages.

    Raises:
        RunnerError: the bytes are no such message.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self.where = where
        try:
            self._model = list(fields(data))
            at = [f.number for f in self._model].index(GRAPH)
            self._graph_field = self._model[at]
            self._graph = list(fields(self._graph_field.content))
        except (ValueError, IndexError) as e:
            raise RunnerError(f"{where} is no ONNX model: {e}", "export it anew") from e

    def weight(self, name: str) -> Floats | None:
        """A float32 initializer by its name, in the shape that it is stored in; None if there
        is none of that name and type.
        """  # noqa: D205  one sentence
        found = self._find(name)
        if found is None:
            return None
        tensor = list(fields(found.content))
        dims = numbers(tensor, DIMS)
        kind = numbers(tensor, TYPE)
        raw = [f.content for f in tensor if f.number in (RAW, FLOAT_DATA) and f.wire == BYTES]
        if kind != [FLOAT] or len(raw) != 1 or len(raw[0]) != 4 * int(np.prod(dims)):
            return None
        return np.frombuffer(raw[0], "<f4").reshape(dims).astype(np.float32)

    def replace(self, name: str, value: Floats) -> None:
        """Put other values into a float32 initializer; its shape stays.

        Raises:
            ValueError: there is no such initializer, or its shape is another.
        """
        found, old = self._find(name), self.weight(name)
        if found is None or old is None or old.shape != value.shape:
            raise ValueError(f"no float32 weight {name} of shape {value.shape}")
        raw = np.ascontiguousarray(value, "<f4").tobytes()
        tensor = [f for f in fields(found.content) if f.number not in (RAW, FLOAT_DATA)]
        found.content = message([*tensor, Field(RAW, BYTES, raw)])

    @property
    def graph(self) -> bytes:
        """The network, without the metadata."""
        return message(self._graph)

    def cut(self, tensor: str) -> None:
        """Keep what leads to a tensor: it is the only output that is left.

        Raises:
            ValueError: it is no output.
        """
        outputs = [f for f in self._graph if f.number == OUTPUT]
        kept = [f for f in outputs if _texts(f, VALUE_NAME) == [tensor]]
        if not kept:
            raise ValueError(f"no output {tensor}")
        needed, nodes = {tensor}, []
        for node in reversed([f for f in self._graph if f.number == NODE]):
            if needed.intersection(_texts(node, OUTPUTS)):
                needed.update(_texts(node, INPUTS))
                nodes.append(node)
        weights = [
            f for f in self._graph
            if f.number == INITIALIZER and needed.intersection(_texts(f, NAME))
        ]  # fmt: skip
        left_out = (NODE, INITIALIZER, OUTPUT, VALUE_INFO, ANNOTATION)
        others = [f for f in self._graph if f.number not in left_out]
        self._graph = [*nodes[::-1], *weights, *others, *kept]

    def add_weight(self, name: str, value: Floats) -> None:
        """Add a float32 initializer."""
        raw = np.ascontiguousarray(value, "<f4").tobytes()
        parts = [
            *(number(DIMS, size) for size in value.shape),
            number(TYPE, FLOAT),
            Field(NAME, BYTES, name.encode()),
            Field(RAW, BYTES, raw),
        ]
        self._graph.append(Field(INITIALIZER, BYTES, message(parts)))

    def add_node(self, operator: str, inputs: list[str], output: str, **whole: int) -> None:
        """Add a node after all others; its attributes are whole numbers."""
        parts = [
            *(Field(INPUTS, BYTES, name.encode()) for name in inputs),
            Field(OUTPUTS, BYTES, output.encode()),
            Field(NODE_NAME, BYTES, f"n.{output}".encode()),
            Field(OPERATOR, BYTES, operator.encode()),
        ]
        for name, value in whole.items():
            named = [Field(1, BYTES, name.encode()), number(3, value), number(20, INT)]
            parts.append(Field(ATTRIBUTE, BYTES, message(named)))
        last = max(i for i, f in enumerate(self._graph) if f.number == NODE)
        self._graph.insert(last + 1, Field(NODE, BYTES, message(parts)))

    def put_output(self, name: str, shape: tuple[int, ...]) -> None:
        """Make a float32 tensor the first output."""
        sizes = [Field(1, BYTES, message([number(1, size)])) for size in shape]
        tensor = [number(1, FLOAT), Field(2, BYTES, message(sizes))]
        kind = message([Field(1, BYTES, message(tensor))])
        info = [Field(VALUE_NAME, BYTES, name.encode()), Field(2, BYTES, kind)]
        first = min(i for i, f in enumerate(self._graph) if f.number == OUTPUT)
        self._graph.insert(first, Field(OUTPUT, BYTES, message(info)))

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata by key."""
        found = {}
        for field in self._model:
            if field.number == METADATA:
                entry = {f.number: f.content for f in fields(field.content)}
                found[entry.get(KEY, b"").decode()] = entry.get(VALUE, b"").decode()
        return found

    def set_metadata(self, key: str, value: str) -> None:
        """Set one entry of the metadata, in place of any of that key."""
        others = {k: v for k, v in self.metadata.items() if k != key}
        self._model = [f for f in self._model if f.number != METADATA]
        for k, v in {**others, key: value}.items():
            pair = [Field(KEY, BYTES, k.encode()), Field(VALUE, BYTES, v.encode())]
            self._model.append(Field(METADATA, BYTES, message(pair)))

    def to_bytes(self) -> bytes:
        """The file."""
        self._graph_field.content = message(self._graph)
        return message(self._model)

    def _find(self, name: str) -> Field | None:
        for field in self._graph:
            if field.number == INITIALIZER:
                for part in fields(field.content):
                    if part.number == NAME and part.content == name.encode():
                        return field
        return None


def _texts(field: Field, number: int) -> list[str]:
    """Texts of a number in a message."""
    return [f.content.decode() for f in fields(field.content) if f.number == number]
