"""Everything that goes wrong outside: one line, the right exit status, and no traceback."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from kit_command import BIN, call, installed, lines, refused, within

from realtime.commands.tag import main

pytestmark = [installed, pytest.mark.usefixtures("alone")]


@pytest.fixture
def wav(kit, write_wav):
    """Eight tones: sixteen lines."""
    return write_wav("tones.wav", kit.tones(*[("low", 0.7), ("", 0.8)] * 8))


@pytest.fixture
def tag(capfd):
    """rt-tag in this process; `call` starts one where the process itself matters."""
    return lambda *args: within(main, capfd, *args)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b"\x08\x07\x12\x04junk" + b"\xff" * 900,
            "is no ONNX model",
        ),
        (b"\x1c\x00\x00\x00TFL3" + b"\xff" * 900, "is no TFLite model that"),
        (b"not a model, whatever its name says", "is neither an ONNX nor a TFLite model"),
        (b"", "is empty"),
    ],
)
def test_corrupt_model(tag, kit, wav, tmp_path, content, says):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    card = tmp_path / "card.json"
    card.write_text(kit.band_card().to_json())
    refused(tag(wav, "--model", path, "--card", card), 3, "model.onnx", says)


def test_model_without_card(tag, kit, wav, tmp_path):
    path = kit.write_onnx(tmp_path / "bare.onnx", None)
    refused(tag(wav, "--model", path), 3, "bare.onnx carries no card", "--card")


def test_card_with_an_unknown_field(tag, kit, wav, tmp_path):
    data = json.loads(kit.band_card().to_json()) | {"lables": ["x"]}
    path = kit.write_onnx(tmp_path / "odd.onnx", None)
    card = tmp_path / "c.json"
    card.write_text(json.dumps(data))
    refused(tag(wav, "--model", path, "--card", card), 3, "c.json", "lables")
    inside = kit.write_onnx(tmp_path / "in.onnx", None, metadata={"rt.card": json.dumps(data)})
    refused(tag(wav, "--model", inside), 3, "in.onnx", "lables")


def test_card_that_is_no_json(tag, kit, wav, tmp_path):
    path = kit.write_onnx(tmp_path / "odd.onnx", None, metadata={"rt.card": "{"})
    refused(tag(wav, "--model", path), 3, "the card is no JSON")
    refused(tag(wav, "--model", path, "--card", tmp_path / "no.json"), 3, "No such file")


def test_tflite_with_a_foreign_card(tag, kit, wav, tmp_path):
    path = kit.write_tflite(tmp_path / "m.tflite", None)
    card = tmp_path / "foreign.json"
    card.write_text(kit.band_card(labels=("a", "b")).to_json())
    refused(tag(wav, "--model", path, "--card", card), 3, "m.tflite", "labels has 2")
    card.write_text(kit.band_card(window_s=0.8).to_json())
    refused(tag(wav, "--model", path, "--card", card), 3, "window_s")


def test_missing_models(tag, band_model, wav, tmp_path):
    refused(tag(wav, "--model", tmp_path / "no.onnx"), 3, "no.onnx: No such file")
    refused(tag(wav, "--model", tmp_path), 3, "directory")
    refused(tag(wav, "--model", "kws21"), 2, "no model is called kws21")
    refused(tag(wav, "--model", band_model, "--runtime", "litert"), 3, "runtime litert")


def test_bad_sounds(tag, kit, band_model, wav, tmp_path, write_wav):
    def heard(path):
        return tag(path, "--model", band_model)

    text = tmp_path / "text.wav"
    text.write_text("this is a text, not a sound")
    refused(heard(text), 4, "text.wav", "text")
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    refused(heard(empty), 4, "empty.wav", "empty")
    refused(heard(write_wav("none.wav", np.zeros(0))), 4, "none.wav")
    refused(heard(tmp_path / "no.wav"), 4, "no such file")
    refused(heard(tmp_path), 4, "folder")
    done = heard(write_wav("one.wav", np.array([0.5])))
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_truncated_file_gives_what_it_has_first(tag, kit, band_model, tmp_path, write_wav):
    noise = np.random.default_rng(0).normal(0, 0.0005, 160_000)  # or FLAC is too small to cut
    whole = write_wav("whole.flac", kit.tones(*[("low", 0.7), ("", 0.8)] * 6) + noise[:144_000])
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = tag(cut, "--model", band_model)
    found = lines(done.stdout.decode())
    assert len(found) >= 4
    assert [e["event"] for e in found] == ["start", "stop"] * (len(found) // 2)
    assert done.returncode == 4
    assert b"Traceback" not in done.stderr


def test_the_reader_of_stdout_goes_away(band_model, wav):
    """As `| head -1`: quietly 141, also at the interpreter's exit."""
    with subprocess.Popen(
        [BIN / "rt-tag", wav, "--model", band_model],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as child:
        assert b"start" in child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(60) == 141
    with subprocess.Popen(
        [BIN / "rt-tag", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(60) == 141


def test_stdout_full_or_closed(band_model, wav):
    with Path("/dev/full").open("w") as full:
        done = call("rt-tag", wav, "--model", band_model, stdout=full)
    assert done.returncode == 6
    assert done.stderr.decode().count("\n") == 1
    assert "No space left" in done.stderr.decode()
    done = call("rt-tag", wav, "--model", band_model, shell="exec >&-")
    assert b"Traceback" not in done.stderr


def test_full_disk_for_scores(band_model, wav, tmp_path):
    done = call("rt-tag", wav, "--model", band_model, "--scores", "/dev/full")
    refused(_without_stdout(done), 6, "/dev/full", "No space left")
    assert not Path("/dev/full").is_file()


def test_full_disk_keeps_what_the_user_had(band_model, wav, tmp_path):
    """A limit on file size fails as a full disk does, in the middle of writing."""
    table = tmp_path / "s.csv"
    table.write_text("mine\n")
    small_files = "trap '' XFSZ; ulimit -f 2"  # KiB
    done = call("rt-tag", wav, "--model", band_model, "--scores", table, shell=small_files)
    refused(_without_stdout(done), 6, "s.csv cannot be written")
    assert table.read_text() == "mine\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.csv", "tones.wav"]


def test_outputs_that_cannot_be_made(tag, band_model, wav, tmp_path):
    for option in ("--scores", "--plot"):
        path = tmp_path / "no" / "x.png"
        refused(tag(wav, "--model", band_model, option, path), 6, "x.png", "No such file")
        refused(tag(wav, "--model", band_model, option, tmp_path), 6, "is a folder")


@pytest.mark.parametrize(
    ("devices", "wanted", "says"),
    [(["USB Mic"], "USB Mik", "did you mean 'USB Mic'?"), ([], None, "no sound device")],
)
def test_devices_that_are_not_there(tag, hardware, band_model, devices, wanted, says):
    hardware.plug(*map(hardware.entry, devices))
    refused(tag("--model", band_model, *(["--device", wanted] if wanted else [])), 4, says)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RT_THREADS", "x", "RT_THREADS: threads is 'x'"),
        ("RT_THRESHOLD", "loud", "RT_THRESHOLD: loud is no threshold"),
    ],
)
def test_bad_settings_in_the_environment(tag, band_model, wav, monkeypatch, name, value, says):
    monkeypatch.setenv("RT_MODEL", str(band_model))
    monkeypatch.setenv(name, value)
    refused(tag(wav), 2, says)


def test_raw_pcm_that_is_none(band_model):
    refused(call("rt-tag", "-", "--model", band_model, stdin=b""), 4)
    done = call("rt-tag", "-", "--model", band_model, "--format", "s16", stdin=b"\x00\x01\x02")
    assert b"Traceback" not in done.stderr


def test_tracebacks_only_on_request(tag, wav, tmp_path):
    path = tmp_path / "no.onnx"
    assert b"Traceback" not in tag(wav, "--model", path, "-v").stderr
    for twice in (["-vv"], ["-v", "-v"]):
        assert b"Traceback" in tag(wav, "--model", path, *twice).stderr


def _without_stdout(done):
    """Events were told before the disk was full; that is as it should be."""
    return subprocess.CompletedProcess(done.args, done.returncode, b"", done.stderr)
