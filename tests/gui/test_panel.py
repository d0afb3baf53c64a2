"""A whole panel with a real gate, that finds no sound device."""

import os
import shutil
import signal

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QMessageBox

from gui.pairs import Pairs
from gui.presets import OURS
from gui.store import Store
from realtime.control.client import ControlClient
from realtime.library import WEIGHTS

pytestmark = pytest.mark.xdist_group("panel")  # one panel for all of them


def test_it_starts_a_gate_and_says_that_there_is_no_device(panel):
    assert panel.status.lamp == "waiting"
    assert "device" in panel.window.bar.words.text()
    assert "by itself" in panel.window.bar.words.text()
    assert panel.minder.child.pid


def test_knobs_set_the_gate_and_are_kept_for_this_pair_of_devices(panel, qtbot):
    gate = panel.window.pages["gate"]
    QTest.keyClick(gate.threshold, Qt.Key.Key_PageUp)
    QTest.keyClick(gate.range, Qt.Key.Key_PageUp)
    threshold, range_db = gate.threshold.current(), gate.range.current()
    qtbot.waitUntil(lambda: panel.driver.settings["threshold"] == threshold, timeout=10_000)
    qtbot.waitUntil(lambda: panel.driver.settings["range_db"] == range_db, timeout=10_000)
    assert gate.scope.current() == threshold
    panel.store.flush()
    kept = Pairs(Store(panel.store.path))
    assert kept.settings(kept.devices()) == {"threshold": threshold, "range_db": range_db}


def test_bypass_and_mute_are_unmistakable_and_a_key_away(panel, qtbot):
    window = panel.window
    window.show()
    qtbot.waitExposed(window)
    assert window.banner.isHidden()
    QTest.keyClick(window, Qt.Key.Key_B)
    qtbot.waitUntil(lambda: panel.status.bypass, timeout=10_000)
    assert window.banner.isVisible()
    assert window.bar.bypass.isChecked()
    assert window.bar.bypass.text() == "&Bypass: on"
    QTest.mouseClick(window.banner.off, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.status.bypass, timeout=10_000)
    assert window.banner.isHidden()
    QTest.keyClick(window, Qt.Key.Key_M)
    qtbot.waitUntil(lambda: panel.status.mute, timeout=10_000)
    assert "nothing goes out" in window.banner.words.text()
    panel.obey("mute")
    qtbot.waitUntil(lambda: not panel.status.mute, timeout=10_000)


def test_the_tray_shows_the_state_and_switches(panel, qtbot):
    assert "Waiting" in panel.tray.hint()
    panel.tray.actions["bypass"].trigger()
    qtbot.waitUntil(lambda: panel.tray.actions["bypass"].isChecked(), timeout=10_000)
    assert panel.driver.settings


def test_a_model_that_does_not_load_is_said_and_all_is_as_before(panel, tmp_path, qtbot):
    bad = tmp_path / "bad.gate"
    bad.write_bytes(b"no model at all")
    gate = panel.window.pages["gate"]
    gate.chooser.chosen.emit({"level": False, "model": str(bad)})
    words = panel.window.bar.words
    qtbot.waitUntil(lambda: "did not work" in words.text(), timeout=20_000)
    assert panel.driver.settings["model"] == "voice"
    # in its own words once the gate has listed what there is
    qtbot.waitUntil(lambda: gate.chooser.model.currentText() == "Voice")
    assert all("model" not in kept for kept in panel.store.get("pairs", {}).values())


def test_it_starts_as_it_was_left_but_for_a_model_that_is_gone(panels, tmp_path, qtbot):
    store = Store(tmp_path / "panel.json")
    gone = str(tmp_path / "gone.gate")
    store.put("pairs", {" > ": {"model": gone, "range_db": -20.0}})
    store.put("page", "settings")
    store.put("page gate", {"more": True})
    store.put("language", "de")
    store.flush()
    panel = panels()
    said = []
    panel.status.changed.connect(lambda: said.append(panel.status.sentence()))
    qtbot.waitUntil(lambda: panel.status.lamp == "waiting", timeout=60_000)
    assert any("gone.gate" in words for words in said)
    assert panel.driver.settings["model"] == "voice"
    assert panel.window._page.name == "settings"
    assert panel.window.pages["gate"].more.toggle.isChecked()
    assert panel.window._side.buttons["settings"].text() == "Optionen"


