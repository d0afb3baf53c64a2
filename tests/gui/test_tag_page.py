"""The tag page as a person uses it: bars, events, choices, keyboard, and rest when hidden."""

import json
from pathlib import Path

import pytest
from PyQt6.QtCore import QMimeData, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent
from PyQt6.QtWidgets import QAbstractButton, QAbstractItemView, QAbstractSlider, QComboBox

from gui.label_bar import LabelBar
from gui.tag_page import TagPage

DEMO = Path(__file__).parents[2] / "realtime/sounds/demo.flac"
FAST = 40.0
SLOW = 4.0  # a word lasts long enough to be seen


@pytest.fixture
def page(qtbot, context):
    found = TagPage(context)
    found.restore({"listens": False})
    qtbot.addWidget(found)
    found.resize(900, 600)
    found.show()
    found.shown(True)
    yield found
    found.finish()


@pytest.fixture
def heard(qtbot, page):
    """The page after the bundled recording."""
    with qtbot.waitSignal(page.tagger.ended, timeout=20_000):
        page.choose_sound(DEMO, FAST)
    page.frame()
    return page


def bar(page, label):
    return next(row for row in page.view.bars.rows if row.label == label)


def test_what_was_heard_is_listed(heard):
    table = heard.view.list.model()
    assert table.rowCount() == 10
    rows = [[table.index(r, c).data() for c in range(1, 5)] for r in range(10)]
    assert [r[1] for r in rows] == [
        "go", "stop", "off", "on", "right", "left", "down", "up", "no", "yes",
    ]  # fmt: skip
    assert rows[-1] == ["0:01.5", "yes", "0.98", "0.6 s"]
    assert heard.view.noted == "demo.flac is over."
    assert heard.view.button.text().replace("&", "") == "Listen"


def test_a_bar_shows_its_score_and_its_threshold(qtbot, page):
    page.choose_sound(DEMO, SLOW)
    qtbot.waitUntil(lambda: "listens to" in page.view.noted, timeout=8000)
    assert [row.label for row in page.view.bars.rows][:2] == ["yes", "no"]
    assert bar(page, "yes").value() == 92
    assert not bar(page, "silence").isEnabled()

    def left_is_long():
        page.frame()
        return bar(page, "left")._shown > 0.8

    qtbot.waitUntil(left_is_long, timeout=20_000)

    def left_is_over():
        page.frame()
        page.view.bars.advance(0.05)
        return bar(page, "left")._shown < 0.2

    qtbot.waitUntil(left_is_over, timeout=20_000)


