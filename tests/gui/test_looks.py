"""Colours that can be read, and controls that everybody can reach."""

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QFontMetrics
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QComboBox,
    QLineEdit,
    QScrollArea,
    QScrollBar,
    QWidget,
)

from gui import i18n
from gui.gate_page import GatePage
from gui.palette import DARK, LIGHT
from gui.side import WIDTH, Side
from gui.theme import Theme

pytestmark = pytest.mark.xdist_group("looks")  # one panel for all of them


def luminance(color):
    def linear(c):
        return c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4

    c = QColor(color)
    return 0.2126 * linear(c.redF()) + 0.7152 * linear(c.greenF()) + 0.0722 * linear(c.blueF())


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [DARK, LIGHT], ids=["dark", "light"])
def test_words_stand_out_from_their_ground(colors):
    """WCAG 2.2: 4.5 to 1 for words, 3 to 1 for what is no word."""
    for ground in (colors.back, colors.surface, colors.raised, colors.sunken):
        assert contrast(colors.text, ground) >= 7
        assert contrast(colors.dim, ground) >= 4.5
        assert contrast(colors.accent, ground) >= 3
        assert contrast(colors.mute, ground) >= 3
    assert contrast(colors.warn, colors.surface) >= 4.5
    assert contrast(colors.on_accent, colors.accent) >= 4.5
    assert contrast("#1c1300", colors.bypass) >= 4.5
    assert contrast(colors.score, colors.sunken) >= 7


def test_light_and_dark_are_chosen(qapp):
    theme = Theme("light")
    changes = []
    theme.changed.connect(lambda: changes.append(theme.dark))
    assert not theme.dark
    theme.choose("dark")
    assert changes == [True]
    assert theme.color("back").name() == DARK.back


def controls(window):
    kinds = (QAbstractButton, QComboBox, QAbstractSlider, QLineEdit)
    for kind in kinds:
        for found in window.findChildren(kind):
            inside = isinstance(found.parent(), QComboBox) or isinstance(found, QScrollBar)
            if not inside and found.focusPolicy() != Qt.FocusPolicy.NoFocus:
                yield found


def name_of(control):
    return control.accessibleName() or getattr(control, "text", lambda: "")()


def test_every_control_has_a_name(panel):
    nameless = [c for c in controls(panel.window) if not name_of(c).strip("&")]
    assert [(type(c).__name__, type(c.parent()).__name__) for c in nameless] == []


@pytest.mark.parametrize("page", ["gate", "tag", "teach", "settings"])
def test_tab_reaches_every_control_of_a_page(panel, qtbot, page):
    window = panel.window
    window.open_page(page)
    window.show()
    qtbot.waitExposed(window)
    reached = set()
    at = window
    for _ in range(400):
        at = at.nextInFocusChain()
        reached.add(at)
    wanted = [
        c
        for c in controls(window)
        if c.isVisible() and c.isEnabled() and c.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]
    assert wanted
    assert [c for c in wanted if c not in reached] == []


@pytest.mark.parametrize("language", sorted(i18n.NAMES))
def test_the_gate_page_fits_a_small_screen_in_each_language(context, qtbot, language):
    i18n.use(language)
    page = GatePage(context)
    qtbot.addWidget(page)
    page.resize(800 - WIDTH, 394)
    page.show()
    qtbot.waitExposed(page)
    assert page._body.widget().width() <= page._body.viewport().width()


@pytest.mark.parametrize("language", sorted(i18n.NAMES))
def test_the_names_of_the_pages_fit_their_buttons(qtbot, language):
    """Also that of the page that is there, which is bold, inside a frame of two pixels."""
    i18n.use(language)
    theme = Theme("dark")
    side = Side(theme)
    qtbot.addWidget(side)
    for title in ("Gate", "Tag", "Teach", "Settings"):
        side.add(title, i18n.tr(title))
    widest = max(
        QFontMetrics(theme.font(12, bold=True)).horizontalAdvance(button.text())
        for button in side.buttons.values()
    )
    assert widest <= side.buttons["Gate"].width() - 4


@pytest.mark.parametrize("page", ["gate", "tag", "teach", "settings"])
def test_a_small_screen_shows_the_whole_width(panel, qtbot, page):
    """800 x 480, less what a desktop's frame takes."""
    window = panel.window
    window.open_page(page)
    window.resize(800, 448)
    window.show()
    qtbot.waitExposed(window)
    qtbot.wait(50)
    assert (window.width(), window.height()) == (800, 448)
    for area in window.findChildren(QScrollArea):
        if area.isVisible() and area.widget() is not None:
            assert area.widget().width() <= area.viewport().width(), page
    body: QWidget = window.pages[page]
    assert body.minimumSizeHint().width() <= body.width()


def test_what_moves_paints_all_of_its_ground(panel, qtbot):
    """Else Qt paints what is under it in every frame; a style takes that from sliders."""
    window = panel.window
    gate, tag = window.pages["gate"], window.pages["tag"]
    tag.view.bars.set_labels(["dog", "cat"], {"dog": 0.5, "cat": 0.5})
    window.show()
    for look in ("light", "dark"):
        for page, moving in (
            ("gate", (gate.scope, gate.meter_in, gate.meter_out)),
            ("tag", (tag.view.picture, *tag.view.bars.rows)),
        ):
            window.open_page(page)
            qtbot.waitUntil(moving[0].isVisible)
            for widget in moving:
                assert widget.testAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        panel.theme.choose(look)
