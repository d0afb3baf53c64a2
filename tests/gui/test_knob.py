"""The big controls: turned, typed, reset."""

import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest

from gui.knob import Knob
from gui.quantity import RANGE, THRESHOLD
from gui.theme import Theme


@pytest.fixture
def knob(qtbot):
    found = Knob(THRESHOLD, Theme("dark"))
    qtbot.addWidget(found)
    found.default = 0.55
    found.show_value(0.5)
    found.show()
    found.chosen_values = []
    found.chosen.connect(found.chosen_values.append)
    return found


def test_what_the_gate_says_is_shown_and_not_sent_back(knob):
    knob.show_value(0.7)
    assert knob.current() == 0.7
    assert knob.chosen_values == []


def test_arrows_turn(knob):
    QTest.keyClick(knob, Qt.Key.Key_Up)
    QTest.keyClick(knob, Qt.Key.Key_PageUp)
    assert knob.chosen_values == [0.51, 0.61]


def test_a_drag_upwards_is_more_and_shift_is_finer(knob):
    QTest.mousePress(knob, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    QTest.mouseMove(knob, QPoint(50, 32))
    coarse = knob.current()
    QTest.mouseRelease(knob, Qt.MouseButton.LeftButton)
    assert coarse == pytest.approx(0.6, abs=0.03)


def test_a_double_click_and_delete_bring_the_default_back(knob):
    QTest.mouseDClick(knob, Qt.MouseButton.LeftButton)
    assert knob.current() == 0.55
    knob.show_value(0.2)
    QTest.keyClick(knob, Qt.Key.Key_Delete)
    assert knob.current() == 0.55


@pytest.mark.parametrize(
    ("typed", "value"), [("0.8", 0.8), ("0,25", 0.25), ("7", 1.0), ("x", 0.5), ("", 0.5)]
)
def test_a_value_is_typed(knob, typed, value):
    knob.setFocus()
    QTest.keyClick(knob, Qt.Key.Key_Return)
    editor = knob._editor
    editor.selectAll()
    QTest.keyClicks(editor, typed or " ")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert knob.current() == value


def test_thirty_typed_for_a_range_is_minus_thirty(qtbot):
    knob = Knob(RANGE, Theme("dark"))
    qtbot.addWidget(knob)
    knob.show()
    QTest.keyClicks(knob, "3")
    QTest.keyClicks(knob._editor, "0")
    QTest.keyClick(knob._editor, Qt.Key.Key_Return)
    assert knob.current() == -30.0


def test_a_screen_reader_finds_a_name_and_a_value(knob):
    assert knob.accessibleName() == "Threshold"
    assert knob.accessibleDescription()
    assert (knob.minimum(), knob.value(), knob.maximum()) == (0, 50, 100)
