"""rt-gate learn as a person meets it: a gate, a table, and one sentence when it cannot be."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from realtime.commands.gate import main
from realtime.learn.lesson import Sizes
from realtime.runners import open_runner

RATE = 16_000
WORDS = Path(__file__).parents[1] / "data/words"
VOICE = Path(__file__).parents[2] / "realtime/weights/voice-base.onnx"
FEW = Sizes(taught=60, chose=8, judged=10, tuned=6)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No settings of the person who runs the tests; few mixtures; loggers as they were."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in [n for n in os.environ if n.startswith("RT_")]:
        monkeypatch.delenv(name)
    with few_mixtures():
        yield
    logger = logging.getLogger("rt")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


@contextmanager
def few_mixtures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("realtime.learn.lesson.SIZES", FEW)
        patch.setattr("realtime.learn.more.SIZES", FEW)
        yield


def claps(seconds, seed):
    rng = np.random.default_rng(seed)
    t = np.arange(1280) / RATE
    out = rng.normal(0, 1e-4, round(seconds * RATE))
    for at in range(800, len(out) - 1280, 4000):
        out[at : at + 1280] += 0.1 * rng.normal(size=1280) * np.exp(-40 * t)
    return out.astype(np.float32)


def hum(seconds, hz):
    t = np.arange(round(seconds * RATE)) / RATE
    beat = np.sin(2 * np.pi * 1.5 * t) > -0.3
    return (0.1 * beat * np.sin(2 * np.pi * hz * t)).astype(np.float32)


@pytest.fixture(scope="session")
def shown(tmp_path_factory):
    """A folder of spoken words, and one of claps."""
    soundfile = pytest.importorskip("soundfile")
    folder = tmp_path_factory.mktemp("shown")
    for name in ("open", "closed"):
        (folder / name).mkdir()
    for voice in ("slt", "rms", "awb", "kal", "hts"):
        words = [soundfile.read(p)[0] for p in sorted(WORDS.glob(f"*/{voice}.flac"))[:8]]
        soundfile.write(folder / "open" / f"{voice}.flac", np.concatenate(words), RATE)
    for i in range(5):
        soundfile.write(folder / "closed" / f"{i}.wav", claps(6, i), RATE)
    return folder


@pytest.fixture
def line(shown, learnable_model, tmp_path):
    """The command line that makes a gate."""
    return line_for(shown, learnable_model, tmp_path / "my.gate")


def line_for(shown, model, output):
    return [
        "learn", "--open", str(shown / "open"), "--closed", str(shown / "closed"),
        "--model", str(model), "-o", str(output),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def made(shown, learnable_model, tmp_path_factory):
    """A gate that was made once: its folder, and what was said on both channels."""
    folder = tmp_path_factory.mktemp("made")
    out, err = io.StringIO(), io.StringIO()
    with few_mixtures(), redirect_stdout(out), redirect_stderr(err):
        line = line_for(shown, learnable_model, folder / "my.gate")
        assert main([*line, "--name", "words"]) == 0
    return folder, out.getvalue(), err.getvalue()


def changed(line, option, *values):
    at = line.index(option)
    end = next((i for i in range(at + 1, len(line)) if line[i].startswith("-")), len(line))
    return [*line[: at + 1], *map(str, values), *line[end:]]


def test_a_gate_that_anything_can_open(made):
    folder, out, err = made
    assert "learned gate" in out
    assert "level gate, tuned" in out
    assert "as loud as recorded" in out
    assert "rt-gate --" in out.splitlines()[-1]
    assert "made in" in err
    card = open_runner(folder / "my.gate").card
    assert card.name == "words"
    assert card.task == "gate"
    assert card.labels == ("open", "open_10ms", "open_20ms")
    assert card.trained_on[0] == "your own recordings"
    assert card.recipe["from"] == "ears"
    assert card.recipe["open"]["files"] == 5
    assert "onset cut" in card.measured[0]["figure"]
    assert str(folder) not in card.to_json()
    assert [p.name for p in folder.iterdir()] == ["my.gate"]
    assert (folder / "my.gate").stat().st_size < 2_000_000


def test_the_gate_opens_for_what_was_shown(made, tmp_path, write_wav, capsys):
    soundfile = pytest.importorskip("soundfile")
    word = soundfile.read(WORDS / "stop/slt.flac")[0]
    sound = write_wav("in.wav", np.concatenate([np.zeros(RATE), word, claps(2, 99)]))
    args = [str(sound), str(tmp_path / "out.wav"), "--model", str(made[0] / "my.gate")]
    assert main([*args, "--json", "--lookahead-ms", "20"]) == 0
    events = [json.loads(e) for e in capsys.readouterr().out.splitlines()]
    assert any(1.0 < e["t"] < 2.2 for e in events if e["event"] == "open")


def test_the_same_seed_makes_the_same_file_and_json_is_one_object(made, line, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "lesson.png"
    assert main([*line, "--name", "words", "--json", "--plot", str(picture)]) == 0
    assert (tmp_path / "my.gate").read_bytes() == (made[0] / "my.gate").read_bytes()
    assert picture.stat().st_size > 10_000
    result = json.loads(capsys.readouterr().out)
    assert result["use"] in ("learned", "level", "either")
    assert [(c["levels"], c["lookahead_ms"]) for c in result["held_back"]] == [
        ("recorded", 0.0), ("recorded", 20.0), ("any", 0.0), ("any", 20.0),
    ]  # fmt: skip
    assert set(result["held_back"][0]["learned"]) == {
        "onset_cut_ms", "targets", "missed", "false_open_s_per_min", "target_lost_pct", "cost",
    }  # fmt: skip
    assert set(result["held_back"][0]["level_settings"]) == {
        "threshold_db", "close_db", "hold_ms", "key_highpass", "key_lowpass",
    }  # fmt: skip
    assert result["open"]["held_back_by"] == "files"
    assert result["seconds"] >= 0


def test_unlearning_says_before_and_after(made, tmp_path, write_wav, capsys):
    more = [str(write_wav(f"hum{i}.wav", hum(5, 200 + 50 * i))) for i in range(4)]
    mine, better = str(made[0] / "my.gate"), str(tmp_path / "better.gate")
    assert main(["learn", "--from", mine, "--closed", *more, "-o", better]) == 0
    out = capsys.readouterr().out
    assert "before" in out
    assert "after" in out
    assert "what was held back of the old ones" in out
    again = ["learn", "--from", better, "--closed", *more, "--open", str(WORDS / "go")]
    assert main([*again, "-o", str(tmp_path / "third.gate"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["old_examples"]) == {"before", "after", "worse"}
    assert open_runner(tmp_path / "third.gate").card.recipe["before"]["from"] == "words"


def test_worse_is_said(made, shown, tmp_path, capsys, monkeypatch):
    # words are closed now, and nothing reminds it of what it learned
    monkeypatch.setattr("realtime.learn.more._demand_consistent", lambda *_: None)
    monkeypatch.setattr("realtime.learn.more._beside", lambda old, new, lessons: new)
    args = ["learn", "--from", str(made[0] / "my.gate"), "--closed", str(shown / "open")]
    assert main([*args, "-o", str(tmp_path / "bad.gate")]) == 0
    out, err = capsys.readouterr()
    assert "got worse on what it had learned" in out
    assert "warning: It got worse" in err


BAD = {
    "-o missing": (lambda a: a[: a.index("-o")], 2, "-o is missing"),
    "no closed": (lambda a: [*a[:3], *a[5:]], 2, "--closed is missing"),
    "nothing": (lambda a: ["learn", "-o", "x.gate"], 2, "--open is missing"),
    "seed": (lambda a: [*a, "--seed", "x"], 2, "--seed is x"),
    "unknown option": (lambda a: [*a, "--epoch"], 2, "unknown option --epoch"),
    "both": (lambda a: [*a, "--from", "y.gate"], 2, "--from and --model"),
    "no such model": (lambda a: changed(a, "--model", "nothing.onnx"), 3, "No such file"),
    "no such folder": (lambda a: changed(a, "--open", "nothing/"), 4, "no such file or folder"),
    "no folder for a plot": (lambda a: [*a, "--plot", "nowhere/x.png"], 6, "cannot be written"),
    "no such picture": (lambda a: [*a, "--plot", "x.foo"], 2, "no picture of kind foo"),
    "no folder to hear": (
        lambda a: [*a, "--audition", "nowhere/x.wav"],
        6,
        "cannot be written",
    ),
    "raw to hear": (lambda a: [*a, "--audition", "x.raw"], 2, "is no sound file"),
    "text to hear": (lambda a: [*a, "--audition", "x.txt"], 2, "no sound file is called .txt"),
    "no such name": (lambda a: changed(a, "-o", "my.txt"), 2, "-o my.txt is no name for a mod"),
    "no ending": (lambda a: changed(a, "-o", "my"), 2, "use .gate or .onnx"),
    "no folder for it": (lambda a: changed(a, "-o", "nowhere/my.gate"), 6, "cannot be written"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_options(case, line, capsys):
    change, status, text = BAD[case]
    assert main(change(line)) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert text in err
    assert len(err.splitlines()) == 1


def test_examples_that_are_none(line, tmp_path, write_wav, capsys):
    (tmp_path / "nothing").mkdir()
    cases = [
        (tmp_path / "nothing", "the folder is empty"),
        (write_wav("short.wav", claps(0.15, 0)[800:]), "0.1 s of sound in 1 file"),
        (write_wav("silent.wav", np.zeros(RATE * 60)), "silent.wav is silent"),
        (write_wav("clipped.wav", np.clip(20 * claps(12, 1), -1, 1)), "clipped"),
        (line[4], "the same recording is given as --open and as --closed"),
    ]
    for path, text in cases:
        assert main(changed(line, "--open", path)) == 4
        err = capsys.readouterr().err
        assert text in err
        assert len(err.splitlines()) == 1
        assert not (tmp_path / "my.gate").exists()
        assert list(tmp_path.glob(".*")) == []


def test_sides_that_sound_alike(line, tmp_path, write_wav, capsys):
    more = [write_wav(f"c{i}.wav", claps(6, 50 + i)) for i in range(4)]
    assert main(changed(line, "--open", *more)) == 4
    err = capsys.readouterr().err
    assert "sound alike" in err
    assert "nothing is saved" in err
    assert not (tmp_path / "my.gate").exists()


def test_files_passed_over_are_named(line, shown, tmp_path, write_wav, capsys):
    (tmp_path / "list.txt").write_text("what I recorded " * 9)
    nan = claps(5, 77)
    nan[100:200] = np.nan
    extra = [tmp_path / "list.txt", write_wav("nan.wav", nan, subtype="FLOAT")]
    assert main(changed(line, "--closed", shown / "closed", *extra)) == 0
    err = capsys.readouterr().err
    assert "--closed: 1 of 7 files passed over: list.txt (is text, not sound)" in err
    assert "--closed: 100 samples were no numbers" in err


def test_an_output_that_is_an_input(line, made, shown, learnable_model, capsys):
    for path in (learnable_model, shown / "open" / "slt.flac"):
        before = path.read_bytes()
        assert main(changed(line, "-o", path)) == 2
        assert "is an input, too" in capsys.readouterr().err
        assert path.read_bytes() == before
    again = ["learn", "--from", str(made[0] / "my.gate"), "--closed", str(shown / "closed")]
    assert main([*again, "-o", str(made[0] / "my.gate")]) == 2


def test_a_gate_that_was_there_stays_until_the_new_one_is_whole(line, tmp_path, monkeypatch):
    (tmp_path / "my.gate").write_text("the old one")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(line) == 6
    assert (tmp_path / "my.gate").read_text() == "the old one"
    assert list(tmp_path.glob(".*")) == []


def test_a_model_without_memory_cannot_learn_more(line, learnable_model, tmp_path, capsys):
    args = ["learn", "--from", str(learnable_model), "--closed", line[4]]
    assert main([*args, "-o", str(tmp_path / "x.gate")]) == 3
    assert "remembers no examples" in capsys.readouterr().err


def test_help(capsys):
    assert main(["learn", "--help"]) == 0
    out = capsys.readouterr().out
    assert "--from" in out
    assert "examples:" in out


def test_ctrl_c_leaves_nothing(line, tmp_path):
    code = "import sys; from realtime.commands.gate import main; sys.exit(main())"
    program = [sys.executable, "-c", code, *line]
    process = subprocess.Popen(program, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".my.gate.*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == b""
    assert not (tmp_path / "my.gate").exists()
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.skipif(not VOICE.is_file(), reason="no gate called voice-base is shipped")
def test_the_shipped_network_learns(shown, tmp_path, capsys):
    args = ["learn", "--open", str(shown / "open"), "--closed", str(shown / "closed")]
    assert main([*args, "-o", str(tmp_path / "words.gate"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["told_apart"] > 0.9
    assert result["held_back"][2]["learned"]["cost"] < 0.2
    assert result["from"] == "voice-base"
    assert (tmp_path / "words.gate").stat().st_size < 2_000_000
