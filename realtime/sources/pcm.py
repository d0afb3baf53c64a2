"""Raw PCM: its encodings, the header of a WAV in a pipe, and what is no PCM at all.

Used by `realtime.sources.pipe` and, the other way round, by `realtime.outputs.audio`. All
encodings are little endian, channels interleaved. What was decoded is encoded to the same
bytes, up to 24 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import FormatError

Samples = NDArray[np.float32]  # [samples * channels], -1 to 1

PCM, FLOAT, EXTENSIBLE = 0x0001, 0x0003, 0xFFFE  # WAVE format tags
STREAMED = 0x7FFF0000  # data chunks of 0 or at least this many bytes: the writer knew no length
CHUNK_LIMIT = 1 << 20  # bytes; a longer chunk before the data is no header

_COMPRESSED = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b"RIFX": "a big-endian WAV",
    b"\x1aE\xdf\xa3": "Matroska or WebM",
}


class Encoding(msgspec.Struct, frozen=True):
    """How a sample is written.

    `decode` turns whole samples of `width` bytes into float32, `encode` float32 into bytes.
    """

    name: str
    width: int
    decode: Callable[[bytes], Samples]
    encode: Callable[[Samples], bytes]


class WavHeader(msgspec.Struct, frozen=True):
    """What a WAV header says. `data_bytes` None: the sound goes on to the end of the stream."""

    rate: int
    channels: int
    encoding: Encoding
    data_bytes: int | None


def _integer(dtype: str, bits: int) -> Callable[[bytes], Samples]:
    """Decoder of whole-byte integers: full scale is 2 ** (bits - 1)."""
    scale = np.float32(2.0 ** (1 - bits))
    return lambda data: np.frombuffer(data, dtype).astype(np.float32) * scale


def whole_numbers(samples: NDArray[np.float32], bits: int) -> NDArray[np.int32]:
    """Samples as integers of so many bits, rounded; beyond full scale they are clipped.

    Args:
        samples: float32, -1 to 1, any shape.
        bits: 8 to 32; full scale is 2 ** (bits - 1).
    """
    scale = 2.0 ** (bits - 1)
    scaled = np.rint(samples * np.float64(scale))
    return np.clip(scaled, -scale, scale - 1).astype(np.int32)


def _integers(dtype: str, bits: int) -> Callable[[Samples], bytes]:
    """Encoder of whole-byte integers."""
    return lambda samples: whole_numbers(samples, bits).astype(dtype).tobytes()


def _pack24(samples: Samples) -> bytes:
    """24-bit integers in 3 bytes: int32 without its highest byte."""
    wide = whole_numbers(samples, 24).astype("<i4").reshape(-1, 1).view(np.uint8)
    return wide[:, :3].tobytes()


def _packed24(data: bytes) -> Samples:
    """24-bit integers in 3 bytes: shifted up into int32, which float32 holds exactly."""
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.reshape(-1).view("<i4").astype(np.float32) * np.float32(2.0**-31)


def _unsigned8(data: bytes) -> Samples:
    return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(
        128
    )


def _float(dtype: str) -> Callable[[bytes], Samples]:
    return lambda data: np.frombuffer(data, dtype).astype(np.float32)


def _floats(dtype: str) -> Callable[[Samples], bytes]:
    return lambda samples: samples.astype(dtype).tobytes()


ENCODINGS = {
    "s16": Encoding("s16", 2, _integer("<i2", 16), _integers("<i2", 16)),
    "s24": Encoding("s24", 3, _packed24, _pack24),
    "s32": Encoding("s32", 4, _integer("<i4", 32), _integers("<i4", 32)),
    "f32": Encoding("f32", 4, _float("<f4"), _floats("<f4")),
}

# a WAV may also hold these; as raw PCM nobody records them
_WAV_ENCODINGS = {(PCM, e.width * 8): e for n, e in ENCODINGS.items() if n != "f32"} | {
    (FLOAT, 32): ENCODINGS["f32"],
    (FLOAT, 64): Encoding("f64", 8, _float("<f8"), _floats("<f8")),
    (PCM, 8): Encoding(
        "u8", 1, _unsigned8, lambda x: (whole_numbers(x, 8) + 128).astype(np.uint8).tobytes()
    ),
}


def compressed_kind(head: bytes) -> str:
    """Name of the container whose magic `head` starts with, or empty."""
    if head[4:8] == b"ftyp":
        return "MP4"
    return next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), "")


def read_wav_header(take: Callable[[int], bytes], where: str) -> WavHeader:
    """Read a WAV header up to its first sample.

    Args:
        take: gives the next n bytes, fewer at the end; stands after "RIFF....WAVE".
        where: name for messages.

    Raises:
        FormatError: cut short, or a format other than PCM and float.
    """
    form: tuple[Any, ...] | None = None
    while True:
        head = take(8)
        if len(head) < 8:
            raise FormatError(f"{where}: a WAV header without sound", "was the writer stopped?")
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            break
        if size > CHUNK_LIMIT:
            raise FormatError(f"{where}: the WAV header is damaged", "write it again")
        body = take(size + size % 2)
        if name == b"fmt " and len(body) >= 16:
            form = _format_chunk(body)
    if form is None:
        raise FormatError(f"{where}: the WAV header has no format chunk", "write it again")
    tag, channels, rate, bits = form
    encoding = _WAV_ENCODINGS.get((tag, bits))
    if encoding is None or channels < 1 or rate < 1:
        raise FormatError(
            f"{where}: a WAV of kind {tag:#06x}, {bits} bits, {channels} channels, {rate} Hz",
            "PCM of 8 to 32 bits and float are read; convert: ffmpeg -i INPUT -f wav -",
        )
    known = 0 < size < STREAMED
    return WavHeader(rate, channels, encoding, size if known else None)


def _format_chunk(body: bytes) -> tuple[int, int, int, int]:
    """Format tag, channels, rate in Hz and bits of a sample."""
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack("<H", body[24:26])[0]  # the sub-format's first two bytes
    return tag, channels, rate, bits
