"""What the gate page says of the gate, in plain words."""

import pytest

from gui.driver import GateDriver
from gui.readout import Readout
from gui.status import Status

STATE = {
    "latency_ms": 6.27, "t": 10.0, "heard": 480_000, "dropped": 0, "overloads": 0,
    "overload_s": 0.0, "overloaded": False, "tardy": 0, "overflows": 0, "underflows": 0,
    "slips": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, ["Adds 6.3 ms", "Uses 4 % of one core", "Always in time", "Nothing lost"]),
        ({"overloads": 1, "overload_s": 1.24}, ["Late once, 1.2 s"]),
        ({"overloads": 3, "overload_s": 2.0}, ["Late 3 times, 2.0 s"]),
        ({"overloaded": True, "overloads": 1}, ["Too slow: by level now"]),
        ({"tardy": 2}, ["Just in time 2×"]),
        ({"dropped": 24_000}, ["0.5 s of sound lost"]),
        ({"overflows": 2, "underflows": 2, "slips": 1}, ["3 short gaps"]),
    ],
)
def test_a_gate_in_plain_words(qtbot, more, said):
    readout = Readout()
    qtbot.addWidget(readout)
    readout.show_state(STATE | more, 0.041)
    for words in said:
        assert words in readout.sentences()


def test_trouble_has_a_sign_of_its_own(qtbot):
    readout = Readout()
    qtbot.addWidget(readout)
    readout.show_state(STATE | {"overloads": 2, "overload_s": 1.0}, 0.04)
    assert [mark.text() for mark, _ in readout._rows] == ["✓", "✓", "!", "✓"]
    readout.show_state(STATE | {"tardy": 2}, 0.04)  # a few milliseconds: no trouble
    assert [mark.text() for mark, _ in readout._rows] == ["✓", "✓", "", "✓"]


def test_trouble_that_has_passed_is_no_warning_any_more(qtbot, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    readout = Readout()
    qtbot.addWidget(readout)
    readout.show_state(STATE | {"overloads": 2, "overload_s": 1.0}, 0.04)
    assert readout._rows[2][0].text() == "!"
    now += 60
    readout.show_state(STATE | {"overloads": 2, "overload_s": 1.0}, 0.04)
    assert readout.sentences()[2] == "Late 2 times, 1.0 s, none lately"
    assert readout._rows[2][0].text() == ""
    readout.show_state(STATE | {"overloads": 3, "overload_s": 1.0}, 0.04)
    assert readout._rows[2][0].text() == "!"


def test_the_state_in_a_word(qapp):
    driver = GateDriver()
    status = Status(driver)
    assert status.lamp == "none"
    driver.hello = {"started": {"input": "mic", "output": "speaker"}}
    for told, lamp in [
        ({"phase": "starting"}, "starting"),
        ({"phase": "running", "open": False}, "closed"),
        ({"open": True}, "open"),
        ({"bypass": True}, "bypass"),
        ({"mute": True}, "mute"),
        ({"mute": False, "bypass": False, "open": False}, "closed"),
    ]:
        driver.switched.emit(told)
        assert status.lamp == lamp
    assert status.sentence() == "mic → speaker"
    driver.happened.emit({"event": "device", "state": "lost", "name": "mic", "t": 1.0})
    assert status.lamp == "waiting"
    assert "by itself" in status.sentence()
    driver.happened.emit({"event": "device", "state": "back", "name": "mic", "t": 2.0})
    assert status.lamp == "closed"


def test_a_mend_for_the_command_line_is_not_told_in_the_panel(qapp):
    driver = GateDriver()
    status = Status(driver)
    driver.hello = {"started": None}
    trouble = {"phase": "waiting", "trouble": "no sound device to play to"}
    driver.switched.emit(trouble | {"hint": "plug one in, or name a file"})
    assert status.sentence().startswith("No sound device to play to. Plug one in")
    driver.switched.emit(trouble | {"hint": "rt-gate --list-devices shows what there is"})
    assert status.sentence() == "No sound device to play to. It starts by itself."
