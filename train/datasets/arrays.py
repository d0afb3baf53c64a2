"""Files of features: MFCC and embeddings that somebody else computed.

.npy           one array [frames, width], or [width] for a single frame
.npz           the array called "x", "features" or "embedding", or the only one
.csv           a frame on each line
.htk, .mfc     HTK parameter files (HTK Book 3.4, section 5.10.1), uncompressed
.tfrecord      AudioSet's embeddings: many clips of 10 x 128 bytes in one file
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import FormatError

Array = NDArray[np.float32]
NAMES = ("x", "features", "embedding")
HTK_COMPRESSED = 0o2000


def read_array(path: Path) -> Array:
    """A file of features, float32 [frames, width].

    Raises:
        FormatError: not such a file, or values that are no numbers.
    """
    try:
        x: Array = np.atleast_2d(np.asarray(_read(path), np.float32))
    except (OSError, ValueError, EOFError, struct.error, KeyError) as e:
        raise FormatError(
            f"{path}: no features: {e}", "give [frames, width] as .npy, .npz, .csv or HTK"
        ) from e
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        fault = "values that are no numbers" if x.ndim == 2 and x.size else "of that shape"
        raise FormatError(
            f"{path}: no features: {list(x.shape)}, {fault}", "give finite [frames, width]"
        )
    return x


def _read(path: Path) -> NDArray[np.generic]:
    ending = path.suffix.lower()
    if ending == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    if ending == ".npz":
        with np.load(path, allow_pickle=False) as f:
            name = next((n for n in NAMES if n in f), f.files[0] if len(f.files) == 1 else "")
            return np.asarray(f[name])
    if ending == ".csv":
        return np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)
    if ending in (".htk", ".mfc"):
        data = path.read_bytes()
        frames, _, size, kind = struct.unpack(">iihH", data[:12])
        if kind & HTK_COMPRESSED:
            raise ValueError("compressed HTK files are not read")
        return np.frombuffer(data, ">f4", frames * size // 4, 12).reshape(frames, size // 4)
    raise ValueError(f"of what kind is {ending or 'that'}?")


class Embedding(msgspec.Struct, frozen=True):
    """One clip of AudioSet's embeddings.

    Args:
        video: its name.
        labels: indices of its classes.
        frames: uint8 [seconds, 128]; 255 stands for 2, 0 for -2, as they were quantized.
    """

    video: str
    labels: tuple[int, ...]
    frames: NDArray[np.uint8]


def read_tfrecord(path: Path) -> Iterator[Embedding]:
    """Clips of a file of AudioSet's embeddings, without TensorFlow.

    The file is a row of records (length, checksum, data, checksum), the data a SequenceExample
    message: context features "video_id" and "labels", a feature list "audio_embedding".
    Source: tensorflow.org/tutorials/load_data/tfrecord; protobuf.dev, "Encoding".

    Raises:
        FormatError: no such file, or one that ends too early.
    """
    try:
        data = path.read_bytes()
        at = 0
        while at < len(data):
            (size,) = struct.unpack_from("<Q", data, at)
            body = data[at + 12 : at + 12 + size]
            if len(body) < size:
                raise ValueError("it ends within a record")
            yield _embedding(body)
            at += 16 + size
    except (OSError, ValueError, KeyError, IndexError, struct.error) as e:
        raise FormatError(f"{path}: no embeddings: {e}", "get the file again") from e


def _embedding(body: bytes) -> Embedding:
    message = _fields(body)
    context = _features(message[1][0])
    lists = {}
    for entry in _fields(message[2][0]).get(1, []):
        parts = _fields(entry)
        lists[parts[1][0].decode()] = _fields(parts[2][0]).get(1, [])
    frames = [_fields(_fields(f)[1][0])[1][0] for f in lists["audio_embedding"]]
    numbers = _fields(context["labels"][3][0])[1][0]
    video = _fields(context["video_id"][1][0])[1][0].decode()
    return Embedding(
        video,
        tuple(_varints(numbers)),
        np.stack([np.frombuffer(f, np.uint8) for f in frames]),
    )


def _features(body: bytes) -> dict[str, dict[int, list[bytes]]]:
    out = {}
    for entry in _fields(body).get(1, []):
        parts = _fields(entry)
        out[parts[1][0].decode()] = _fields(parts[2][0])
    return out


def _fields(body: bytes) -> dict[int, list[bytes]]:
    """Fields of a message by number; those with a length, which is all that is used here."""
    out: dict[int, list[bytes]] = {}
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        if key & 7 == 2:
            size, at = _varint(body, at)
            out.setdefault(key >> 3, []).append(body[at : at + size])
            at += size
        elif key & 7 == 0:
            after = _varint(body, at)[1]
            out.setdefault(key >> 3, []).append(body[at:after])
            at = after
        else:
            raise ValueError(f"field of type {key & 7}")
    return out


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _varints(body: bytes) -> Iterator[int]:
    at = 0
    while at < len(body):
        value, at = _varint(body, at)
        yield value
