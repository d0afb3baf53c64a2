"""Settings that outlive the panel."""

import json
import stat

import pytest

from gui.driver import GateDriver
from gui.pairs import MOST, Pairs
from gui.presets import OURS, Presets
from gui.status import Status
from gui.store import Store
from gui.theme import Theme
from gui.window import Window


def test_what_is_kept_comes_back(store):
    store.put("theme", "light")
    store.flush()
    assert Store(store.path).get("theme") == "light"


@pytest.mark.parametrize(
    "text", ["{", "", "[]", '{"format": 99}', "\x00\x01", "null", '{"theme": "dark"'], ids=repr
)
def test_a_corrupt_file_is_kept_aside_and_said_and_defaults_serve(tmp_path, qapp, text):
    path = tmp_path / "panel.json"
    path.write_text(text)
    store = Store(path)
    assert store.get("theme", "system") == "system"
    (aside,) = tmp_path.glob("panel.json.bad-*")
    assert aside.read_text() == text
    assert str(aside) == store.complaint
    store.put("theme", "dark")
    store.flush()
    assert json.loads(path.read_text())["theme"] == "dark"


def test_the_window_says_that_settings_could_not_be_read(tmp_path, qtbot):
    path = tmp_path / "panel.json"
    path.write_text('{"theme": "dark"')
    driver, store = GateDriver(), Store(path)
    window = Window(driver, Status(driver), store, Theme("dark"))
    qtbot.addWidget(window)
    (aside,) = tmp_path.glob("panel.json.bad-*")
    assert window.bar.words.text().endswith(f"they are kept as {aside}.")


def test_no_text_at_all_is_kept_aside_too(tmp_path, qapp):
    path = tmp_path / "panel.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert Store(path).complaint
    assert not path.exists()


def test_a_value_of_another_kind_is_the_default(tmp_path, qapp):
    path = tmp_path / "panel.json"
    path.write_text('{"format": 1, "scale": "big", "stay": 3, "pairs": [1], "geometry": null}')
    store = Store(path)
    assert store.get("scale", 100) == 100
    assert store.get("stay", True) is True
    assert store.get("pairs", {}) == {}
    assert store.get("geometry", "") == ""


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path, qapp, caplog):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "panel.json")
    store.put("theme", "dark")
    store.flush()
    assert "not kept" in caplog.text


def test_it_is_written_whole_or_not_at_all(store, monkeypatch):
    store.put("theme", "light")
    store.flush()
    before = store.path.read_text()
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda *_: 1 / 0)
    store.put("theme", "dark")
    with pytest.raises(ZeroDivisionError):
        store.flush()
    monkeypatch.undo()
    assert store.path.read_text() == before
    assert [p.name for p in store.path.parent.glob(".panel*")] == []
    assert stat.S_ISREG(store.path.stat().st_mode)


def test_each_pair_of_devices_has_its_own_settings(store):
    pairs = Pairs(store)
    desk = {"device": "desk mic", "output_device": "", "virtual_mic": ""}
    head = {"device": "headset", "output_device": "", "virtual_mic": ""}
    pairs.keep(desk, {"threshold": 0.7, "range_db": -20.0})
    pairs.keep(head, {"threshold": 0.3})
    again = Pairs(Store(store.path) if store.flush() else store)
    assert again.settings(desk) == {"threshold": 0.7, "range_db": -20.0}
    assert again.settings(head) == {"threshold": 0.3}
    assert again.devices()["device"] == "headset"


def test_another_model_has_another_threshold(store):
    pairs = Pairs(store)
    devices = {"device": "desk mic"}
    pairs.keep(devices, {"threshold": 0.7, "range_db": -20.0, "model": "voice"})
    pairs.keep(devices, {"model": "guitar.gate"})
    assert pairs.settings(devices) == {"range_db": -20.0, "model": "guitar.gate"}


def test_pairs_that_nobody_used_for_long_are_forgotten(store):
    pairs = Pairs(store)
    for n in range(MOST + 5):
        pairs.keep({"device": f"mic {n}"}, {"threshold": 0.5})
    assert pairs.settings({"device": "mic 0"}) == {}
    assert pairs.settings({"device": f"mic {MOST + 4}"})


def test_presets_are_kept_chosen_and_forgotten(store, qtbot):
    presets = Presets(store)
    qtbot.addWidget(presets)
    presets.settings = {"threshold": 0.62, "range_db": -24.0, "device": "desk mic"}
    presets.keep("R&B")
    chosen = []
    presets.chosen.connect(chosen.append)
    presets.menu().aboutToShow.emit()
    texts = [action.text() for action in presets.menu().actions()]
    assert [name for name in OURS if name in texts] == list(OURS)
    next(a for a in presets.menu().actions() if a.text() == "R&&B").trigger()
    assert chosen == [{"threshold": 0.62, "range_db": -24.0}]
    presets.remove("R&B")
    assert presets.own() == {}
