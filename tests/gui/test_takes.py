"""Recordings of a side: judged as a lesson judges them, recorded, dropped, and what is said."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PyQt6.QtCore import QPoint, Qt

from gui.paced import PacedFile
from gui.recording import Recording
from gui.take import advice, judge_take, on_both
from gui.takes import Takes
from gui.theme import Theme
from realtime.learn.examples import read_clip

RATE = 16_000
WORDS = Path(__file__).parents[1] / "data/words"
DEMO = Path(__file__).parents[2] / "realtime/sounds/demo.flac"


@pytest.fixture
def wav(tmp_path):
    def write(name, audio, subtype="FLOAT"):
        soundfile.write(tmp_path / name, audio, RATE, subtype=subtype)
        return tmp_path / name

    return write


def bursts(seconds, level=0.2, seed=1):
    rng = np.random.default_rng(seed)
    out = rng.normal(0, 1e-4, round(seconds * RATE))
    for at in range(RATE // 2, len(out) - RATE // 2, RATE):
        out[at : at + RATE // 4] += rng.normal(0, level, RATE // 4)
    return out.astype(np.float32)


@pytest.fixture
def takes(qtbot):
    found = Takes("open", Theme("dark"))
    qtbot.addWidget(found)
    found.resize(400, 500)
    found.show()
    yield found
    found.recorder.finish()


def judged(qtbot, takes):
    qtbot.waitUntil(lambda: not takes.judging, timeout=10_000)


def test_what_is_usable_is_what_a_lesson_uses(wav):
    path = wav("bursts.wav", bursts(6))
    take, clip = judge_take(path), read_clip(path, RATE, 600.0)
    assert take.usable_s == pytest.approx(clip.active_s, abs=0.02)
    assert take.digest == clip.digest
    starts = [a for a, _ in take.usable]
    assert starts == pytest.approx([0.5, 1.5, 2.5, 3.5, 4.5], abs=0.03)
    assert len(take.peaks) == 600
    assert not take.fault
    assert take.peaks[50:70].max() > 0.3 > 0.01 > take.peaks[100:140].max()


def test_what_cannot_be_used_is_said_in_plain_words(wav, tmp_path):
    (tmp_path / "note.txt").write_text("what I recorded " * 9)
    cases = {
        wav("silent.wav", np.zeros(3 * RATE)): "is the microphone muted?",
        tmp_path / "note.txt": "Is text, not sound",
        tmp_path / "gone.wav": "No such file",
    }
    for path, text in cases.items():
        take = judge_take(path)
        assert text in take.fault
        assert str(tmp_path) not in take.fault
        assert take.usable == ()


def test_what_a_side_needs(wav):
    much = judge_take(wav("much.wav", bursts(60)))
    little = judge_take(wav("little.wav", bursts(4)))
    loud = judge_take(wav("loud.wav", np.clip(9 * bursts(20), -1, 1), "PCM_16"))
    silent = judge_take(wav("silent.wav", np.zeros(RATE)))
    assert advice([], "open")[1]
    assert "3 s" in advice([little], "closed")[0]
    assert advice([silent], "open") == (
        "Nothing here can be used: check the microphone, and record again.", True,
    )  # fmt: skip
    assert "clipped" in advice([loud], "open")[0]
    assert advice([loud], "open")[1]
    assert advice([much], "open") == (
        "It can learn from this; a minute is better.",
        False,
    )
    assert advice([], "open", 0.0) == ("", False)
    assert "little.wav is on both sides" in on_both([much, little], [little])
    assert on_both([much], [little, silent]) == ""


def test_files_and_folders_are_judged_beside(qtbot, takes, wav, tmp_path):
    wav("a.wav", bursts(6)), wav("b.wav", bursts(6, seed=2))
    (tmp_path / "list.txt").write_text("no sound")
    takes.add([tmp_path])
    assert takes.judging
    judged(qtbot, takes)
    assert len(takes.takes) == 3
    assert [p.name for p in takes.files] == ["b.wav", "a.wav"]
    assert takes.seconds == pytest.approx(2.5, abs=0.3)
    assert "at least 3 s" in takes.blocked
    takes.add([tmp_path / "a.wav"])  # it is there already
    assert len(takes.takes) == 3
    said = []
    takes.complained.connect(said.append)
    takes.add([tmp_path / "nothing"])
    assert "nothing: no such file or folder" in said[0]
    assert not said[0].startswith("--")


def test_a_folder_of_everything_is_not_read_for_ever(qtbot, takes, wav, tmp_path, monkeypatch):
    monkeypatch.setattr("gui.takes.MOST_FILES", 3)
    for i in range(5):
        wav(f"{i}.wav", bursts(2, seed=i))
    said = []
    takes.complained.connect(said.append)
    takes.add([tmp_path])
    assert len(takes.takes) == 3
    assert said == ["3 recordings of a side are enough."]
    judged(qtbot, takes)


def test_a_recording_becomes_a_take(qtbot, takes):
    words = sorted(WORDS.glob("*/slt.flac"))[:2]
    takes.recorder.record(PacedFile(words[0], speed=4.0))
    assert takes.records
    qtbot.waitUntil(lambda: not takes.records, timeout=5000)
    judged(qtbot, takes)
    (take,) = takes.takes
    assert take.origin == "recorded"
    assert take.path.name == "wanted-1.wav"
    assert take.path.stat().st_mode & 0o777 == 0o600
    was, _ = soundfile.read(words[0], dtype="float32")
    now, _ = soundfile.read(take.path, dtype="float32")
    np.testing.assert_allclose(now, was, atol=1e-6)


def test_the_button_stops_and_keeps_what_was_recorded(qtbot, takes):
    takes.recorder.record(PacedFile(DEMO))
    qtbot.waitUntil(lambda: bool(takes.recorder._recording.peaks))
    takes.recorder.frame()
    qtbot.mouseClick(takes.recorder.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not takes.records, timeout=2000)
    judged(qtbot, takes)
    assert 0.0 < takes.takes[0].seconds < 20.0  # of 21.9


def test_no_device_leaves_no_file(qtbot, tmp_path):
    path = tmp_path / "x.wav"
    recording = Recording(path, "no such microphone")
    with qtbot.waitSignal(recording.failed, timeout=20_000) as seen:
        recording.start()
    assert seen.args[0]
    assert "\n" not in seen.args[0]
    assert list(tmp_path.glob("*x.wav*")) == []


def test_leaving_out(qtbot, takes, wav):
    path = wav("a.wav", bursts(8))
    takes.add([path])
    judged(qtbot, takes)
    row = takes._rows[0]
    assert row.accessibleName().startswith("a.wav  ·  ")
    qtbot.mouseClick(row._remove, Qt.MouseButton.LeftButton)
    assert takes.takes == []
    assert path.exists()


def test_a_part_of_a_recording_takes_its_place(qtbot, takes, wav):
    path = wav("a.wav", bursts(8))
    takes.add([path])
    judged(qtbot, takes)
    row = takes._rows[0]
    row._wave.setFocus()
    for _ in range(14):
        qtbot.keyClick(row._wave, Qt.Key.Key_Right)
    assert not row._only.isVisible()
    for _ in range(20):
        qtbot.keyClick(row._wave, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert row._only.text() == "Use only 1.4 to 3.4 s"
    qtbot.mouseClick(row._only, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: [t.path for t in takes.takes] != [path], timeout=5000)
    judged(qtbot, takes)
    (take,) = takes.takes
    assert take.seconds == pytest.approx(2.0, abs=0.01)
    assert [a for a, _ in take.usable] == pytest.approx([0.1, 1.1], abs=0.03)
    was, now = soundfile.read(path)[0], soundfile.read(take.path)[0]
    np.testing.assert_allclose(now, was[22_400:54_400], atol=1e-6)


def test_a_drag_selects_and_a_click_plays(qtbot, takes, wav):
    takes.add([wav("a.wav", bursts(8))])
    judged(qtbot, takes)
    wave = takes._rows[0]._wave
    played = []
    takes.play.connect(lambda take, at: played.append(at))
    y = wave.height() // 2
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(wave, left, pos=QPoint(wave.width() // 4, y))
    qtbot.mouseMove(wave, QPoint(wave.width() // 2, y))
    qtbot.mouseRelease(wave, left, pos=QPoint(wave.width() // 2, y))
    assert takes._rows[0]._part == pytest.approx((2.0, 4.0), abs=0.05)
    assert played == []
    qtbot.mouseClick(wave, left, pos=QPoint(wave.width() // 2, y))
    assert played == pytest.approx([4.0], abs=0.05)
    assert not takes._rows[0]._only.isVisible()
