"""The panel as a person uses it: a real window, a real gate, real sound."""

import numpy as np
import pytest
import soundfile
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest

pytestmark = [pytest.mark.live, pytest.mark.qt, pytest.mark.timeout(400)]

LEFT = Qt.MouseButton.LeftButton


def test_a_first_use_without_a_click(desk, words):
    """From the start to a gate that works on a voice: nothing has to be chosen."""
    desk.wait_for_sound()
    desk.play(words)
    lamps = set()
    desk.panel.status.changed.connect(lambda: lamps.add(desk.panel.status.lamp))
    desk.wait(lambda: {"open", "closed"} <= lamps, "openings", 60)
    gate = desk.gate
    QTest.qWait(4000)
    level, score, gain = gate.trace.columns(gate.trace.newest - 300, gate.trace.newest, 0.01)
    assert np.nanmax(level) > -30
    assert np.nanmax(score) > 0.9
    assert np.nanmin(score) < 0.3
    assert np.nanmax(gain) > -1
    assert np.nanmin(gain) < -50
    assert gate.trace.marks
    assert gate.meter_in.peak > -40
    assert gate.readout.sentences()[0].startswith("Adds ")


def test_knobs_line_and_switches_reach_the_sound(desk, words):
    """Dragged, turned and clicked, and seen in what the gate says of itself."""
    desk.wait_for_sound()
    desk.play(words)
    gate, window = desk.gate, desk.window
    strip = gate.scope._strip
    start = QPoint(120, round(strip.score_y(gate.scope.current())))
    end = QPoint(130, round(strip.score_y(0.96)))
    QTest.mousePress(gate.scope, LEFT, pos=start)
    QTest.mouseMove(gate.scope, end)
    QTest.mouseRelease(gate.scope, LEFT, pos=end)
    desk.wait(lambda: desk.state()["threshold"] == gate.scope.current(), "the threshold")
    assert gate.threshold.current() == gate.scope.current() == pytest.approx(0.96, abs=0.03)
    for _ in range(4):
        QTest.keyClick(gate.range, Qt.Key.Key_PageUp)
    desk.wait(lambda: desk.panel.driver.settings["range_db"] == -28.0, "the range")
    QTest.mouseClick(window.bar.bypass, LEFT)
    desk.wait(lambda: desk.state()["bypass"], "bypass")
    assert window.banner.isVisible()
    desk.wait(lambda: desk.state()["gain_db"] > -0.1, "sound that goes through")
    QTest.mouseClick(window.banner.off, LEFT)
    desk.wait(lambda: not desk.state()["bypass"], "no bypass")
    QTest.mouseClick(window.bar.mute, LEFT)
    desk.wait(lambda: desk.state()["output_db"] < -100, "silence")
    QTest.keyClick(window, Qt.Key.Key_M)
    desk.wait(lambda: not desk.state()["mute"], "sound")


def test_that_was_wrong_keeps_the_last_ten_seconds(desk, words):
    desk.wait_for_sound()
    desk.play(words)
    QTest.qWait(11_000)
    QTest.mouseClick(desk.gate.mistakes.opened, LEFT)
    corrections = desk.window.context.corrections
    (clip,) = desk.wait(corrections.all, "the clip")
    sound, rate = soundfile.read(clip["path"], dtype="float32")
    assert clip["kind"] == "opened"
    assert len(sound) / rate == pytest.approx(10, abs=0.2)
    assert np.abs(sound).max() > 0.05
    assert desk.gate.mistakes.lesson.text().startswith("1 ")
    QTest.mouseClick(desk.gate.mistakes.lesson, LEFT)
    assert desk.window._page.name == "teach"


def test_a_device_lost_while_a_slider_is_dragged(desk):
    """The sound server dies and comes back; the slider stays with the hand."""
    desk.wait_for_sound()
    knob = desk.gate.threshold
    QTest.mousePress(knob, LEFT, pos=QPoint(50, 60))
    QTest.mouseMove(knob, QPoint(50, 50))
    desk.card.stop()
    desk.wait(lambda: desk.panel.status.lamp == "waiting", "the loss", 60)
    QTest.mouseMove(knob, QPoint(50, 40))
    held = knob.current()
    assert "by itself" in desk.window.bar.words.text()
    QTest.mouseRelease(knob, LEFT, pos=QPoint(50, 40))
    desk.card.start()
    desk.wait_for_sound()
    desk.wait(lambda: desk.panel.driver.settings["threshold"] == held, "the value")
    assert knob.current() == held


def test_the_sound_does_not_notice_the_panel(desk, words):
    """What the gate lost with the window shown, and hidden: nothing, and nothing."""
    desk.wait_for_sound()
    desk.play(words)
    QTest.qWait(1000)
    lost = []
    for shown in (True, False):
        desk.window.setVisible(shown)
        before = desk.state()
        QTest.qWait(6000)
        after = desk.state()
        lost.append(
            [after[n] - before[n] for n in ("dropped", "skipped", "overloads", "slips")]
        )
    assert lost == [[0, 0, 0, 0]] * 2
