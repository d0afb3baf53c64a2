"""Raw PCM and WAV on a pipe: exact, at once, and clear about what is no PCM."""

import gc
import io
import logging
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.errors import FormatError, UsageError
from realtime.sources import open_source
from realtime.sources.pipe import PipeSource

RATE = 16_000


@pytest.fixture
def stdin():
    """A pipe in place of stdin: gives the end to write to."""
    kept = os.dup(0)
    read_end, write_end = os.pipe()
    os.dup2(read_end, 0)
    os.close(read_end)
    with open(write_end, "wb", buffering=0) as writer:  # noqa: PTH123  a descriptor
        yield writer
    os.dup2(kept, 0)
    os.close(kept)


def feed(writer, data):
    """Write all of it from another thread: a pipe holds only 64 KiB."""

    def run():
        rest = memoryview(data)
        while rest:
            rest = rest[writer.write(rest) :]
        writer.close()

    threading.Thread(target=run, daemon=True).start()


def drain(source):
    parts, at = [], 0
    for block in source.blocks():
        assert block.position == at
        parts.append(block.audio)
        at += len(block.audio)
    return np.concatenate(parts)


def encode(audio, encoding):
    """Float samples as raw PCM, by another way than the source's."""
    if encoding == "f32":
        return audio.astype("<f4").tobytes()
    bits = int(encoding[1:])
    whole = np.round(audio.astype(np.float64) * 2 ** (bits - 1)).astype(np.int64)
    return b"".join(int(v).to_bytes(bits // 8, "little", signed=True) for v in whole.ravel())


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("encoding", ["s16", "s24", "s32", "f32"])
def test_formats_are_exact(stdin, encoding, channels):
    rng = np.random.default_rng(5)
    audio = (rng.integers(-32768, 32768, (3001, channels)) / 32768).astype(np.float32)
    feed(stdin, encode(audio, encoding))
    source = open_source("-", rate=44_100, channels=channels, format=encoding)
    assert (source.name, source.rate, source.channels) == ("stdin", 44_100, channels)
    np.testing.assert_array_equal(drain(source), audio)


def test_nan_and_inf_pass_through(stdin):
    audio = np.array([0, np.nan, np.inf, -np.inf, 0.5], np.float32)
    feed(stdin, audio.tobytes())
    np.testing.assert_array_equal(drain(open_source("-", format="f32"))[:, 0], audio)


def test_the_defaults_are_those_of_arecord(stdin):
    feed(stdin, b"\x01\x00" * 10)
    source = open_source("-")
    assert (source.rate, source.channels, source.live) == (16_000, 1, True)
    assert drain(source)[0, 0] == np.float32(1 / 32768)


@pytest.mark.parametrize("size", [1, 2, 5, 11, 12, 13])
def test_streams_shorter_than_a_header(stdin, size, caplog):
    feed(stdin, bytes(range(1, size + 1)))
    source = open_source("-")
    if size == 1:
        with pytest.raises(FormatError, match="before a single sample"):
            list(source.blocks())
        return
    assert len(drain(source)) == size // 2
    assert ("ends with 1 bytes of 2" in caplog.text) == bool(size % 2)


def test_what_is_there_is_passed_on_at_once(stdin):
    stdin.write(b"\x01\x00" * 100)  # 6 ms, much less than a block
    source = open_source("-", block_s=10.0)
    blocks = source.blocks()
    assert len(next(blocks).audio) == 100
    stdin.write(b"\x02\x00" * 7 + b"\x03")  # and half a sample
    assert len(next(blocks).audio) == 7
    stdin.write(b"\x00")
    assert next(blocks).audio[0, 0] == np.float32(3 / 32768)
    source.close()


def test_blocks_are_not_longer_than_asked(stdin):
    feed(stdin, bytes(2 * RATE))
    sizes = [len(b.audio) for b in open_source("-", block_s=0.01).blocks()]
    assert max(sizes) == 160
    assert sum(sizes) == RATE


def test_close_from_another_thread_ends_the_wait(stdin):
    stdin.write(bytes(1000))
    source = open_source("-")
    threading.Timer(0.2, source.close).start()
    assert sum(len(b.audio) for b in source.blocks()) == 500  # though the writer goes on
    source.close()  # twice does no harm


def test_close_from_a_signal_handler_ends_the_wait():
    program = (
        "import signal, sys; from realtime.sources import open_source\n"
        "s = open_source('-')\n"
        "signal.signal(signal.SIGINT, lambda *_: s.close())\n"
        "n = 0\n"
        "for b in s.blocks():\n"
        "    n += len(b.audio); print(n, flush=True)\n"
        "print('end')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdin.write(bytes(64))
        process.stdin.flush()
        assert process.stdout.readline() == b"32\n"
        process.send_signal(2)
        assert process.stdout.read() == b"end\n"


def test_nothing_at_all(stdin):
    stdin.close()
    source = open_source("-")
    with pytest.raises(FormatError, match="before a single sample") as caught:
        list(source.blocks())
    assert caught.value.status == 4


# --- a WAV header in front ----------------------------------------------------------------


def wav_bytes(audio, rate, subtype):
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, rate, format="WAV", subtype=subtype)
    return bytearray(buffer.getvalue())


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "PCM_U8"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_wav_tells_its_own_format(stdin, subtype, channels):
    rng = np.random.default_rng(6)
    audio = (rng.integers(-128, 128, (2500, channels)) / 128).astype(np.float32)
    feed(stdin, wav_bytes(audio, 48_000, subtype))
    source = open_source("-")
    assert (source.rate, source.channels) == (48_000, channels)
    np.testing.assert_array_equal(drain(source), audio)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_streamed_wav_goes_on_to_the_end(stdin, size, caplog):
    data = wav_bytes(np.full(1000, 0.25), RATE, "PCM_16")
    data[40:44] = struct.pack("<I", size)
    feed(stdin, data)
    assert (drain(open_source("-")) == 0.25).sum() == 1000
    assert not caplog.text


def test_what_ffmpeg_writes_between_format_and_data_is_skipped(stdin):
    data = wav_bytes(np.full(100, 0.5), RATE, "PCM_16")
    data[36:36] = b"LIST" + struct.pack("<I", 25) + b"INFOISFT" + b"x" * 18
    feed(stdin, data)
    np.testing.assert_array_equal(drain(open_source("-")), np.full((100, 1), 0.5))


def test_what_follows_the_data_is_no_sound(stdin):
    data = (
        wav_bytes(np.full(100, 0.5), RATE, "PCM_16") + b"LIST" + struct.pack("<I", 4) + b"INFO"
    )
    feed(stdin, data)
    np.testing.assert_array_equal(drain(open_source("-")), np.full((100, 1), 0.5))


def test_a_wav_cut_short_is_warned_about(stdin, caplog):
    feed(stdin, wav_bytes(np.full(2 * RATE, 0.5), RATE, "PCM_16")[: 44 + RATE * 2])
    with caplog.at_level(logging.WARNING):
        assert len(drain(open_source("-"))) == RATE
    assert "announces 2.000 seconds, 1.000 came" in caplog.text


@pytest.mark.parametrize("option", [{"rate": 8000}, {"channels": 2}, {"format": "f32"}])
def test_options_that_contradict_the_header(stdin, option):
    feed(stdin, wav_bytes(np.zeros(100), RATE, "PCM_16"))
    (name,) = option
    with pytest.raises(UsageError, match=f"--{name} is") as caught:
        open_source("-", **option)
    assert caught.value.hint == f"leave --{name} out"


def test_options_that_agree_with_the_header(stdin):
    feed(stdin, wav_bytes(np.zeros(100), RATE, "PCM_16"))
    assert len(drain(open_source("-", rate=RATE, channels=1, format="s16"))) == 100


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0",
        b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff",
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\0\0\0\0",
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"
        + struct.pack("<HHIIHH", 6, 1, 8000, 8000, 1, 8)
        + b"data\0\0\0\0",
    ],
)
def test_wav_headers_that_cannot_be_used(stdin, data):
    feed(stdin, data)
    with pytest.raises(FormatError):
        open_source("-")


