"""Files of features of every kind, and AudioSet's embeddings."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime.errors import FormatError
from train.datasets import list_rows
from train.datasets.arrays import read_array, read_tfrecord

X = np.arange(12, dtype=np.float32).reshape(4, 3) / 7


def test_every_format_gives_the_same(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    np.savez(tmp_path / "b.npz", x=X, label=np.array([1]))
    np.savez(tmp_path / "c.npz", anything=X)
    np.savetxt(tmp_path / "d.csv", X, delimiter=",")
    header = struct.pack(">iihH", 4, 100_000, 12, 6)  # 4 frames of 10 ms, 12 bytes, MFCC
    (tmp_path / "e.htk").write_bytes(header + X.astype(">f4").tobytes())
    for path in sorted(tmp_path.iterdir()):
        assert np.allclose(read_array(path), X, atol=1e-6), path.name
    np.save(tmp_path / "one.npy", X[0])
    assert read_array(tmp_path / "one.npy").shape == (1, 3)


@pytest.mark.parametrize(("name", "make"), [
    ("missing.npy", None),
    ("text.npy", lambda p: p.write_text("no array")),
    ("cube.npy", lambda p: np.save(p, np.zeros((2, 2, 2)))),
    ("empty.npy", lambda p: np.save(p, np.zeros((0, 3)))),
    ("nan.npy", lambda p: np.save(p, np.full((2, 2), np.nan))),
    ("code.npy", lambda p: np.save(p, np.array([{}], object), allow_pickle=True)),
    ("two.npz", lambda p: np.savez(p, a=X, b=X)),
    ("words.csv", lambda p: p.write_text("a,b\nc,d\n")),
    ("short.htk", lambda p: p.write_bytes(struct.pack(">iihH", 4, 1, 12, 6) + b"12")),
    ("packed.htk", lambda p: p.write_bytes(struct.pack(">iihH", 1, 1, 4, 0o2006) + b"1234")),
])  # fmt: skip
def test_what_is_no_array_is_said(
    tmp_path: Path, name: str, make: Callable[[Path], object] | None
) -> None:
    if make is not None:
        make(tmp_path / name)
    with pytest.raises(FormatError, match="no features"):
        read_array(tmp_path / name)


def test_label_folders_of_features(tmp_path: Path) -> None:
    for name in ("dog/a.npy", "cat/b.npy"):
        (tmp_path / name).parent.mkdir()
        np.save(tmp_path / name, X)
    (tmp_path / "cat" / "c.npy").write_text("broken")
    rows, bad = list_rows("features", tmp_path)
    assert {(r.file, r.label) for r in rows} == {("dog/a.npy", "dog"), ("cat/b.npy", "cat")}
    assert len(bad) == 1
    assert bad[0].startswith("cat/c.npy: no features")


def varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def record(video: str, labels: list[int], frames: np.ndarray) -> bytes:
    """A SequenceExample as TensorFlow writes it, by the encoding's rules."""
    text = field(1, field(1, video.encode()))
    numbers = field(3, field(1, b"".join(varint(n) for n in labels)))
    context = field(1, field(1, b"video_id") + field(2, text))
    context += field(1, field(1, b"labels") + field(2, numbers))
    rows = b"".join(field(1, field(1, field(1, f.tobytes()))) for f in frames)
    lists = field(1, field(1, b"audio_embedding") + field(2, rows))
    body = field(1, context) + field(2, lists)
    return struct.pack("<Q", len(body)) + b"crc4" + body + b"crc4"


def test_embeddings_of_audioset(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (10, 128), np.uint8)
    data = record("abcdefghijk", [0, 300], frames) + record("lmnopqrstuv", [7], frames[:9])
    (tmp_path / "x.tfrecord").write_bytes(data)
    first, second = read_tfrecord(tmp_path / "x.tfrecord")
    assert (first.video, first.labels) == ("abcdefghijk", (0, 300))
    assert np.array_equal(first.frames, frames)
    assert second.frames.shape == (9, 128)
    (tmp_path / "x.tfrecord").write_bytes(data[:-30])
    with pytest.raises(FormatError, match="ends within a record"):
        list(read_tfrecord(tmp_path / "x.tfrecord"))
