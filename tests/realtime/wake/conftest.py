"""A small `ears` and small hours, in the place of the shipped ones, and words to learn.

The network is that of the shipped `kws12-float`, which knows the words in tests/data/words; the
hours are some of these words and the bundled recording.
"""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import soundfile

onnx = pytest.importorskip("onnx", reason="needs the test extra")

from realtime.commands.tag import main  # noqa: E402
from realtime.wake.hours import Hours, Space, to_bytes  # noqa: E402
from realtime.wake.model_file import read_model  # noqa: E402

ROOT = Path(__file__).parents[3]
WORDS = ROOT / "tests/data/words"
WANTED, ANOTHER = "stop", "left"  # words that are learned
OTHERS = ("down", "go", "no", "off", "on", "right", "seven", "up", "yes")  # in the hours
ROOM = ("window", "hello")  # what is said in the room
VOICES = ("awb", "hts", "kal", "ked", "rms", "slt")
RATE = 16_000


def sound(word, voice):
    return soundfile.read(WORDS / word / f"{voice}.flac", dtype="float32")[0]


def with_embedding(data):
    model = onnx.load_from_string(data)
    last = next(n for n in model.graph.node if n.output[0] == "scores")
    inside = last.input[0]
    model.graph.node.append(onnx.helper.make_node("Identity", [inside], ["embedding"]))
    kind = onnx.helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, [1, 256])
    model.graph.output.append(kind)
    return model.SerializeToString()


def stretches():
    """Sound and kinds of it for the hours: one kind a stretch."""
    for word in OTHERS:
        parts = []
        for voice in VOICES[:4]:
            parts += [sound(word, voice), np.zeros(RATE // 4, np.float32)]
        yield word, np.concatenate(parts)
    demo, _ = soundfile.read(ROOT / "realtime/sounds/demo.flac", dtype="float32")
    yield "demo", demo[: 10 * RATE]


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A folder with ears.onnx and ears.hours."""
    folder = tmp_path_factory.mktemp("weights")
    model = folder / "ears.onnx"
    model.write_bytes(with_embedding((ROOT / "realtime/weights/kws12-float.onnx").read_bytes()))
    ears = read_model(model).ears
    kinds, streams = [], []
    for kind, audio in stretches():
        kinds.append(kind)
        streams.append(ears.stream(audio, 0.2))
    windows = np.concatenate(streams)
    code = np.repeat(np.arange(len(kinds)), [len(s) for s in streams]).astype(np.int16)
    variance, vectors = np.linalg.eigh(np.cov(windows.T))
    turn = (vectors / np.sqrt(variance + 0.05 * variance.mean())).T[::-1][:48]
    space = Space(windows.mean(axis=0), turn.astype(np.float32))
    kept = to_bytes(space.of(windows))
    lengths = [len(s) for s in streams]
    hours = Hours(
        ears.digest, 0.2, space, kinds, kept, code, kept, code, lengths,
        [True] * len(lengths), ["words made for tests (CC0)"],
    )  # fmt: skip
    (folder / "ears.hours").write_bytes(hours.encode())
    return folder


@pytest.fixture(scope="session")
def shown(tmp_path_factory):
    """Folders of recordings: two words by four voices, and a room."""
    folder = tmp_path_factory.mktemp("shown")
    rng = np.random.default_rng(1)
    for word in (WANTED, ANOTHER):
        (folder / word).mkdir()
        for voice in VOICES[:4]:
            audio = np.pad(sound(word, voice), RATE // 2)
            audio += rng.normal(0, 3e-4, len(audio)).astype(np.float32)
            soundfile.write(folder / word / f"{voice}.wav", audio, RATE)
    parts = [np.pad(sound(word, v), RATE // 2) for v in VOICES[:4] for word in ROOM]
    room = np.concatenate(parts) + rng.normal(0, 1e-3, sum(map(len, parts)))
    soundfile.write(folder / "room.flac", room, RATE)
    return folder


@pytest.fixture(autouse=True)
def small(request, monkeypatch):
    """The small ears and hours in place of the shipped ones; fewer windows."""
    weights = request.getfixturevalue("weights")
    monkeypatch.setattr("realtime.library.WEIGHTS", weights)
    monkeypatch.setattr("realtime.wake.hours.WEIGHTS", weights)
    monkeypatch.setattr("realtime.wake.lesson.WINDOWS", (4, 8))


def run(*words):
    """The command line: status, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(w) for w in words])
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def tag():
    return run


@pytest.fixture(scope="session")
def made(weights, shown, tmp_path_factory):
    """A model that was made once, and what was said as JSON."""
    out = tmp_path_factory.mktemp("made") / "mine.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("realtime.wake.hours.WEIGHTS", weights)
        patch.setattr("realtime.wake.lesson.WINDOWS", (4, 8))
        status, text, err = run(
            "learn", "--json", "--model", weights / "ears.onnx", "--label", WANTED,
            "--open", shown / WANTED, "--closed", shown / "room.flac",
            "--false-alarms-per-day", "500", "-o", out,
        )  # fmt: skip
    assert status == 0, err
    return out, json.loads(text)


@pytest.fixture
def starts(tag):
    """Labels that rt-tag starts in a file."""

    def find(model, path, *more):
        status, text, err = tag("--model", model, path, "--json", *more)
        assert status == 0, err
        lines = [json.loads(line) for line in text.splitlines()]
        return [line["label"] for line in lines if line["event"] == "start"]

    return find


@pytest.fixture
def said(tmp_path):
    """A file of a word by a voice that was never shown, in a faint room."""

    def make(word, voice):
        rng = np.random.default_rng(2)
        audio = np.pad(sound(word, voice), RATE // 2)
        audio += rng.normal(0, 3e-4, len(audio)).astype(np.float32)
        path = tmp_path / f"{word}-{voice}.wav"
        soundfile.write(path, audio, RATE)
        return path

    return make
