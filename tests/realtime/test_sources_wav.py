"""Sound files: every kind comes out whole, and what is wrong with one is said in a line."""

import logging
import tracemalloc

import numpy as np
import pytest
import soundfile

from realtime.errors import AudioError, FormatError, UsageError
from realtime.sources import Block, open_source
from realtime.sources.wav import WavSource

RATE = 16_000


def noise(frames, channels=1, seed=3):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((frames, channels)) * 0.1).astype(np.float32)


def drain(source):
    """All blocks of a source as one array, with the positions checked."""
    parts, at = [], 0
    for block in source.blocks():
        assert isinstance(block, Block)
        assert block.position == at
        assert block.audio.dtype == np.float32
        parts.append(block.audio)
        at += len(block.audio)
    return np.concatenate(parts) if parts else np.zeros((0, source.channels), np.float32)


@pytest.fixture
def made(tmp_path):
    """Writes a sound file and gives its path."""

    def make(name, audio, rate=RATE, **how):
        path = tmp_path / name
        soundfile.write(path, audio, rate, **how)
        return path

    return make


@pytest.mark.parametrize(
    ("name", "how", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 2**-15),
        ("a.wav", {"subtype": "PCM_24"}, 2**-22),
        ("a.wav", {"subtype": "PCM_32"}, 1e-7),
        ("a.wav", {"subtype": "FLOAT"}, 0),
        ("a.wav", {"subtype": "PCM_U8"}, 2**-7),
        ("a.flac", {}, 2**-15),
        ("a.aiff", {}, 2**-15),
        ("a.caf", {}, 2**-15),
    ],
)
def test_every_sample_type_becomes_float32(made, name, how, tolerance):
    audio = noise(RATE + 77, 2)
    source = open_source(str(made(name, audio, **how)))
    assert (source.rate, source.channels, source.live) == (RATE, 2, False)
    np.testing.assert_allclose(drain(source), audio, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "how"), [("a.ogg", {}), ("a.mp3", {}), ("a.ogg", {"subtype": "OPUS"})]
)
def test_lossy_kinds_come_out_in_blocks_as_in_one_piece(made, name, how):
    # SoundFile.read disturbs MP3 at the end of each block; see realtime.sources.wav
    t = np.arange(2 * RATE) / RATE
    path = made(name, 0.3 * np.sin(2 * np.pi * 440 * t), **how)
    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)
    np.testing.assert_allclose(drain(open_source(str(path))), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("block_s", [1e-9, 0.001, 0.0333, 1.0, 60.0])
def test_the_block_size_changes_nothing(made, block_s):
    audio = noise(5001 if block_s > 1e-6 else 50)
    path = made("a.wav", audio, subtype="FLOAT")
    np.testing.assert_array_equal(drain(WavSource(str(path), block_s=block_s)), audio)


def test_eight_channels_at_192_khz(made):
    audio = noise(19_200, 8)
    source = open_source(str(made("a.wav", audio, 192_000, subtype="FLOAT")))
    assert (source.rate, source.channels) == (192_000, 8)
    np.testing.assert_array_equal(drain(source), audio)


def test_a_single_sample_is_sound(made):
    audio = noise(1)
    assert drain(open_source(str(made("a.wav", audio, subtype="FLOAT")))) == audio


def test_nan_and_inf_pass_through(made):
    audio = noise(4000)
    audio[100], audio[200], audio[300] = np.nan, np.inf, -np.inf
    got = drain(open_source(str(made("a.wav", audio, subtype="FLOAT"))))
    np.testing.assert_array_equal(got, audio)


def test_close_ends_after_the_block_at_hand(made):
    source = open_source(str(made("a.wav", noise(RATE))))
    seen = 0
    for _ in source.blocks():
        seen += 1
        source.close()
    assert seen == 1


def test_close_before_reading_gives_nothing(made):
    source = open_source(str(made("a.wav", noise(RATE))))
    source.close()
    assert list(source.blocks()) == []


def test_memory_does_not_grow_with_the_file(made):
    path = made("long.wav", np.zeros(600 * RATE, np.int16))
    tracemalloc.start()
    try:
        for _ in open_source(str(path)).blocks():
            pass
        # the samples are 38 MB; a table of Python's own, of 1 or 2, may double meanwhile
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


# --- what is wrong with a file ------------------------------------------------------------


def test_a_missing_file(tmp_path, made):
    made("bells.wav", noise(10))
    with pytest.raises(AudioError, match=r"bell\.wav: no such file") as caught:
        open_source(str(tmp_path / "bell.wav"))
    assert "did you mean" in caught.value.hint
    assert "bells.wav" in caught.value.hint
    assert caught.value.status == 4


@pytest.mark.parametrize("path", ["", "\0", "x" * 5000, "/dev/null/x"])
def test_paths_that_cannot_be(path):
    with pytest.raises(AudioError):
        open_source(path)


def test_a_folder(tmp_path):
    with pytest.raises(FormatError, match="is a folder"):
        open_source(str(tmp_path))


def test_a_text_file_named_wav(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("dear diary\n" * 50)
    with pytest.raises(FormatError, match="is text, not sound"):
        open_source(str(path))


def test_random_bytes_named_wav(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(np.random.default_rng(1).bytes(5000))
    with pytest.raises(FormatError, match="is no sound file") as caught:
        open_source(str(path))
    assert "ffmpeg" in caught.value.hint


def test_an_empty_file(tmp_path):
    path = tmp_path / "x.wav"
    path.touch()
    with pytest.raises(FormatError, match=r"is empty \(0 bytes\)"):
        open_source(str(path))


def test_a_wav_without_a_sample(made):
    with pytest.raises(FormatError, match=r"holds no sound \(0 samples\)"):
        open_source(str(made("x.wav", noise(0))))


def test_a_truncated_flac_gives_what_there_is_then_says_where_it_broke(made):
    audio = noise(5 * RATE)
    path = made("x.flac", audio)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    source, got = open_source(str(path)), []
    with pytest.raises(FormatError, match=r"breaks at 2\.\d+ of 5\.000 seconds") as caught:
        got.extend(block.audio for block in source.blocks())
    heard = np.concatenate(got)
    assert 2.0 < len(heard) / RATE < 3.0
    np.testing.assert_allclose(heard, audio[: len(heard)], rtol=0, atol=2**-15)
    assert f"{len(heard) / RATE:.3f}" in str(caught.value)
    assert caught.value.status == 4


def test_a_header_that_announces_more_is_warned_about(made, caplog):
    path = made("x.wav", noise(2 * RATE))
    path.write_bytes(path.read_bytes()[: 44 + RATE * 2])
    with caplog.at_level(logging.WARNING):
        assert len(drain(open_source(str(path)))) == RATE
    assert "announces 2.000 seconds, the file holds 1.000" in caplog.text


def test_a_streamed_header_is_not_warned_about(made, caplog):
    path = made("x.wav", noise(RATE))
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    path.write_bytes(data)
    assert len(drain(open_source(str(path)))) == RATE
    assert not caplog.text


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (40, b"\0\0\0\0", "0 samples, but"),  # a recorder that lost power
        (24, b"\0\0\0\0", "no sound file"),  # 0 Hz
        (24, b"\xff\xff\xff\x7f", "Hz"),  # 2 GHz
        (22, b"\0\0", "no sound file"),  # no channels
    ],
)
def test_headers_that_lie(made, at, value, says):
    path = made("x.wav", noise(RATE))
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)
    with pytest.raises(FormatError, match=says):
        open_source(str(path))


# --- open_source --------------------------------------------------------------------------


def test_a_raw_file_needs_its_rate(tmp_path):
    path = tmp_path / "x.raw"
    path.write_bytes(np.arange(-50, 50, dtype="<i2").tobytes())
    with pytest.raises(FormatError, match="raw PCM") as caught:
        open_source(str(path))
    assert "--rate" in caught.value.hint
    source = open_source(str(path), rate=8000)
    assert (source.rate, source.live) == (8000, False)
    np.testing.assert_array_equal(drain(source)[:, 0] * 32768, np.arange(-50, 50))


def test_an_input_and_a_device_contradict():
    with pytest.raises(UsageError, match="both"):
        open_source("a.wav", device="mic")
