"""rt-tag learn as a person meets it: a model, what it finds, and one line when it cannot be."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.learn.onnx_file import OnnxFile
from realtime.library import WEIGHTS
from realtime.runners import open_runner
from realtime.wake.head import sigmoid
from realtime.wake.hours import read_hours
from realtime.wake.model_file import read_model

RATE = 16_000
SHIPPED = Path(__file__).parents[3] / "realtime/weights"


def test_what_was_learned_is_found_in_new_voices_and_nothing_else(made, starts, said):
    model, _ = made
    found = [starts(model, said("stop", voice)) for voice in ("rms", "slt")]
    assert ["stop"] in found, found
    assert all(f in ([], ["stop"]) for f in found)
    for word in ("left", "no", "hello"):
        assert starts(model, said(word, "slt")) == []


def test_the_report_says_what_it_is_worth(made):
    model, told = made
    assert told["model"] == str(model)
    one = told["labels"]["stop"]
    assert (one["recordings"], one["examples"]) == (4, 4)
    low, high = one["missed_pct_95"]
    assert low <= one["missed_pct"] <= high
    false = one["false_alarms"]
    low, high = false["per_hour_95"]
    assert low <= false["per_hour"] <= high
    assert false["per_day"] == pytest.approx(24 * false["events"] / false["hours"], rel=0.2)
    assert told["closed_s"] > 5
    assert told["seconds"] > 0


def test_the_file_is_a_model_like_any_other(made, tag):
    model, _ = made
    card = open_runner(model).card
    assert (card.name, card.labels, card.scores) == ("mine", ("stop", "other"), "logit")
    assert card.decision.background == ("other",)
    assert card.trained_on[0] == "your own recordings"
    assert card.recipe["examples"] == {"stop": 4}
    assert len(card.measured) == 2
    assert model.stat().st_size < 2_500_000
    status, text, _ = tag("--model", model, "--describe")
    assert (status, json.loads(text)["name"]) == (0, "mine")
    scores = open_runner(model).run(np.zeros((card.window_frames, 40), np.float32))
    assert scores[0] + scores[1] == pytest.approx(1.0, abs=1e-6)


def test_the_same_examples_make_the_same_model(made, shown, weights, tag, tmp_path):
    again = tmp_path / "mine.onnx"
    status, _, err = tag(
        "learn", "--model", weights / "ears.onnx", "--label", "stop", "--open",
        shown / "stop", "--closed", shown / "room.flac", "--false-alarms-per-day", "500",
        "-o", again,
    )  # fmt: skip
    assert status == 0, err
    assert again.read_bytes() == made[0].read_bytes()


def test_it_learns_more_another_label_and_what_is_wrong(
    made, shown, tag, tmp_path, starts, said
):
    model, _ = made
    both = tmp_path / "both.onnx"
    status, text, err = tag(
        "learn", "--json", "--from", model, "--label", "left", "--open", shown / "left",
        "-o", both,
    )  # fmt: skip
    assert status == 0, err
    told = json.loads(text)
    assert list(told["labels"]) == ["stop", "left"]
    assert told["old_examples"]["stop"]["examples"] == 4
    assert open_runner(both).card.labels == ("stop", "left", "other")
    assert "left" in starts(both, said("left", "slt"))
    # a recording that it takes for the word, as --save-clips leaves it, is unlearned
    clips, better = tmp_path / "clips", tmp_path / "better.onnx"
    clips.mkdir()
    files = [said("stop", voice) for voice in ("rms", "slt")]
    wrong = next(path for path in files if "stop" in starts(both, path))
    audio, _ = soundfile.read(wrong)
    name = "2026-11-21T18-30-05.120Z_stop_0.97"
    soundfile.write(clips / f"{name}.flac", audio, RATE)
    (clips / f"{name}.json").write_text("{}")
    status, _, err = tag("learn", "--from", both, "--closed", clips, "-o", better)
    assert status == 0, err
    assert "passed over" not in err
    assert "stop" not in starts(better, wrong)
    assert open_runner(better).card.recipe["lessons"] == 3


def test_two_labels_at_once(shown, tag, weights, tmp_path, capsys):
    out = tmp_path / "two.onnx"
    status, text, err = tag(
        "learn", "--progress", "--model", weights / "ears.onnx", "--label", "stop", "--open",
        shown / "stop", "--label", "left", "--open", shown / "left", "-o", out,
    )  # fmt: skip
    assert status == 0, err
    *steps, result = [json.loads(line) for line in text.splitlines()]
    assert {s["stage"] for s in steps} == {"listening", "learning"}
    assert list(result["labels"]) == ["stop", "left"]
    assert any("--closed" in advice for advice in result["advice"])


@pytest.fixture
def line(shown, weights, tmp_path):
    return [
        "learn", "--model", weights / "ears.onnx", "--label", "stop",
        "--open", shown / "stop", "-o", tmp_path / "mine.onnx",
    ]  # fmt: skip


def check_refused(tag, words, status, said, out=None):
    have, text, err = tag(*words)
    assert (have, text) == (status, ""), err
    assert said in err
    assert err.strip().count("\n") == 0 or "passed over" in err
    if out is not None:
        assert not list(out.parent.glob("*.onnx*"))
        assert not list(out.parent.glob(".*"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["-o"], "-o is missing"),
        (["--label"], "has no label"),
        (["--open"], "has no --open"),
        (["--label", "--open"], "--label and --open are missing"),
    ],
)
def test_a_missing_option(tag, line, change, said):
    for option in change:
        at = line.index(option)
        line = line[:at] + line[at + 2 :]
    check_refused(tag, line, 2, said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--label", "stop", "--open", "x.wav"], "given twice"),
        (["--open", "x.wav"], "given twice for stop"),
        (["--label", "other", "--open", "x.wav"], "cannot be used"),
        (["--label", "any", "--open", "x.wav"], "any and default have a meaning"),
        (["--label", "a;b", "--open", "x.wav"], "parted by"),
        (["--false-alarms-per-day", "none"], "--false-alarms-per-day is none"),
        (["--from", "x.onnx"], "both given"),
        (["--seed", "-1"], "--seed"),
        (["--closed", "nowhere"], "no such file"),
    ],
)
def test_options_that_cannot_be(tag, line, more, said, tmp_path):
    status = 4 if "nowhere" in more else 2
    check_refused(tag, [*line, *more], status, said, tmp_path / "mine.onnx")


def test_a_picture_shows_each_example_and_what_comes_nearest(made, shown, tag, tmp_path):
    matplotlib = pytest.importorskip("matplotlib.image", reason="needs the extra plot")
    picture = tmp_path / "lesson.png"
    status, _, err = tag(
        "learn", "--from", made[0], "--label", "left", "--open", shown / "left",
        "--plot", picture, "-o", tmp_path / "both.onnx",
    )  # fmt: skip
    assert status == 0, err
    pixels = np.round(255 * matplotlib.imread(picture)[..., :3]).astype(int)
    for colour in ((0, 158, 115), (138, 144, 153)):  # a dot on the right side, the threshold
        assert (pixels == colour).all(axis=-1).sum() > 20


def test_a_picture_that_cannot_be(tag, line, tmp_path):
    out = tmp_path / "mine.onnx"
    check_refused(tag, [*line, "--plot", tmp_path / "p.xyz"], 2, "no picture of kind xyz", out)
    check_refused(tag, [*line, "--plot", tmp_path / "no/p.png"], 6, "p.png", out)
    check_refused(tag, [*line, "--plot", out], 2, "name the same file", out)


def test_too_few_and_silent_and_unreadable_examples(tag, line, shown, tmp_path):
    out = tmp_path / "mine.onnx"
    at = line.index("--open") + 1
    one = shown / "stop" / "awb.wav"
    check_refused(tag, [*line[:at], one, *line[at + 1 :]], 4, "1 example of stop", out)
    silent, text = tmp_path / "silent.wav", tmp_path / "text.wav"
    soundfile.write(silent, np.zeros(RATE), RATE)
    text.write_text("no sound")
    check_refused(tag, [*line[:at], silent, *line[at + 1 :]], 4, "silent", out)
    check_refused(tag, [*line[:at], text, *line[at + 1 :]], 4, "text.wav", out)
    empty = tmp_path / "empty"
    empty.mkdir()
    check_refused(tag, [*line[:at], empty, *line[at + 1 :]], 4, "folder is empty", out)


def test_the_same_recording_on_both_sides(tag, line, shown, tmp_path):
    both = ["--closed", shown / "stop" / "awb.wav"]
    check_refused(tag, [*line, *both], 4, "--open of stop and as --closed", tmp_path / "m.onnx")


def test_an_output_that_is_an_input(tag, line, shown):
    at = line.index("-o") + 1
    example = shown / "stop" / "awb.wav"
    before = example.read_bytes()
    check_refused(tag, [*line[:at], example, *line[at + 1 :]], 2, "is an input")
    assert example.read_bytes() == before


def test_a_model_that_cannot_be_learned_from(tag, line, weights, tmp_path):
    tagger = weights.parent / "none.onnx"
    check_refused(tag, ["learn", "--model", tagger, *line[3:]], 3, "none.onnx")
    more = ["learn", "--from", WEIGHTS / "ears.onnx", "--closed", "x.wav"]
    check_refused(tag, [*more, "-o", tmp_path / "m.onnx"], 3, "remembers no examples")


def test_an_output_in_no_folder(tag, line, tmp_path):
    at = line.index("-o") + 1
    check_refused(tag, [*line[:at], tmp_path / "no/mine.onnx"], 6, "cannot be written")


@pytest.mark.parametrize("name", ["mine.txt", "mine.gate", "mine"])
def test_a_name_that_is_no_model_s(tag, line, tmp_path, name):
    at = line.index("-o") + 1
    out = tmp_path / name
    check_refused(tag, [*line[:at], out], 2, f"-o {out} is no name for a model: use .onnx", out)


def test_what_was_learned_is_not_learned_as_something_else(made, shown, tag, tmp_path):
    out = tmp_path / "m.onnx"
    again = ["learn", "--from", made[0], "--closed", shown / "stop", "-o", out]
    check_refused(tag, again, 4, "was learned as stop", out)
    same = ["learn", "--from", made[0], "--label", "stop", "--open", shown / "stop"]
    check_refused(tag, [*same, "-o", out], 4, "knows all these", out)


def test_a_model_whose_hours_are_gone(made, shown, tag, tmp_path, monkeypatch):
    monkeypatch.setattr("realtime.wake.hours.WEIGHTS", tmp_path)
    more = ["learn", "--from", made[0], "--closed", shown / "left", "-o", tmp_path / "m.onnx"]
    check_refused(tag, more, 3, "none of the hours")


def test_what_is_learned_from_is_what_the_engine_hears(made, tag, said, tmp_path):
    """Windows of a lesson stand where rt-tag's do, and its layers are those of the file."""
    model, _ = made
    path, table = said("stop", "slt"), tmp_path / "scores.csv"
    status, _, err = tag("--model", model, path, "--json", "--scores", table)
    assert status == 0, err
    engine = np.loadtxt(table, delimiter=",", skiprows=1)
    weight = OnnxFile(model.read_bytes(), "mine").weight
    stream = read_model(model).ears.stream(soundfile.read(path, dtype="float32")[0], 0.2)
    turned = (stream - weight("wake.mean")) @ weight("wake.turn")
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    scores = sigmoid(turned @ weight("wake.weight") + weight("wake.bias"))[:, 0]
    np.testing.assert_allclose(engine[:, 1], scores[: len(engine)], atol=2e-4)
    assert len(scores) > len(engine), "a lesson hears the silence after it, too"


