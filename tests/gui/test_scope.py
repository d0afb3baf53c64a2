"""The scope: what it paints, and its threshold that can be dragged."""

import gc
import os

import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QColor, QWheelEvent
from PyQt6.QtTest import QTest

from gui.quantity import THRESHOLD_DB
from gui.scope import GUTTER, Scope
from gui.theme import Theme
from gui.trace import BIN_S, Trace


@pytest.fixture
def scope(qtbot):
    """A scope that has heard five seconds of sound that passed, and five that did not."""
    trace = Trace()
    for k in range(1000):
        passes = k >= 500
        trace.add([[(k + 1) * BIN_S, -24.0, 0.9 if passes else 0.1, 0.0 if passes else -60.0]])
    found = Scope(trace, Theme("dark"))
    qtbot.addWidget(found)
    found.resize(500 + GUTTER, 300)
    found.show_value(0.5, 0.4)
    found.show()
    qtbot.waitExposed(found)
    found.jump()
    return found


def at(scope, x, y):
    return scope.grab().toImage().pixelColor(round(x), round(y))


def near(color, other):
    wanted = QColor(other)
    return all(
        abs(a - b) < 12 for a, b in zip(color.getRgb()[:3], wanted.getRgb()[:3], strict=True)
    )


def test_what_passed_is_bright_and_what_was_cut_is_not(scope):
    colors = scope._theme.colors
    y = scope._strip.level_y(-30.0)
    assert near(at(scope, 100, y), colors.level)
    assert near(at(scope, 400, y), colors.accent)


def test_a_curtain_hangs_where_sound_is_taken_away(scope):
    y = scope._strip.level_y(-17.0)
    assert at(scope, 100, y) != at(scope, 400, y)


def test_openings_are_marked_between_the_lanes(scope):
    y = scope._strip.score_lane.top() - 5
    assert near(at(scope, 400, y), scope._theme.colors.accent)
    assert not near(at(scope, 100, y), scope._theme.colors.accent)


def test_the_line_can_be_dragged(scope, qtbot):
    chosen = []
    scope.chosen.connect(chosen.append)
    strip = scope._strip
    start = QPoint(200, round(strip.score_y(0.5)))
    end = QPoint(220, round(strip.score_y(0.8)))
    QTest.mousePress(scope, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(scope, end)
    QTest.mouseRelease(scope, Qt.MouseButton.LeftButton, pos=end)
    assert scope.current() == pytest.approx(0.8, abs=0.02)
    assert chosen[-1] == scope.current()


def test_a_click_elsewhere_moves_nothing(scope):
    QTest.mouseClick(
        scope, Qt.MouseButton.LeftButton, pos=QPoint(200, round(scope._strip.score_y(0.9)))
    )
    assert scope.current() == 0.5


def test_arrows_move_the_line_and_a_wheel_does_not(scope):
    scope.setFocus()
    QTest.keyClick(scope, Qt.Key.Key_Up)
    assert scope.current() == 0.51
    QTest.keyClick(scope, Qt.Key.Key_Home)
    assert scope.current() == 0.0
    wheel = QWheelEvent(
        QPointF(200, 100), QPointF(200, 100), QPoint(), QPoint(0, 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    scope.wheelEvent(wheel)
    assert scope.current() == 0.0
    assert not wheel.isAccepted()


def test_what_the_gate_says_does_not_move_a_line_that_is_held(scope):
    start = QPoint(200, round(scope._strip.score_y(0.5)))
    QTest.mousePress(scope, Qt.MouseButton.LeftButton, pos=start)
    scope.show_value(0.2)
    assert scope.current() == pytest.approx(0.5, abs=0.01)
    QTest.mouseRelease(scope, Qt.MouseButton.LeftButton, pos=start)
    scope.show_value(0.2)
    assert scope.current() == 0.2


def test_the_level_gate_has_its_line_among_the_levels(scope):
    scope.measure(THRESHOLD_DB)
    scope.show_value(-40.0, -46.0)
    y = round(scope._strip.level_y(-40.0))
    QTest.mousePress(scope, Qt.MouseButton.LeftButton, pos=QPoint(200, y))
    end = QPoint(200, round(scope._strip.level_y(-20.0)))
    QTest.mouseMove(scope, end)
    QTest.mouseRelease(scope, Qt.MouseButton.LeftButton, pos=end)
    assert scope.current() == pytest.approx(-20.0, abs=1.0)


@pytest.mark.slow
def test_eight_hours_take_no_more_memory_than_one(qtbot):
    """A fifth of the hops of eight hours, and a whole picture every ten seconds of them."""
    trace = Trace()
    scope = Scope(trace, Theme("dark"))
    qtbot.addWidget(scope)
    scope.setMinimumSize(1, 1)
    scope.resize(48 + GUTTER, 96)
    scope.show()
    hour, step = 360_000, 1000

    def run(first, last):
        for k in range(first, last, step):
            trace.add([[(k + i) * BIN_S, -30.0 - i % 7, 0.3, -60.0] for i in range(1, step, 5)])
            if k % (6 * step) == 0:
                trace.mark(k * BIN_S)
            scope._t = trace.t
            scope.repaint()

    def resident():
        with open("/proc/self/statm") as f:  # noqa: PTH123
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    run(0, hour)
    gc.collect()
    before, objects = resident(), len(gc.get_objects())
    run(hour, 8 * hour)
    gc.collect()
    assert len(gc.get_objects()) - objects < 200
    assert resident() - before < 8_000_000  # of 18 million hops, 8 bytes each would be 144 MB
    assert scope._t == pytest.approx(8 * 3600, abs=0.1)