def test_a_threshold_moves_by_keyboard_and_by_mouse(qtbot, heard):
    row = bar(heard, "go")
    row.setFocus()
    qtbot.keyClick(row, Qt.Key.Key_Left)
    assert row.value() == 91
    qtbot.keyClick(row, Qt.Key.Key_PageDown)
    assert row.value() == 86
    assert heard.save()["thresholds"] == {"kws12": {"go": 0.86}}
    track = row._track
    middle = track.center().toPoint()
    qtbot.mousePress(row, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseRelease(row, Qt.MouseButton.LeftButton, pos=middle)
    assert 48 <= row.value() <= 52
    qtbot.keyClick(row, Qt.Key.Key_Delete)
    assert row.value() == 92
    assert heard.save()["thresholds"] == {"kws12": {}}


def test_thresholds_come_back(qtbot, page, context):
    kept = {"thresholds": {"kws12": dict.fromkeys(("yes", "no", "up", "down"), 1.0)}}
    page.restore({**kept, "listens": False})
    with qtbot.waitSignal(page.tagger.ended, timeout=20_000):
        page.choose_sound(DEMO, FAST)
    page.frame()
    assert page.view.list.model().rowCount() == 6
    assert bar(page, "yes").value() == 100
    assert json.loads(json.dumps(page.save()))["thresholds"] == kept["thresholds"]


@pytest.mark.parametrize(
    "kept",
    [
        {"model": 7, "device": None, "thresholds": [1], "own": {}, "on": "x", "listens": 3},
        {"thresholds": {"kws12": {"yes": "much", "no": 7.0}, "other": 3}},
        {},
    ],
)
def test_settings_that_make_no_sense_are_passed_over(page, kept):
    page.restore(kept)
    assert page.save()["model"] == "kws12"
    assert all(not values for values in page.save()["thresholds"].values())
    page.toggle()


def test_a_bad_model_is_said_and_the_choice_goes_back(qtbot, page, context, tmp_path):
    page.choose_sound(DEMO)
    qtbot.waitUntil(lambda: page.tagger.listens, timeout=8000)
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model at all")
    with qtbot.waitSignal(page.tagger.failed, timeout=8000):
        page.choose_model(str(bad))
    assert "bad.onnx is neither an ONNX nor a TFLite model" in context.said[-1]
    assert page.view.models.currentText() == "kws12"
    assert page.tagger.listens
    with qtbot.waitSignal(page.tagger.opened, timeout=8000):
        page.choose_model("kws12-tiny")
    assert page.view.models.currentText() == "kws12-tiny"
    assert page.view.inputs.currentText() == "demo.flac"


def test_a_hidden_page_rests_unless_it_shall_not(qtbot, page):
    page.choose_sound(DEMO)
    qtbot.waitUntil(lambda: page.tagger.listens, timeout=8000)
    page.view.on.setChecked(True)
    page.shown(False)
    assert page.tagger.listens
    page.shown(True)
    page.view.on.setChecked(False)
    with qtbot.waitSignal(page.tagger.ended, timeout=1000):
        page.shown(False)
    assert not page.tagger.listens
    with qtbot.waitSignal(page.tagger.opened, timeout=8000):
        page.shown(True)


def test_it_waits_for_the_microphone_of_a_gate_that_starts(qtbot, context):
    page = TagPage(context)
    qtbot.addWidget(page)
    wishes = []
    page.tagger.listen = wishes.append
    page.shown(True)
    assert wishes == []
    context.driver.connected.emit({})
    context.driver.settings = {"device": "USB Mic"}
    qtbot.waitUntil(lambda: bool(wishes), timeout=1000)
    assert [(w.device, w.exactly) for w in wishes] == [("USB Mic", False)]
    page.shown(False)
    page.shown(True)
    page._patience.timeout.emit()  # no gate came
    assert len(wishes) == 2
    page.choose_device("Other Mic")
    assert (wishes[-1].device, wishes[-1].exactly) == ("Other Mic", True)
    page.finish()


def test_the_button_and_its_key(qtbot, page):
    page.choose_sound(DEMO)
    qtbot.waitUntil(lambda: page.tagger.listens, timeout=8000)
    with qtbot.waitSignal(page.tagger.ended, timeout=1000):
        qtbot.keyClick(page, Qt.Key.Key_T, Qt.KeyboardModifier.AltModifier)
    assert not page.tagger.listens
    assert page.view.noted == "It does not listen."


def test_files_may_be_dropped(qtbot, page):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(DEMO))])
    event = QDropEvent(
        QPointF(10, 10), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    with qtbot.waitSignal(page.tagger.opened, timeout=8000) as seen:
        page.dropEvent(event)
    assert seen.args[0].source == "demo.flac"


def test_enter_plays_a_clip_and_a_device_that_is_not_there_is_said(qtbot, heard, context):
    table = heard.view.list
    table.selectRow(0)
    table.setFocus()
    chosen = []
    table.chosen.connect(chosen.append)
    with qtbot.waitSignals([heard.player.ended], timeout=20_000):
        heard.player.device = "no such loudspeaker"
        qtbot.keyClick(table, Qt.Key.Key_Return)
    assert [t.label for t in chosen] == ["go"]
    assert context.said[-1].startswith("Nothing can be played: ")
    assert "\n" not in context.said[-1]
    assert heard.player.what is None


def test_events_are_saved_as_a_table(heard, tmp_path):
    heard.view.list.events.write(tmp_path / "events.csv")
    lines = (tmp_path / "events.csv").read_text().splitlines()
    assert lines[0] == "time,start_s,stop_s,label,score"
    assert lines[1] == "0:01.5,1.50,2.10,yes,0.985"
    assert len(lines) == 11


def test_everything_has_a_name_and_can_be_reached_by_keyboard(page):
    kinds = (QAbstractButton, QAbstractSlider, QComboBox, QAbstractItemView)
    for widget in page.findChildren(kinds):
        if not widget.isVisibleTo(page) or widget.focusPolicy() == Qt.FocusPolicy.NoFocus:
            continue
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        assert widget.accessibleName() or text, widget
    sliders = page.findChildren(LabelBar)
    assert all(s.focusPolicy() & Qt.FocusPolicy.TabFocus for s in sliders)


def test_it_fits_a_small_screen(page):
    assert page.minimumSizeHint().width() <= 640
    assert page.minimumSizeHint().height() <= 400
