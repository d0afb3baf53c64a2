"""The tag page and the teach page with real sound: named, recorded, and played again."""

import numpy as np
import pytest
import soundfile
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest

pytestmark = [pytest.mark.live, pytest.mark.qt, pytest.mark.timeout(400)]

LEFT = Qt.MouseButton.LeftButton


def test_what_comes_through_the_microphone_is_named_and_can_be_played(desk, words):
    desk.wait_for_sound()
    drops = desk.state().get("dropped", 0)
    window = desk.window
    window.open_page("tag")
    page = window.pages["tag"]
    desk.wait(lambda: page.tagger.listens, "the tagger")
    desk.wait(lambda: page.view.noted.startswith("kws12 listens to "), "its word")
    desk.play(words)
    table = page.view.list.model()
    desk.wait(lambda: table.rowCount() >= 4, "events", 90)
    named = [row.tag.label for row in reversed(page.view.list.events.rows)]
    assert named[:4] == ["yes", "no", "up", "down"]
    assert max(row._shown for row in page.view.bars.rows) > 0.5
    assert page.view.picture._levels.max() > 0.0
    places = []
    page.player.at.connect(places.append)
    oldest = table.index(table.rowCount() - 1, 0)
    page.view.list.scrollTo(oldest)  # on a busy machine many have come by now
    cell = page.view.list.visualRect(oldest).center()
    QTest.mouseClick(page.view.list.viewport(), LEFT, pos=cell)
    desk.wait(lambda: places and page.player.what is None, "the clip's end", 60)
    assert places == sorted(places)
    assert places[-1] > 0.5
    assert desk.state().get("dropped", 0) == drops
    window.open_page("gate")
    desk.wait(lambda: not page.tagger.listens, "rest", 2)


def test_a_recording_is_judged_and_heard(desk, words):
    desk.wait_for_sound()
    desk.window.open_page("teach")
    page = desk.window.pages["teach"]
    takes = page.examples.sides["open"]
    QTest.mouseClick(takes.recorder.button, LEFT)
    desk.wait(lambda: takes.recorder._peaks, "sound")
    desk.play(words)
    desk.wait(lambda: takes.recorder._seconds > 9.0, "nine seconds", 90)
    QTest.mouseClick(takes.recorder.button, LEFT)
    desk.wait(lambda: takes.takes and not takes.judging, "the take")
    (take,) = takes.takes
    sound, rate = soundfile.read(take.path, dtype="float32")
    assert not take.fault
    assert take.usable_s > 1.0
    assert np.abs(sound).max() == pytest.approx(np.abs(words[: 9 * rate]).max(), rel=0.2)
    places = []
    page.player.at.connect(places.append)
    wave = takes._rows[0]._wave
    QTest.mouseClick(wave, LEFT, pos=QPoint(round(0.9 * wave.width()), 10))
    desk.wait(lambda: places and page.player.what is None, "its end", 60)
    assert places[0] == pytest.approx(0.9 * take.seconds, abs=0.6)


def test_a_microphone_that_the_gate_has_to_itself_is_heard_through_the_gate(
    desk, words, monkeypatch, tmp_path
):
    """As without a sound server: nobody else can open it."""
    import gui.gate_devices
    from gui.gate_source import GateSource
    from gui.recording import Recording
    from realtime.errors import AudioError

    def busy(**_):
        raise AudioError("system: cannot be opened: Device unavailable")

    monkeypatch.setattr(gui.gate_devices, "open_source", busy)
    desk.wait_for_sound()
    recording = Recording(tmp_path / "heard.wav", "system", exactly=False)
    recording.start()
    desk.wait(lambda: isinstance(recording._source, GateSource), "the gate")
    desk.play(words)
    desk.wait(lambda: len(recording.peaks) > 120, "six seconds", 90)
    done = []
    recording.done.connect(done.append)
    recording.stop()
    desk.wait(lambda: done, "the file", 10)
    sound, rate = soundfile.read(tmp_path / "heard.wav", dtype="float32")
    assert len(sound) / rate == pytest.approx(done[0], abs=0.01)
    assert np.abs(sound).max() > 0.05
    # no piece is missing or twice: the words are there as they were played
    begin = int(np.argmax(np.abs(sound) > 1e-4))
    played = words[int(np.argmax(np.abs(words) > 1e-4)) :]
    part = sound[begin : begin + 3 * rate]
    lags = np.correlate(played[: 4 * rate : 8], part[::8], "valid")
    at = 8 * int(np.argmax(lags))
    around = [
        np.abs(part - played[k : k + len(part)]).max() for k in range(at - 8, at + 9) if k >= 0
    ]
    assert min(around) < 0.02
