"""`rt-train manifest`, and recordings of which only a part is used."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from export import sounds
from realtime.errors import UsageError
from train.bank import open_bank, read_mono
from train.command import main as rt_train
from train.manifest import part_of, read_manifest, span_of, whole_of

Write = Callable[..., Path]


def test_a_part_of_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    ramp = np.arange(8000, dtype=np.float32) / 8192
    soundfile.write(tmp_path / "long.wav", ramp, 8000, subtype="FLOAT")
    part = part_of("long.wav", 0.25, 0.5)
    assert (whole_of(part), span_of(part)) == ("long.wav", (0.25, 0.5))
    assert (whole_of("a#b.wav"), span_of("a#b.wav")) == ("a#b.wav", None)
    assert np.array_equal(read_mono(tmp_path / part, 8000), ramp[2000:4000])
    # the end of a file ends a part of it, and a part after the end is empty
    assert len(read_mono(tmp_path / part_of("long.wav", 0.9, 1.5), 8000)) == 800
    assert len(read_mono(tmp_path / part_of("long.wav", 2.0, 3.0), 8000)) == 0
    bank = open_bank(tmp_path, ["long.wav", part], 8000)
    assert bank.length.tolist() == [8000, 2000]
    assert np.abs(bank.clip(1) - ramp[2000:4000]).max() < 1e-4
    # another file under the same name is read anew
    soundfile.write(tmp_path / "long.wav", ramp[:4000], 8000, subtype="FLOAT")
    assert open_bank(tmp_path, ["long.wav", part], 8000).length.tolist() == [4000, 2000]


def test_an_export_hears_the_part_too(tmp_path: Path) -> None:
    ramp = np.arange(8000, dtype=np.float32) / 8192
    soundfile.write(tmp_path / "long.wav", ramp, 8000, subtype="FLOAT")
    heard = sounds.read_mono(tmp_path / part_of("long.wav", 0.25, 0.5), 8000)
    assert np.array_equal(heard, ramp[2000:4000])


def test_the_command_counts_what_it_leaves_out(
    tmp_path: Path,
    sound: Write,
    text: Write,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for i in range(6):
        sound(f"set/dog/{i}.wav")
    sound("set/cat/0.wav")
    text("set/cat/1.wav", "broken")
    out = tmp_path / "m.csv"
    with caplog.at_level(logging.WARNING, "rt.train.command"):
        assert rt_train(["manifest", "folders", str(tmp_path / "set"), "-o", str(out)]) == 0
    assert "left out: cat/1.wav: " in caplog.text
    assert "1 files are missing or cannot be read" in caplog.text
    assert len(read_manifest(out)) == 7
    assert capsys.readouterr().out == 'labels = ["cat","dog"]\n'


def test_wrong_words_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rt_train(["manifest", "esc", str(tmp_path), "-o", str(tmp_path / "m.csv")]) == 2
    assert "esc50" in capsys.readouterr().err
    assert rt_train(["manifest", "esc50", str(tmp_path)]) == 2
    assert not (tmp_path / "m.csv").exists()
    with pytest.raises(UsageError):
        read_manifest(tmp_path / "m.csv")
