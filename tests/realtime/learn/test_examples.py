"""Reading examples: what is used, what is passed over, and why."""

import numpy as np
import pytest

from realtime.errors import AudioError, FormatError
from realtime.learn.demands import (
    demand_apart,
    demand_different,
    demand_enough,
    demand_unclipped,
)
from realtime.learn.examples import judge, list_files, read_side

RATE = 16_000


@pytest.fixture
def folder(tmp_path, sounds):
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "deep").mkdir()
    soundfile.write(tmp_path / "b.wav", sounds.beeps(4, 400, 1), RATE)
    both = np.stack([sounds.beeps(4, 500, 2)] * 2, 1)
    soundfile.write(tmp_path / "deep" / "a.flac", both, 48_000)
    (tmp_path / "notes.txt").write_text("a minute of beeps, recorded by hand")
    (tmp_path / ".hidden.wav").write_bytes(b"")
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "zero.wav", np.zeros(RATE), RATE)
    return tmp_path


def test_a_folder_at_any_depth(folder):
    side = read_side("open", [str(folder)], RATE)
    assert [c.name for c in side.clips] == ["b.wav", "a.flac"]
    assert side.clips[1].seconds == pytest.approx(4 * 16 / 48, abs=0.01)
    assert {f: r.split(":")[0] for f, r in side.skipped} == {
        "empty.wav": "is empty (0 bytes)",
        "notes.txt": "is text, not sound",
        "zero.wav": "is silent",
    }
    assert 0.5 < side.active_s < side.seconds


def test_a_file_that_is_named_twice_is_read_once(folder):
    files = list_files("open", [str(folder / "b.wav"), str(folder), str(folder / "b.wav")])
    assert [f.name for f in files].count("b.wav") == 1


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(AudioError, match="no such file") as e:
        read_side("open", [str(tmp_path / "no")], RATE)
    assert e.value.status == 4


def test_an_empty_folder_says_what_to_put_there(tmp_path):
    with pytest.raises(AudioError, match="the folder is empty") as e:
        read_side("closed", [str(tmp_path)], RATE)
    assert "about a minute of all that shall not" in e.value.hint


def test_pure_silence(write_wav):
    path = write_wav("z.wav", np.zeros(RATE * 60))
    with pytest.raises(AudioError, match="is silent") as e:
        read_side("open", [str(path)], RATE)
    assert "microphone" in e.value.hint


def test_nothing_that_can_be_read(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.txt").write_text("words " * 50)
    with pytest.raises(FormatError, match="none of 3 files can be used: is text"):
        read_side("open", [str(tmp_path)], RATE)


def test_too_little(write_wav, sounds):
    side = read_side(
        "open", [str(write_wav("s.wav", sounds.beeps(1, 400, 0)[1600:3200]))], RATE
    )
    with pytest.raises(AudioError, match=r"0\.\d s of sound in 1 file, and 3 s is the least"):
        demand_enough(side)


def test_numbers_that_are_none(write_wav, sounds):
    sound = sounds.beeps(4, 400, 0)
    sound[1000:1100] = np.nan
    sound[2000] = np.inf
    side = read_side("open", [str(write_wav("n.wav", sound, subtype="FLOAT"))], RATE)
    assert side.clips[0].mended == 101
    assert np.isfinite(side.clips[0].audio).all()


def test_clipped(write_wav, sounds):
    loud = np.clip(sounds.claps(6, 0) * 20, -1, 1)
    side = read_side("open", [str(write_wav("loud.wav", loud))], RATE)
    with pytest.raises(AudioError, match="% of the sound is clipped"):
        demand_unclipped(side)
    clean = read_side("open", [str(write_wav("clean.wav", sounds.claps(6, 0)))], RATE)
    assert demand_unclipped(clean) == ""


def test_the_same_recording_on_both_sides(sounds, opens, closeds):
    demand_different(opens, closeds)
    again = sounds.side("closed", [sounds.claps(6, 10), opens.clips[2].audio])
    with pytest.raises(
        AudioError, match=r"as --open and as --closed: open2\.wav = closed1\.wav"
    ):
        demand_different(opens, again)


def test_a_digest_is_of_the_sound(sounds):
    sound = sounds.beeps(3, 400, 0)
    assert judge("a", sound, RATE).digest == judge("b", sound.copy(), RATE).digest
    assert judge("a", sound, RATE).digest != judge("a", sound[::-1], RATE).digest


def test_apart():
    demand_apart(0.71)
    with pytest.raises(AudioError, match="55 times in 100") as e:
        demand_apart(0.55)
    assert e.value.status == 4


def test_a_long_recording_is_read_in_part(write_wav, monkeypatch, sounds):
    monkeypatch.setattr("realtime.learn.examples.MOST_S", 5.0)
    monkeypatch.setattr("realtime.learn.examples.FILE_S", 1.0)
    paths = [str(write_wav(f"{i}.wav", sounds.beeps(20, 400, i))) for i in range(4)]
    side = read_side("open", paths, RATE)
    assert side.seconds == pytest.approx(5.0, abs=0.1)


def test_a_file_that_breaks_off_is_used_so_far(tmp_path, sounds):
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "broken.flac"
    soundfile.write(path, sounds.claps(20, 0), RATE)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    side = read_side("open", [str(path)], RATE)
    assert 1 < side.seconds < 20
