"""Lessons that are asked for over the control socket."""

import time

import numpy as np
import pytest
import soundfile

RATE = 16_000


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Claps, and hums."""
    room = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(1)
    t = np.arange(1280) / RATE
    claps = rng.normal(0, 1e-4, 20 * RATE)
    for at in range(800, len(claps) - 1280, 4000):
        claps[at : at + 1280] += 0.1 * rng.normal(size=1280) * np.exp(-40 * t)
    t = np.arange(20 * RATE) / RATE
    hums = 0.1 * (np.sin(9 * t) > -0.3) * np.sin(2 * np.pi * 220 * t)
    for name, sound in (("claps", claps), ("hums", hums), ("silence", 0 * hums)):
        soundfile.write(room / f"{name}.wav", sound, RATE)
    return room


@pytest.fixture
def line(gate):
    line = gate.line()
    line.ask("events", on=True)
    yield line
    gate.line().ask("learn_stop")


def told(line, ready):
    """The first thing told of a lesson that is as it should be."""
    while True:
        what = line.read(100).get("learn")
        if what and ready(what):
            return what


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"open": ["x"], "closed": ["y"]}, "name is None"),
        ({"open": ["x"], "closed": ["y"], "name": "../x"}, "name is '../x'"),
        ({"open": "x", "closed": ["y"], "name": "x"}, "open is 'x'"),
        ({"open": [1], "closed": ["y"], "name": "x"}, "open is [1]"),
        ({"open": ["x"], "closed": ["y"], "name": "x", "from": 3}, "from is 3"),
    ],
)
def test_a_wrong_request(line, asked, why):
    assert why in line.ask("learn", **asked)["error"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"open": ["/nix.wav"], "closed": ["/nix.wav"]}, "/nix.wav"),
        ({"open": ["CLAPS"], "closed": ["SILENCE"]}, "silen"),
        ({"open": ["CLAPS"]}, "--closed is missing"),
        ({"open": ["CLAPS"], "closed": ["CLAPS"]}, "claps.wav"),
    ],
)
def test_examples_that_teach_nothing(gate, line, sounds, asked, why):
    files = {"CLAPS": str(sounds / "claps.wav"), "SILENCE": str(sounds / "silence.wav")}
    asked = {side: [files.get(p, p) for p in paths] for side, paths in asked.items()}
    target = gate.room / "new.gate"
    assert line.ask("learn", to=str(target), **asked)["ok"] == {"to": str(target)}
    end = told(line, lambda what: what.get("done"))
    assert why in end["error"]
    assert not list(gate.room.glob("*new.gate*"))
    assert line.ask("state")["ok"]["learning"] is False


def test_a_lesson_is_ended_within_a_second_and_leaves_nothing(gate, line, sounds):
    target = gate.room / "new.gate"
    asked = {"open": [str(sounds / "claps.wav")], "closed": [str(sounds / "hums.wav")]}
    line.ask("learn", to=str(target), **asked)
    begun = told(line, lambda what: what.get("progress", 0) > 0.02)
    assert begun["stage"] == "listening"
    assert line.ask("state")["ok"]["learning"] is True
    assert "a lesson runs already" in line.ask("learn", to=str(target), **asked)["error"]
    assert list(gate.room.glob(".new.gate*.part"))
    began = time.monotonic()
    assert line.ask("learn_stop")["ok"] == {"stopped": True}
    assert time.monotonic() - began < 15.0  # a second where nothing else runs
    assert told(line, lambda what: what.get("done")) == {"done": True, "stopped": True}
    assert not list(gate.room.glob("*new.gate*"))
    assert line.ask("learn_stop")["ok"] == {"stopped": False}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_lesson(gate, line, sounds):
    asked = {"open": [str(sounds / "claps.wav")], "closed": [str(sounds / "hums.wav")]}
    made = line.ask("learn", name="clap", **asked)["ok"]["to"]
    steps = []
    end = told(line, lambda what: what.get("done") or steps.append(what))
    assert end["report"]["gate"] == made
    assert end["report"]["advice"]
    progress = [step["progress"] for step in steps]
    assert progress == sorted(progress)
    assert len(progress) > 20
    assert progress[-1] > 0.9
    (learned,) = line.ask("hello")["ok"]["gates"]
    assert (learned["name"], learned["model"], learned["fault"]) == ("clap", made, "")
    found = line.ask("set", settings={"level": False, "model": made})["ok"]
    assert found["model"] == made
