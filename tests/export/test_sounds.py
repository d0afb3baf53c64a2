"""The sounds that an export is calibrated with and compared on."""

from __future__ import annotations

import numpy as np
import pytest
from kit_export import SPEC, trial_card

from export.sounds import Sound, list_sounds, read_all, read_mono
from realtime.errors import AudioError, UsageError


def test_rows_of_part_test_are_not_even_listed(tmp_path):
    manifest = tmp_path / "data.csv"
    rows = ["file,label,group,split,role"]
    for part in ("train", "val", "test"):
        rows += [f"{part}/{i}.wav,yes,{i},{part},clip" for i in range(3)]
    manifest.write_text("\n".join(rows))
    sounds, name = list_sounds(manifest, None)
    assert name == "data.csv"
    assert {s.part for s in sounds} == {"train", "val"}
    assert sounds[0].file == tmp_path / "train" / "0.wav"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe\x00binary", "no text"),
        (b"file,label\na.wav,yes\n", "no column 'split'"),
        (b"file,label,group,split,role\n" + b"a" * 200_000, "no text"),
    ],
)
def test_what_is_no_manifest(tmp_path, content, says):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        list_sounds(path, None)


def test_a_part_of_a_file(write_wav):
    ramp = np.arange(8000, dtype=np.float32) / 8000
    path = write_wav("ramp.wav", ramp, 8000, subtype="FLOAT")
    part = path.with_name("ramp.wav#t=0.25,0.5")
    assert np.array_equal(read_mono(part, 8000), ramp[2000:4000])
    with pytest.raises(AudioError, match="no sound there"):
        read_mono(path.with_name("ramp.wav#t=1.5,2"), 8000)


def test_what_cannot_be_read_is_named_and_left_out(write_wav, tmp_path, caplog):
    good = write_wav("good.wav", np.full(800, 0.5, np.float32), 8000)
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"this is no sound")
    sounds = [Sound(path, "yes", "val", "clip") for path in (bad, good)]
    ((sound, audio),) = read_all(sounds, 8000, "mine")
    assert (sound.file, len(audio)) == (good, 800)
    assert "bad.wav" in caplog.text
    with pytest.raises(AudioError, match="not one sound of mine"):
        list(read_all(sounds[:1], 8000, "mine"))
    assert list(read_all([], 8000, "mine")) == []


def test_running_sound_that_cannot_be_read(tmp_path):
    """A gate or a twin must not be compared on the bundled recording alone, unsaid."""
    pytest.importorskip("torch", reason="needs the train extra")
    from export.verify_gate import running_frames

    lost = [Sound(tmp_path / "no.wav", "yes", "val", "clip")]
    with pytest.raises(AudioError, match="not one sound of mine"):
        running_frames(trial_card(), lost, 10, "mine")
    assert running_frames(trial_card(), [], 10, "mine").shape[1] == SPEC.mels