def test_the_level_gate_has_its_own_threshold(panel, qtbot):
    gate = panel.window.pages["gate"]
    gate.chooser.chosen.emit({"level": True})
    qtbot.waitUntil(lambda: panel.driver.settings["level"], timeout=20_000)
    assert gate.threshold.quantity.name == "threshold_db"
    assert gate.threshold.current() == -40.0
    gate.threshold.setFocus()
    QTest.keyClick(gate.threshold, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: panel.driver.settings["threshold_db"] == -39.0, timeout=10_000)
    assert panel.driver.settings["close_db"] == -45.0
    gate.chooser.chosen.emit({"level": False, "model": "voice"})
    qtbot.waitUntil(lambda: gate.threshold.quantity.name == "threshold", timeout=20_000)


def test_the_tray_of_a_hidden_panel_knows_what_others_switch(panel, monkeypatch, qtbot):
    """It is told, and never asks."""
    asked = []
    monkeypatch.setattr(panel.driver, "request", lambda *args, **_: asked.append(args))
    (run_file,) = (panel.room / "run" / "rt-tag").glob("gate-*.json")
    with ControlClient.find(run_file) as script:
        script.request("bypass", on=True)
        qtbot.waitUntil(lambda: panel.tray.actions["bypass"].isChecked(), timeout=10_000)
        script.request("bypass", on=False)
        qtbot.waitUntil(lambda: not panel.tray.actions["bypass"].isChecked(), timeout=10_000)
    assert asked == []


def test_a_gate_of_the_user_is_offered_chosen_and_kept(panel, qtbot):
    folder = panel.room / "data" / "rt-tag" / "gates"
    folder.mkdir(parents=True)
    shutil.copy(WEIGHTS / "voice.onnx", folder / "guitar.gate")
    chooser = panel.window.pages["gate"].chooser
    panel.window.show()
    qtbot.waitUntil(lambda: chooser.model.findText("guitar") >= 0, timeout=20_000)
    chooser.model.setCurrentIndex(chooser.model.findText("guitar"))
    chooser.model.activated.emit(chooser.model.currentIndex())
    wanted = str(folder / "guitar.gate")
    qtbot.waitUntil(lambda: panel.driver.settings["model"] == wanted, timeout=20_000)
    pairs = Pairs(panel.store)
    qtbot.waitUntil(lambda: pairs.settings(pairs.devices()).get("model") == wanted)
    panel.driver.change({"model": "voice"})  # as another page, or a script, would
    qtbot.waitUntil(lambda: pairs.settings(pairs.devices()).get("model") == "voice")
    assert chooser.model.currentText() == "Voice"


def test_two_panels_at_one_gate_and_a_gate_that_dies(panel, panels, qtbot):
    """The other finds the gate by its file, as from the far end of a tunnel."""
    (run_file,) = (panel.room / "run" / "rt-tag").glob("gate-*.json")
    remote = panels("remote.json", target=str(run_file))
    qtbot.waitUntil(lambda: remote.status.lamp == "waiting", timeout=20_000)
    assert remote.minder.child.pid == 0
    remote.driver.set(threshold=0.66)
    knob = panel.window.pages["gate"].threshold
    qtbot.waitUntil(lambda: knob.current() == 0.66, timeout=10_000)
    pid, seen = panel.minder.child.pid, {}
    for one in (panel, remote):
        seen[one] = []
        one.status.changed.connect(lambda one=one: seen[one].append(one.status.lamp))
    os.kill(pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: all("none" in lamps for lamps in seen.values()), timeout=10_000)
    assert "again" in remote.status.sentence()
    qtbot.waitUntil(lambda: panel.status.lamp == "waiting", timeout=60_000)
    assert panel.minder.child.pid not in (0, pid)


def test_a_line_that_breaks_is_taken_up_again(panel, qtbot):
    pid, lamps = panel.minder.child.pid, []
    panel.status.changed.connect(lambda: lamps.append(panel.status.lamp))
    panel.driver._wire._socket.abort()
    qtbot.waitUntil(lambda: lamps[-1:] == ["waiting"])
    assert panel.minder.child.pid == pid  # the gate went on