def test_a_full_disk_leaves_nothing(line, tag, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    check_refused(tag, line, 6, "free some space", tmp_path / "mine.onnx")


def test_ctrl_c_in_the_middle_leaves_nothing(line, tag, tmp_path, monkeypatch):
    before = tmp_path / "mine.onnx"
    before.write_bytes(b"what was there")

    def interrupted(*_):
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("it went on")

    monkeypatch.setattr("realtime.wake.lesson.Shower.draw", interrupted)
    status, text, _ = tag(*line)
    assert (status, text) == (130, "")
    assert before.read_bytes() == b"what was there"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.slow
def test_two_hundred_examples(line, tag, tmp_path, monkeypatch):
    monkeypatch.setattr("realtime.wake.lesson.WINDOWS", (1, 1))
    rng = np.random.default_rng(1)
    folder = tmp_path / "many"
    folder.mkdir()
    t = np.arange(RATE // 4) / RATE
    for i in range(200):
        ring = 0.2 * np.sin(2 * np.pi * rng.uniform(880, 920) * t) * np.exp(-6 * t)
        soundfile.write(folder / f"{i}.wav", np.pad(ring, 160), RATE)
    at = line.index("--open") + 1
    more = ["--false-alarms-per-day", "2000", "--json"]
    status, text, err = tag(*line[:at], folder, *line[at + 1 :], *more)
    assert status == 0, err
    one = json.loads(text)["labels"]["stop"]
    assert one["examples"] == 200
    assert one["missed"] < 20


def test_the_wanted_sound_in_the_room_is_said(line, tag, said, shown, tmp_path):
    room = tmp_path / "room"
    room.mkdir()
    for voice in ("rms", "slt", "hts"):
        audio, _ = soundfile.read(said("stop", voice))
        soundfile.write(room / f"{voice}.wav", 0.5 * audio, RATE)
    more = ["--closed", room, "--false-alarms-per-day", "2000", "--json"]
    status, text, err = tag(*line, *more)
    assert status == 0, err
    told = json.loads(text)
    assert told["labels"]["stop"]["closed_events"] or told["labels"]["stop"]["missed"]
    assert any("stop" in advice for advice in told["advice"])


@pytest.mark.skipif(not (SHIPPED / "ears.onnx").is_file(), reason="no ears are shipped yet")
def test_the_shipped_ears_and_hours_learn(tag, shown, tmp_path, monkeypatch, starts, said):
    monkeypatch.setattr("realtime.wake.hours.WEIGHTS", SHIPPED)
    out = tmp_path / "mine.onnx"
    status, text, err = tag(
        "learn", "--json", "--label", "halt", "--open", shown / "stop", "--closed",
        shown / "room.flac", "-o", out,
    )  # fmt: skip
    assert status == 0, err
    told = json.loads(text)
    assert told["from"] == "ears"
    assert told["shipped_h"] > 1.0
    false = told["labels"]["halt"]["false_alarms"]
    assert false["per_hour_95"][0] < 0.5, "12 a day were put up with"
    assert starts(out, said("no", "rms")) == []
    hours = read_hours(SHIPPED / "ears.hours")
    assert sum(hours.lengths) == len(hours.counting)
    assert 0 < sum(hours.unheard) < len(hours.unheard)
    assert not {"happy", "eight"}.intersection(hours.kinds)
