"""As much of protobuf as ONNX files take: messages to fields and back, without a library.

The wire format is that of protobuf.dev/programming-guides/encoding. A field that nobody asks
for is passed on byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

VARINT: Final = 0  # wire types
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5


class Field(msgspec.Struct):
    """One field of a message: its number, its wire type, and its content without the length."""

    number: int
    wire: int
    content: bytes


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a message, in order.

    Raises:
        ValueError: the message breaks off, or has a wire type that nobody writes any more.
    """
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            end = varint(data, at)[1]
        elif wire == BYTES:
            length, at = varint(data, at)
            end = at + length
        elif wire in (FIXED32, FIXED64):
            end = at + (4 if wire == FIXED32 else 8)
        else:
            raise ValueError(f"wire type {wire}")
        if end > len(data):
            raise ValueError("a field breaks off")
        yield Field(number, wire, data[at:end])
        at = end


def message(parts: Iterable[Field]) -> bytes:
    """The bytes of a message of these fields."""
    out = []
    for field in parts:
        out.append(_number(field.number << 3 | field.wire))
        if field.wire == BYTES:
            out.append(_number(len(field.content)))
        out.append(field.content)
    return b"".join(out)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where the next thing begins."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number breaks off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def numbers(parts: Iterable[Field], number: int) -> list[int]:
    """Whole numbers, with their sign, of all fields of a number: one each, or all in one."""
    found = []
    for field in parts:
        at = 0
        while field.number == number and at < len(field.content):
            value, at = varint(field.content, at)
            found.append(value - (1 << 64) if value >> 63 else value)
    return found


def number(field: int, value: int) -> Field:
    """A field of a whole number, not negative."""
    return Field(field, VARINT, _number(value))


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
