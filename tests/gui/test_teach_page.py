"""The teach page as a person uses it: what stops a lesson, a lesson, the outcome, keeping."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit

from gui.keeping import gate_path
from gui.status import Status
from gui.teach_page import TeachPage
from gui.trial import Outcome, Task, Trial
from gui.window import Window
from realtime.runners import open_runner

RATE = 16_000
WORDS = Path(__file__).parents[1] / "data/words"
LATEST_S = 15.0  # to end a lesson: a second where nothing else runs, and well before it is over
VOICES = ("slt", "rms", "awb", "kal")


@pytest.fixture(scope="session")
def sides(tmp_path_factory):
    """Two folders: spoken words, and claps."""
    folder = tmp_path_factory.mktemp("sides")
    for side in ("words", "claps"):
        (folder / side).mkdir()
    rng = np.random.default_rng(1)
    t = np.arange(1280) / RATE
    for i, voice in enumerate(VOICES):
        words = [soundfile.read(p)[0] for p in sorted(WORDS.glob(f"*/{voice}.flac"))[:8]]
        soundfile.write(folder / "words" / f"{voice}.flac", np.concatenate(words), RATE)
        out = rng.normal(0, 1e-4, 6 * RATE)
        for at in range(800, len(out) - 1280, 4000):
            out[at : at + 1280] += 0.1 * rng.normal(size=1280) * np.exp(-40 * t)
        soundfile.write(folder / "claps" / f"{i}.wav", out.astype(np.float32), RATE)
    return folder / "words", folder / "claps"


@pytest.fixture
def page(qtbot, context):
    found = TeachPage(context)
    qtbot.addWidget(found)
    found.resize(900, 600)
    found.show()
    found.shown(True)
    yield found
    found.finish()


def show(qtbot, page, opens=(), closeds=()):
    for side, paths in (("open", opens), ("closed", closeds)):
        page.examples.sides[side].add(paths)
    qtbot.waitUntil(
        lambda: not any(s.judging for s in page.examples.sides.values()), timeout=20_000
    )


def learn(qtbot, page):
    qtbot.mouseClick(page.examples.button, Qt.MouseButton.LeftButton)


def write(path, audio):
    soundfile.write(path, audio.astype(np.float32), RATE)
    return path


def test_what_is_missing_is_said_and_nothing_begins(qtbot, page, context, sides, tmp_path):
    learn(qtbot, page)
    assert context.said[-1] == "Record the wanted sound by itself, at least 3 s of it."
    silent = write(tmp_path / "silent.wav", np.zeros(5 * RATE))
    show(qtbot, page, [silent], [sides[1]])
    learn(qtbot, page)
    assert context.said[-1].startswith("Nothing here can be used: check the microphone")
    page.examples.sides["open"].clear()
    show(qtbot, page, [sides[1]])
    learn(qtbot, page)
    assert "is on both sides: leave it out of one" in context.said[-1]
    assert not page.lesson.runs


def test_a_lesson_can_be_stopped_soon(qtbot, page, sides):
    show(qtbot, page, [sides[0]], [sides[1]])
    learn(qtbot, page)
    assert page.busy()
    qtbot.waitUntil(lambda: "mixtures" in page.examples.stage, timeout=60_000)
    folder, process = page.lesson._folder, page.lesson._process
    pid = process.processId()
    assert list(folder.iterdir())
    began = time.monotonic()
    with qtbot.waitSignal(page.lesson.failed, timeout=3000) as seen:
        learn(qtbot, page)  # the same button
    assert time.monotonic() - began < LATEST_S
    assert seen.args == [""]
    assert not folder.exists()
    assert not page.busy()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_closing_while_it_learns_leaves_nothing(qtbot, page, sides):
    show(qtbot, page, [sides[0]], [sides[1]])
    learn(qtbot, page)
    qtbot.wait(300)
    folder = page.lesson._folder
    assert page.busy() == "It is learning; what it has learned so far would be lost."
    began = time.monotonic()
    page.finish()
    assert time.monotonic() - began < LATEST_S
    assert not folder.exists()
    assert not page.lesson.runs


def test_closing_the_window_while_it_learns_asks_first(qtbot, context, sides):
    """Once no, once yes: then the lesson ends within a second, and nothing of it is left."""
    window = Window(context.driver, Status(context.driver), context.store, context.theme)
    qtbot.addWidget(window)
    window.open_page("teach")
    window.show()
    page, asked, left = window.pages["teach"], [], []
    window.left.connect(lambda: left.append(time.monotonic()))
    show(qtbot, page, [sides[0]], [sides[1]])
    learn(qtbot, page)
    folder = page.lesson._folder

    def answer(text):
        box = QApplication.activeModalWidget()
        asked.append(box.informativeText())
        found = [b for b in box.buttons() if b.text().replace("&", "") == text]
        found[0].click() if found else box.reject()

    QTimer.singleShot(100, lambda: answer("Go on"))
    assert not window.close()
    assert page.lesson.runs
    assert window.isVisible()
    QTimer.singleShot(100, lambda: answer("End"))
    began = time.monotonic()
    assert window.close()
    assert left[0] - began < LATEST_S
    assert not page.lesson.runs
    assert not folder.exists()
    assert asked == ["It is learning; what it has learned so far would be lost."] * 2


def test_a_lesson_that_fails_says_so_plainly(qtbot, page, sides, tmp_path):
    page.lesson.model = str(tmp_path / "gone.onnx")
    show(qtbot, page, [sides[0]], [sides[1]])
    with qtbot.waitSignal(page.lesson.failed, timeout=60_000) as seen:
        learn(qtbot, page)
    assert seen.args[0] == "gone.onnx: No such file or directory."
    assert page.examples.button.text() == "&Learn"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_lesson_from_the_recordings_to_the_gate_page(
    qtbot, page, context, sides, learnable_model
):
    page.lesson.model = str(learnable_model)
    show(qtbot, page, [sides[0]], [sides[1]])
    seen = []
    page.lesson.progress.connect(lambda share, stage: seen.append((share, stage)))
    with qtbot.waitSignal(page.lesson.done, timeout=800_000) as done:
        learn(qtbot, page)
    outcome = done.args[0]
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len({stage for _, stage in seen}) >= 5
    assert [t.gate for t in outcome.trials] == ["learned", "level"]
    assert {len(t.audio) for t in outcome.trials} == {len(outcome.audio)}
    heard = outcome.trials[0]
    open_s = sum(b - a for a, b in heard.spans)
    assert 0.0 < open_s < len(outcome.audio) / outcome.rate
    # what is let through is what was recorded
    inside = [round((a + b) / 2 * outcome.rate) for a, b in heard.spans if b - a > 0.2]
    assert inside
    for at in inside:
        np.testing.assert_allclose(heard.audio[at], outcome.audio[at], atol=1e-4)
    assert page.busy() == "The new gate has not been kept."
    assert page.compare.name.text() == "words"
    page.compare.name.setText("spoken words")
    qtbot.mouseClick(page.compare.keep_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.compare.use_button.isVisible(), timeout=30_000)
    assert open_runner(gate_path("spoken words")).card.name == "spoken words"
    assert [p.name for p in gate_path("x").parent.iterdir()] == ["spoken words.gate"]
    assert not page.busy()
    qtbot.mouseClick(page.compare.use_button, Qt.MouseButton.LeftButton)
    assert context.opened == ["gate"]
    qtbot.waitUntil(lambda: page.examples._base.count() == 2, timeout=30_000)
    page.examples.choose_base(gate_path("spoken words"))
    page.examples.sides["open"].clear()
    page.examples.sides["closed"].clear()
    learn(qtbot, page)
    assert context.said[-1] == "Show it more of one side or of both."


@pytest.fixture
def outcome(tmp_path, report):
    rng = np.random.default_rng(2)
    audio = rng.normal(0, 0.1, 4 * RATE).astype(np.float32)
    gate = tmp_path / "new.gate"
    gate.write_bytes(b"")
    learned = Trial("learned", audio * np.float32(0.5), ((0.9, 2.1),))
    level = Trial("level", audio, ((0.0, 4.0),))
    task = Task((tmp_path / "a.wav",), ())
    return Outcome(task, gate, report(), audio, RATE, ((1.0, 2.0),), (level, learned))


def test_before_and_after_are_heard_in_turn(qtbot, page, outcome):
    page._done(outcome)
    lanes = page.compare.lanes
    assert [lane.name for lane in lanes._lanes] == ["Without gate", "Your gate", "Level gate"]
    assert lanes.track == 1
    page.compare.lanes.play_button.setFocus()
    asked = []
    page.player.play = lambda *a, **k: asked.append(("play", a, k))
    page.player.hear = lambda track: asked.append(("hear", track))
    qtbot.keyClick(lanes.play_button, Qt.Key.Key_Space)
    what, args, _ = asked[0]
    assert what == "play"
    tracks, rate, owner, track, begin = args
    assert [t is lane.audio for t, lane in zip(tracks, lanes._lanes, strict=True)] == [True] * 3
    assert (rate, owner, track, begin) == (RATE, lanes, 1, 0.0)
    page.player.what = lanes
    qtbot.keyClick(page, Qt.Key.Key_3)
    assert asked[-1] == ("hear", 2)
    page.player.what = None


def test_names_of_gates(qtbot, page, outcome, context):
    page._done(outcome)
    compare = page.compare
    for name in ("", "  ", "../up", "a/b", ".hidden"):
        compare.name.setText(name)
        assert not compare.keep_button.isEnabled()
    gate_path("dog").parent.mkdir(parents=True)
    gate_path("dog").write_bytes(b"the old one")
    compare.name.setText("dog")
    assert compare.keep_button.text() == "&Replace"
    # what was learned is no gate here: the old one stays
    qtbot.keyClick(compare.name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(context.said), timeout=10_000)
    assert "\n" not in context.said[-1]
    assert gate_path("dog").read_bytes() == b"the old one"
    assert [p.name for p in gate_path("dog").parent.iterdir()] == ["dog.gate"]


def test_mistakes_of_the_gate_belong_to_the_next_lesson(qtbot, page, context, tmp_path):
    sound = np.random.default_rng(3).normal(0, 0.1, RATE)
    opened, missed = (
        write(tmp_path / f"{n}.wav", sound * k) for n, k in (("o", 1), ("m", 0.5))
    )
    context.corrections.add(opened, "opened")
    context.corrections.add(missed, "missed")
    sides = page.examples.sides
    assert [t.path for t in sides["closed"].takes] == [opened]
    assert [t.path for t in sides["open"].takes] == [missed]
    qtbot.waitUntil(lambda: not sides["open"].judging, timeout=10_000)
    assert "it missed this" in sides["open"]._rows[0].accessibleName()
    qtbot.mouseClick(sides["open"]._rows[0]._remove, Qt.MouseButton.LeftButton)
    assert [c["path"] for c in context.corrections.all()] == [str(opened)]
    page._learned_from(Task((), (opened,)))
    assert context.corrections.all() == []
    assert sides["closed"].takes == []


def test_recordings_come_back(qtbot, page, context, sides, tmp_path):
    show(qtbot, page, [sides[0]], [sides[1]])
    kept = json.loads(json.dumps(page.save()))
    again = TeachPage(context)
    qtbot.addWidget(again)
    gone = [[str(tmp_path / "gone.wav"), "file"], 7, ["x"]]
    again.restore({**kept, "open": [*kept["open"], *gone], "device": 3})
    assert again.save() == kept
    again.restore({"open": "x", "closed": None})
    qtbot.wait(300)
    assert again.examples.sides["open"].judging  # nobody looks yet
    again.shown(True)
    qtbot.waitUntil(lambda: again.examples.sides["open"].seconds > 3.0, timeout=20_000)
    again.finish()


def test_everything_has_a_name_and_fits_a_small_screen(qtbot, page, outcome, sides):
    show(qtbot, page, [sides[0]], [sides[1]])
    page._done(outcome)
    for widget in page.findChildren((QAbstractButton, QComboBox, QLineEdit)):
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        name = widget.accessibleName() or text
        assert name or widget.objectName().startswith("qt_"), widget
    assert page.minimumSizeHint().width() <= 640
    assert page.minimumSizeHint().height() <= 400