def test_a_hidden_panel_measures_and_draws_nothing(panel, qtbot):
    window = panel.window
    window.show()
    qtbot.waitExposed(window)
    seen = []
    panel.driver.meters.connect(seen.append)
    for away in (lambda: window.open_page("settings"), window.hide):
        window.open_page("gate")
        qtbot.waitUntil(lambda: len(seen) > 3, timeout=10_000)
        away()
        qtbot.wait(300)
        seen.clear()
        qtbot.wait(700)
        assert seen == []
        assert not window._clock.isActive()
    assert not window.running


def test_it_asks_before_it_ends_what_would_be_lost(panel, monkeypatch, qtbot):
    window = panel.window
    page = window.pages["settings"]
    monkeypatch.setattr(page, "busy", lambda: "A lesson is being learned.")
    finished, asked = [], []
    monkeypatch.setattr(page, "finish", lambda: finished.append(1))

    def answer(box):
        asked.append(box.informativeText())
        monkeypatch.setattr(box, "clickedButton", lambda: box.buttons()[len(asked) - 1])
        return 0

    monkeypatch.setattr(QMessageBox, "exec", answer)
    roles = [QMessageBox.ButtonRole.DestructiveRole, QMessageBox.ButtonRole.RejectRole]
    results = [window.may_end(), window.may_end()]
    assert asked == ["A lesson is being learned."] * 2
    assert sorted(results) == [False, True]
    assert finished == [1]
    assert len(roles) == 2


def test_closed_it_stays_in_a_tray_or_ends(panel, monkeypatch, qtbot):
    window, ends = panel.window, []
    monkeypatch.setattr(panel.store, "get", lambda key, default=None: default)
    window.left.disconnect()
    window.left.connect(lambda: ends.append(1))
    for tray, ended in ((True, []), (False, [1])):
        monkeypatch.setattr(window, "_tray", lambda tray=tray: tray)
        window.show()
        window.close()
        assert not window.isVisible()
        assert ends == ended
    assert panel.minder.child.pid


def test_what_is_folded_away_reaches_the_gate(panel, qtbot):
    more = panel.window.pages["gate"].more
    more.unfold(True)
    QTest.keyClick(more.rows["hysteresis"].slider, Qt.Key.Key_Right)
    kept = panel.driver.settings["hysteresis"]
    qtbot.waitUntil(lambda: panel.driver.settings["hysteresis"] > kept, timeout=10_000)
    more.rows["lookahead_ms"].slider.setValue(20)
    qtbot.waitUntil(lambda: panel.driver.settings["lookahead_ms"] == 20.0, timeout=20_000)
    more.switches["listen"].click()
    qtbot.waitUntil(lambda: panel.driver.settings["listen"] is True, timeout=10_000)
    gentle = OURS["Gentle: quieter, never silent"]
    panel.window.pages["gate"].presets.chosen.emit(gentle)
    qtbot.waitUntil(lambda: panel.driver.settings["range_db"] == -18.0, timeout=20_000)
    panel.window.pages["gate"].presets.chosen.emit(OURS["Balanced"])
    qtbot.waitUntil(lambda: panel.driver.settings["range_db"] == -60.0, timeout=20_000)
    assert panel.driver.settings["hysteresis"] == kept
    assert more.rows["lookahead_ms"].slider.value() == 0


def test_a_value_that_the_gate_refuses_is_said_and_shown_as_it_is(panel, qtbot):
    gate = panel.window.pages["gate"]
    gate.chooser.chosen.emit({"level": True})
    qtbot.waitUntil(lambda: panel.driver.settings["level"], timeout=20_000)
    under = panel.driver.settings["close_db"]
    row = gate.more.rows["close_db"]
    row.slider.setValue(0)
    words = panel.window.bar.words
    qtbot.waitUntil(lambda: "at or under its threshold" in words.text(), timeout=10_000)
    assert panel.driver.settings["close_db"] == under
    assert row.slider.value() == under
    gate.chooser.chosen.emit({"level": False, "model": "voice"})
    qtbot.waitUntil(lambda: gate.threshold.quantity.name == "threshold", timeout=20_000)
