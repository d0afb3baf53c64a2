"""What the requests of the control socket do to a gate that waits for a sound card."""

import msgspec
import pytest

from realtime.control import setup
from realtime.duplex.state import LiveState
from realtime.fields import fields_of
from realtime.gate.settings import GateOptions, GateSettings


@pytest.fixture
def line(gate):
    line = gate.line()
    restored = {name: None for name in setup.CHANGED if name != "level"}
    assert "ok" in line.ask("set", settings=restored | {"level": True})
    return line


def test_it_waits_for_a_device_and_says_so(gate, line, waiting):
    waiting(lambda: line.ask("state")["ok"]["phase"] == "waiting", "the phase")
    state = line.ask("state")["ok"]
    assert "no sound device" in state["trouble"]
    assert state["hint"]
    assert state["running"] is False
    assert set(fields_of(LiveState)) <= set(state)
    warning = [x for x in gate.log.read_text().splitlines() if "waiting for it" in x]
    assert len(warning) == 1


def test_every_setting_is_told(line):
    settings = line.ask("settings")["ok"]
    assert set(settings) == set(setup.CHANGED) | set(fields_of(GateSettings))
    msgspec.convert(
        {k: settings[k] for k in fields_of(GateSettings)}, GateSettings, strict=True
    )


def test_hello(line, gate):
    hello = line.ask("hello")["ok"]
    assert hello["pid"] == gate.process.pid
    assert hello["model"] is None
    assert hello["started"] is None
    assert sorted([*hello["steered"], *hello["restarts"]]) == sorted(setup.CHANGED)
    assert hello["ranges"]["threshold"] == [0, 1]
    assert hello["settings"] == line.ask("settings")["ok"]
    # what no request changes is no secret forgotten
    assert set(fields_of(GateOptions)) == set(setup.CHANGED) | set(setup.FIXED)


def test_settings_are_steered(line):
    found = line.ask("set", settings={"threshold_db": -30, "range_db": -12.5, "duck": True})
    settings = found["ok"]
    assert (settings["threshold_db"], settings["range_db"]) == (-30, -12.5)
    assert settings["close_db"] == -36  # goes with the threshold until somebody speaks of it
    assert settings["duck"] is True
    assert line.ask("state")["ok"]["threshold"] == -30
    assert line.ask("set", settings={"threshold_db": None})["ok"]["threshold_db"] == -40


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"threshold": "high"}, "threshold is 'high'"),
        ({"range_db": 3}, "range_db is 3"),
        ({"lookahead_ms": 21}, "lookahead_ms is 21"),
        ({"block": 4}, "block is 4"),
        ({"rate": 1000}, "rate is 1000"),
        ({"channels": 65}, "channels is 65"),
        ({"threads": 100_000}, "threads is 100000"),
        ({"key_slope": 13}, "key_slope is 13"),
        ({"treshold": 0.5}, "there is no setting treshold"),
        ({"format": "s16"}, "format cannot be changed"),
        ({"key_channels": "4-3"}, "names no channels"),
        ({"control": 1}, "control cannot be changed"),
        ({"threshold_db": -50, "close_db": -40}, "close_db is -40"),
        ({"key_highpass": 400, "key_lowpass": 300}, "nothing is left"),
        ({"virtual_mic": "mic", "output_device": "x"}, "two outputs"),
        ({"level": False, "model": "nix"}, "no model is called nix"),
        ({"level": False, "model": "kws12"}, "names sounds and opens no gate"),
        ({"level": False, "model": "/dev/zero"}, "/dev/zero is no file"),
        ({"level": False, "model": "/tmp"}, "/tmp is no file"),
        ({"level": False, "model": "voice", "card": "/nix.json"}, "/nix.json"),
        ({"device": "nix"}, "no sound device"),
    ],
)
def test_a_wrong_setting_changes_nothing(line, settings, why):
    before = line.ask("settings")["ok"]
    refused = line.ask("set", settings={"duck": True} | settings)
    assert why in refused["error"]
    assert refused["hint"]
    assert line.ask("settings")["ok"] == before


def test_another_model_while_it_waits(line):
    found = line.ask("set", settings={"level": False, "lookahead_ms": 20})["ok"]
    assert (found["level"], found["model"], found["score"]) == (False, "voice", 2)
    model = line.ask("hello")["ok"]["model"]
    assert (model["name"], model["task"]) == ("voice", "gate")
    assert found["threshold"] == model["threshold"]
    assert line.ask("set", settings={"threshold": 0.25})["ok"]["threshold"] == 0.25


def test_switches(line):
    assert line.ask("bypass", on=True)["ok"] == {"bypass": True}
    assert line.ask("mute", on=True)["ok"] == {"mute": True}
    state = line.ask("state")["ok"]
    assert (state["bypass"], state["mute"]) == (True, True)
    line.ask("bypass", on=False), line.ask("mute", on=False)


def test_others_are_told_of_changes(gate, line):
    other = gate.line()
    other.ask("events", on=True)
    line.ask("set", settings={"range_db": -33})
    line.ask("mute", on=True)
    line.ask("mute", on=False)
    told = [other.read() for _ in range(3)]
    assert told[0]["settings"]["range_db"] == -33
    switches = {"event": "switches", "bypass": False}
    assert told[1:] == [switches | {"mute": True}, switches | {"mute": False}]


def test_meters_without_sound(line):
    line.ask("meters", rate=30, past=10)
    meters = line.read()["meters"]
    assert meters["phase"] == "waiting"
    assert (meters["hops"], meters["lost"]) == ([], 0)
    assert "ok" in line.ask("meters", rate=0)


def test_no_devices(line):
    assert line.ask("devices")["ok"] == {"inputs": [], "outputs": []}


def test_no_clip_of_nothing(line):
    assert line.ask("clip")["error"] == "nothing was heard yet"


def test_models(gate, line, words):
    folder = gate.room / "data/rt-tag/gates"
    folder.mkdir(parents=True)
    (folder / "broken.gate").write_bytes(b"not a model")
    found = line.ask("models")["ok"]
    assert found["folder"] == str(folder)
    *shipped, broken = found["models"]
    assert {one["model"] for one in shipped} >= {"voice", "voice-tiny"}
    assert all(one["shipped"] and not one["fault"] for one in shipped)
    assert (broken["name"], broken["model"]) == ("broken", str(folder / "broken.gate"))
    assert "broken.gate" in broken["fault"]
    assert line.ask("hello")["ok"]["gates"] == [broken]
    refused = line.ask("set", settings={"level": False, "model": broken["model"]})
    assert "broken.gate" in refused["error"]
