"""`OnnxFile`: another head and another card in a model file, without the `onnx` package.

Used by `realtime.learn.gate_file`. An ONNX file is a protobuf message; here is as much of a
reader as it takes to find weights by their names and the metadata, and to write the file again
with some of them replaced. Everything else is passed on byte for byte. Field numbers are those
of onnx.proto (onnx/onnx, Apache-2.0), the wire format that of protobuf.dev/programming-guides/
encoding.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.errors import RunnerError
from realtime.protobuf import BYTES, Field, fields, message, numbers

Floats = NDArray[np.float32]

# fields of ModelProto, GraphProto, TensorProto and StringStringEntryProto
GRAPH: Final = 7
METADATA: Final = 14
INITIALIZER: Final = 5
DIMS, TYPE, FLOAT_DATA, NAME, RAW = 1, 2, 4, 8, 9
KEY, VALUE = 1, 2

FLOAT: Final = 1  # TensorProto.DataType


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