# --- what is no PCM -----------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [("FLAC", "FLAC"), ("OGG", "Ogg"), ("AIFF", "AIFF")])
def test_compressed_sound_is_refused(stdin, kind, name):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(1000), RATE, format=kind)
    feed(stdin, buffer.getvalue())
    with pytest.raises(FormatError, match=f"holds {name}, not raw PCM") as caught:
        open_source("-")
    assert "ffmpeg" in caught.value.hint


def test_an_unknown_format(stdin):
    with pytest.raises(UsageError, match="s8"):
        open_source("-", format="s8")


def test_a_terminal():
    ours, theirs = os.openpty()
    try:
        with pytest.raises(UsageError, match="is a terminal") as caught:
            PipeSource(os.ttyname(theirs))
        assert "arecord" in caught.value.hint
        assert caught.value.status == 2
    finally:
        os.close(ours)
        os.close(theirs)


def test_stdin_that_is_closed():
    program = (
        "from realtime.errors import UsageError; from realtime.sources import open_source\n"
        "try:\n    open_source('-')\nexcept UsageError as e:\n    print(e)"
    )
    done = subprocess.run(
        f'"{sys.executable}" -c "{program}" <&-', shell=True, capture_output=True, text=True
    )
    assert done.stdout == "stdin is closed\n", done.stderr


def test_a_named_pipe_is_read_like_stdin(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(b"\x00\x40" * 300,), daemon=True).start()
    source = open_source(str(path))
    assert source.live
    assert (drain(source) == 0.5).sum() == 300


def test_no_descriptor_is_left_open(tmp_path):
    path = tmp_path / "x.raw"
    path.write_bytes(bytes(2000))
    gc.collect()  # what tests before this one left to it
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        drain(open_source(str(path), rate=8000))
        open_source(str(path), rate=8000).close()
        with pytest.raises(UsageError):
            open_source(str(path), rate=8000, format="x")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
