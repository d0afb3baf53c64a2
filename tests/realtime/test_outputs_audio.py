"""Gated sound out: of the input's kind, to the bit, whole or not at all."""

import numpy as np
import pytest

from realtime.errors import OutputError, UsageError
from realtime.outputs.audio import CONTAINERS, FileSink, Kind, RawSink, container_of, open_sink
from realtime.sources import open_source
from realtime.sources.pcm import ENCODINGS, whole_numbers

soundfile = pytest.importorskip("soundfile")


def kind(container="WAV", subtype="PCM_16", **changes):
    return Kind(**{"rate": 48000, "channels": 2, "container": container, "subtype": subtype,
                   **changes})  # fmt: skip


def noise(n=9000, channels=2):
    sound = np.random.default_rng(0).uniform(-1, 1, (n, channels))
    sound[:2] = [[1.0] * channels, [-1.0] * channels]
    return sound


@pytest.mark.parametrize(
    ("container", "subtype", "suffix", "becomes"),
    [
        ("WAV", "PCM_U8", ".wav", "PCM_U8"),
        ("WAV", "PCM_16", ".wav", "PCM_16"),
        ("WAV", "PCM_24", ".wav", "PCM_24"),
        ("WAV", "FLOAT", ".wav", "FLOAT"),
        ("WAV", "DOUBLE", ".w64", "DOUBLE"),
        ("WAV", "PCM_U8", ".flac", "PCM_S8"),
        ("FLAC", "PCM_24", ".flac", "PCM_24"),
        ("FLAC", "PCM_16", ".aiff", "PCM_16"),
        ("WAV", "PCM_24", ".caf", "PCM_24"),
    ],
)
def test_what_was_read_is_written_to_the_bit(tmp_path, container, subtype, suffix, becomes):
    read, write = tmp_path / "in", tmp_path / f"out{suffix}"
    soundfile.write(read, noise(), 48000, subtype, format=container)
    source = open_source(str(read), block_s=0.01)
    sink = open_sink(str(write), kind(container, subtype), ENCODINGS["s16"])
    for block in source.blocks():
        sink.write(block.audio)
    assert not write.exists()
    sink.close(complete=True)
    found = soundfile.info(write)
    assert (found.subtype, found.frames, found.samplerate, found.channels) == (
        becomes, 9000, 48000, 2,
    )  # fmt: skip
    a, b = (soundfile.read(path, dtype="int32")[0] for path in (read, write))
    assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("path", "container", "subtype", "found"),
    [
        ("a.wav", "OGG", "VORBIS", ("WAV", "PCM_16")),
        ("a.wav", "MP3", "MPEG_LAYER_III", ("WAV", "PCM_16")),
        ("a.ogg", "WAV", "PCM_24", ("OGG", "VORBIS")),
        ("a.opus", "WAV", "PCM_16", ("OGG", "OPUS")),
        ("a.mp3", "WAV", "FLOAT", ("MP3", "MPEG_LAYER_III")),
        ("a.ogg", "OGG", "OPUS", ("OGG", "OPUS")),
        ("a.flac", "WAV", "FLOAT", ("FLAC", "PCM_24")),
        ("a.flac", "WAV", "PCM_32", ("FLAC", "PCM_24")),
        ("a.FLAC", "WAV", "DOUBLE", ("FLAC", "PCM_24")),
        ("a", "FLAC", "PCM_24", ("FLAC", "PCM_24")),
        ("a", "", "PCM_16", ("WAV", "PCM_16")),
        ("a.wav", "CAF", "ALAC_24", ("WAV", "PCM_24")),
    ],
)
def test_kind_of_the_output(path, container, subtype, found):
    assert container_of(path, kind(container, subtype)) == found


def test_every_container_can_be_written(tmp_path):
    for suffix in CONTAINERS:
        path = tmp_path / f"a{suffix}"
        sink = open_sink(str(path), kind(), ENCODINGS["s16"])
        sink.write(noise().astype(np.float32) * 0.5)
        sink.close(complete=True)
        assert soundfile.info(path).frames >= 9000, suffix


def test_beyond_four_gigabytes():
    assert container_of("a.wav", kind(frames=1 << 31)) == ("RF64", "PCM_16")
    assert container_of("a.wav", kind(frames=1 << 29)) == ("WAV", "PCM_16")
    assert container_of("a.flac", kind(frames=1 << 40)) == ("FLAC", "PCM_16")


def test_a_stream_that_outgrows_a_wav(tmp_path, monkeypatch):
    monkeypatch.setattr("realtime.outputs.audio.WAV_BYTES", 10_000)
    path = tmp_path / "a.wav"
    sink = FileSink(str(path), kind())
    sink.write(np.zeros((2000, 2), np.float32))
    with pytest.raises(OutputError, match="a WAV ends at 4 GB"):
        sink.write(np.zeros((2000, 2), np.float32))
    sink.close(complete=False)
    assert list(tmp_path.iterdir()) == []


def test_unknown_and_impossible_kinds(tmp_path):
    with pytest.raises(UsageError, match=r"no sound file is called \.txt"):
        open_sink(str(tmp_path / "a.txt"), kind(), ENCODINGS["s16"])
    with pytest.raises(OutputError, match="cannot hold 2 channels at 44100 Hz"):
        open_sink(str(tmp_path / "a.opus"), kind(rate=44100), ENCODINGS["s16"])
    with pytest.raises(OutputError, match="No such file"):
        open_sink(str(tmp_path / "no/a.wav"), kind(), ENCODINGS["s16"])
    with pytest.raises(OutputError, match="is a folder"):
        open_sink(str(tmp_path), kind(), ENCODINGS["s16"])
    assert list(tmp_path.iterdir()) == []


def test_incomplete_leaves_what_was_there(tmp_path):
    for name in ("a.wav", "a.raw"):
        path = tmp_path / name
        path.write_bytes(b"mine")
        sink = open_sink(str(path), kind(), ENCODINGS["s16"])
        sink.write(noise().astype(np.float32))
        sink.close(complete=False)
        assert path.read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_full_scale_is_clipped_and_not_wrapped():
    x = np.array([2.0, 1.0, -1.0, -2.0, 0.5 / 32768, np.nextafter(1.0, 0.0)], np.float32)
    assert whole_numbers(x, 16).tolist() == [32767, 32767, -32768, -32768, 0, 32767]
    assert whole_numbers(x, 32)[0] == 2**31 - 1


@pytest.mark.parametrize("name", ["s16", "s24", "s32", "f32"])
def test_raw_pcm_there_and_back(tmp_path, name):
    sound = noise()
    if name == "s16":  # what the encoding has room for
        sound = np.round(sound * 32768).clip(-32768, 32767) / 32768
    if name in ("s24", "s32"):
        sound = np.round(sound * 2**23).clip(-(2**23), 2**23 - 1) / 2**23
    sound = sound.astype(np.float32)
    path = tmp_path / "a.raw"
    sink = open_sink(str(path), kind(), ENCODINGS[name])
    assert isinstance(sink, RawSink)
    sink.write(sound[:10])
    sink.write(sound[10:])
    sink.close(complete=True)
    source = open_source(str(path), rate=48000, channels=2, format=name)
    assert np.array_equal(np.concatenate([b.audio for b in source.blocks()]), sound)
