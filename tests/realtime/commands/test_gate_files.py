"""rt-gate on files: sound to sound, and what it says of it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from kit_command import lines, rows
from msgspec.structs import replace

from realtime.card import InputSpec
from realtime.commands.gate import main
from realtime.commands.gate_file import is_long
from realtime.features import FeatureSpec
from realtime.sources import open_source

RATE = 48000
GATE_8000 = FeatureSpec(
    kind="mel", rate=8000, frame=200, hop=80, fft=256, mels=40, log_floor=1e-8
)
soundfile = pytest.importorskip("soundfile")
pytestmark = pytest.mark.usefixtures("alone")


def test_a_file_comes_back_as_what_it_was(gate, talk, tmp_path, capsys, left):
    out = tmp_path / "out.flac"
    assert gate(talk, out) == 0
    assert capsys.readouterr() == ("", "")
    found = soundfile.info(out)
    assert (found.format, found.subtype) == ("FLAC", "PCM_24")
    assert (found.samplerate, found.channels, found.frames) == (RATE, 2, 2 * RATE)
    before, after = soundfile.read(talk)[0], soundfile.read(out)[0]
    steady = slice(round(0.7 * RATE), round(0.95 * RATE))
    assert np.array_equal(before[steady], after[steady])  # open: to the bit
    closed = slice(round(0.1 * RATE), round(0.45 * RATE))
    assert np.abs(after[closed]).max() <= 1.5e-3 * np.abs(before[closed]).max()
    assert left() == ["out.flac", "talk.flac"]


@pytest.mark.parametrize("name", ["out.wav", "out.flac", "out.ogg", "out.aiff", "out"])
def test_the_suffix_says_the_kind(gate, talk, tmp_path, name):
    assert gate(talk, tmp_path / name) == 0
    kinds = {"wav": "WAV", "ogg": "OGG", "aiff": "AIFF"}
    found = soundfile.info(tmp_path / name)
    assert found.format == kinds.get(name.partition(".")[2], "FLAC")
    assert (found.samplerate, found.channels, found.frames) == (RATE, 2, 2 * RATE)


@pytest.mark.parametrize(
    ("rate", "subtype", "channels"),
    [(8000, "PCM_U8", 1), (22050, "PCM_16", 1), (44100, "FLOAT", 2), (96000, "PCM_32", 4),
     (192000, "PCM_16", 1)],
)  # fmt: skip
def test_any_rate_and_kind(gate, write_wav, tmp_path, rate, subtype, channels, bursts):
    sound = bursts(1.0, rate, channels)
    wav = write_wav("in.wav", sound, rate, subtype=subtype)
    assert gate(wav, tmp_path / "out.wav", "--trace", tmp_path / "t.csv") == 0
    found = soundfile.info(tmp_path / "out.wav")
    assert (found.samplerate, found.channels, found.subtype) == (rate, channels, subtype)
    assert found.frames == len(sound)
    assert len(rows(tmp_path / "t.csv")) == 100


@pytest.mark.parametrize("lookahead", ["0", "10", "20"])
def test_the_output_is_aligned(gate, talk, tmp_path, lookahead):
    out = tmp_path / "out.wav"
    assert gate(talk, out, "--lookahead-ms", lookahead) == 0
    a, b = soundfile.read(talk)[0][:, 0], soundfile.read(out)[0][:, 0]
    spectrum = np.fft.rfft(b, 1 << 18) * np.conj(np.fft.rfft(a, 1 << 18))
    assert int(np.argmax(np.fft.irfft(spectrum))) == 0


def test_events_trace_and_sound_agree(gate, talk, tmp_path, capsys):
    out, trace = tmp_path / "out.wav", tmp_path / "t.csv"
    args = ["--json", "--trace", trace, "--lookahead-ms", "10", "--range-db", "-30"]
    assert gate(talk, out, *args) == 0
    events = lines(capsys.readouterr().out)
    assert [e["event"] for e in events] == ["open", "close"] * 2
    assert set(events[0]) == {"event", "t", "score", "reason"}
    assert set(events[1]) == {"event", "t", "score"}
    assert events[0]["t"] == pytest.approx(0.5, abs=0.03)
    assert events[0]["reason"] == f"score {events[0]['score']:.2f} over 0.50"
    table = rows(trace)
    assert list(table[0]) == ["time_s", "score", "open", "gain_db", "level_db"]
    times = [float(row["time_s"]) for row in table]
    assert times == pytest.approx(np.arange(201) / 100)
    for event in events[:-1]:
        row = table[round(event["t"] * 100)]
        assert row["open"] == str(int(event["event"] == "open"))
        assert float(row["score"]) == pytest.approx(event["score"], abs=1e-3)
    a, b = soundfile.read(talk)[0], soundfile.read(out)[0]
    for row, t in zip(table, times, strict=True):
        at = round(t * RATE)
        if at < len(a) and abs(a[at, 0]) > 0.01:
            real = 20 * np.log10(abs(b[at, 0] / a[at, 0]))
            assert float(row["gain_db"]) == pytest.approx(real, abs=0.02)
        assert -30.01 <= float(row["gain_db"]) <= 0


def test_a_picture(gate, talk, tmp_path):
    pytest.importorskip("matplotlib", reason="the plot extra")
    assert gate(talk, tmp_path / "out.wav", "--plot", tmp_path / "g.png") == 0
    assert (tmp_path / "g.png").read_bytes()[:4] == b"\x89PNG"


def test_verbose_sums_up(gate, talk, tmp_path, capsys):
    assert gate(talk, tmp_path / "out.wav", "-v") == 0
    err = capsys.readouterr().err
    assert "talk.flac: 2.0 s, 2 openings, open 5" in err


def test_level(talk, tmp_path, capsys):
    out = tmp_path / "out.wav"
    args = ["--level", "--threshold-db", "-30", "--json", "--trace", str(tmp_path / "t.csv")]
    assert main([str(talk), str(out), *args]) == 0
    events = lines(capsys.readouterr().out)
    assert [e["event"] for e in events] == ["open", "close"] * 2
    assert events[0]["reason"].startswith("level -")
    assert events[0]["reason"].endswith("dB over -30.0 dB")
    assert events[0]["t"] == pytest.approx(0.5, abs=0.002)
    assert events[1]["t"] == pytest.approx(1.1, abs=0.003)  # hold of 100 ms
    assert {row["score"] for row in rows(tmp_path / "t.csv")} == {"0.0000", "1.0000"}


def test_listen_and_duck(gate, talk, tmp_path):
    out = tmp_path / "out.wav"
    assert gate(talk, out, "--listen") == 0
    assert np.array_equal(soundfile.read(out)[0], soundfile.read(talk)[0])
    assert gate(talk, out, "--duck") == 0
    a, b = soundfile.read(talk)[0], soundfile.read(out)[0]
    assert np.array_equal(a[: RATE // 3], b[: RATE // 3])
    loud = slice(round(0.7 * RATE), round(0.95 * RATE))
    assert np.abs(b[loud]).max() < 1.1e-3 * np.abs(a[loud]).max()


@pytest.mark.parametrize(("seconds", "rate"), [(1.2, 44100), (2.0, RATE), (3.5, 16000)])
def test_an_external_key_of_any_length_and_rate(
    gate, talk, write_wav, tmp_path, capsys, seconds, rate, bursts
):
    key = write_wav("key.wav", bursts(seconds, rate, 1), rate)
    hum = write_wav("hum.wav", np.full(2 * RATE, 0.25), RATE)
    assert gate(hum, tmp_path / "out.wav", "--key", key, "--json") == 0
    out, err = capsys.readouterr()
    starts = [e["t"] for e in lines(out) if e["event"] == "open"]
    assert starts == pytest.approx([0.5] if seconds < 1.5 else [0.5, 1.5], abs=0.03)
    assert soundfile.info(tmp_path / "out.wav").frames == 2 * RATE
    assert ("ends at 1.200 s, before the input" in err) == (seconds < 2.0)


def test_samples_that_are_no_numbers(gate, write_wav, tmp_path, capsys, bursts):
    sound = bursts(1.0)
    sound[[5, 30000], [0, 1]] = np.nan
    wav = write_wav("nan.wav", sound, RATE, subtype="FLOAT")
    assert gate(wav, tmp_path / "out.wav") == 0
    assert np.isfinite(soundfile.read(tmp_path / "out.wav")[0]).all()
    out, err = capsys.readouterr()
    assert err.count("NaN, infinite or beyond") == 1
    assert "2 samples were NaN" in err
    assert out == ""


def test_settings(gate, talk, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RT_RANGE_DB", "-20")
    assert gate("--print-config", "--lookahead-ms", "10", "--duck") == 0
    text = capsys.readouterr().out
    found = {line.split(" = ")[0]: line for line in text.splitlines() if " = " in line}
    assert found["range_db"].startswith("range_db = -20.0")
    assert found["range_db"].endswith("# RT_RANGE_DB")
    assert found["duck"].endswith("# --duck")
    assert found["threshold"].endswith("# card loud")
    assert found["release_ms"].endswith("# default")
    config = tmp_path / "again.toml"
    config.write_text(text)
    assert main(["--config", str(config), "--print-config"]) == 0
    assert "lookahead_ms = 10.0" in capsys.readouterr().out


def test_describe_and_lists(kit, gate, capsys):
    from realtime.card import parse_card

    assert gate("--describe") == 0
    assert parse_card(capsys.readouterr().out, "stdout") == kit.gate_card()
    assert main(["--list-models"]) == 0
    assert "kws12" in capsys.readouterr().out


def test_devices_to_hear_and_to_play_to(monkeypatch, capsys):
    from realtime.duplex.devices import SoundDevice

    box = SoundDevice(3, "Box", "ALSA", 2, 0, 48000, True, False, True, False)
    ears = SoundDevice(4, "Ears", "ALSA", 0, 1, 44100, False, True, False, True)
    monkeypatch.setattr("realtime.control.listing.find_devices", lambda: [box, ears])
    assert main(["--list-devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "inputs:", "*  3  Box  (ALSA, 2 channels, 48000 Hz)",
        "outputs:", "*  4  Ears  (ALSA, 1 channel, 44100 Hz)",
    ]  # fmt: skip
    assert main(["--list-devices", "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(d["direction"], d["index"], d["channels"]) for d in said] == [
        ("input", 3, 2), ("output", 4, 1),
    ]  # fmt: skip
    monkeypatch.setattr("realtime.control.listing.find_devices", list)
    assert main(["--list-devices"]) == 0
    assert "outputs: none" in capsys.readouterr().out


def test_help_is_quick_and_light():
    code = (
        "import sys, realtime.commands.gate as g\n"
        "sys.argv[0] = 'rt-gate'\n"
        "status = g.main(['--help'])\n"
        "heavy = {'numpy', 'onnxruntime', 'rich', 'soundfile', 'msgspec', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)), status, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[] 0"
    assert "rt-gate talk.wav quiet.wav" in done.stdout


def test_a_model_of_another_rate(kit, talk, tmp_path):
    """It hears the sound at the sound's rate, whatever its own is."""
    spec = replace(GATE_8000, f_max=4000.0)
    card = kit.gate_card(
        name="narrow", rate=8000, input=InputSpec(kind="features", features=spec, layout="btf")
    )
    model = kit.write_gate_onnx(tmp_path / "narrow.onnx", card)
    trace = tmp_path / "t.csv"
    args = [talk, tmp_path / "o.wav", "--model", model, "--trace", trace]
    assert main([*map(str, args)]) == 0
    table = rows(trace)
    assert len(table) == 200
    is_open = [int(row["open"]) for row in table]
    assert sum(is_open[:50]) == 0
    assert sum(is_open[55:100]) == 45


def test_learn_is_a_command_of_its_own(monkeypatch, capsys):
    """`rt-gate learn ...` goes to realtime.commands.learn, with the arguments after it."""
    import types

    said = []
    module = types.ModuleType("realtime.commands.learn")
    module.main = lambda argv: said.append(list(argv)) or 0
    monkeypatch.setitem(sys.modules, "realtime.commands.learn", module)
    assert main(["learn", "--open", "a", "-o", "b"]) == 0
    assert said == [["--open", "a", "-o", "b"]]


@pytest.mark.slow
def test_a_long_file_is_gated_by_the_compiled_gate(gate, talk, tmp_path, monkeypatch):
    """As any other to the hundredth of a decibel, and in a fraction of the time."""
    pytest.importorskip("numba")
    status, told = [], []
    for long_s in (0.0, 1e9):
        monkeypatch.setattr("realtime.commands.gate_file.LONG_S", long_s)
        trace = tmp_path / f"{long_s}.csv"
        status.append(gate(talk, tmp_path / "out.wav", "--trace", trace))
        told.append(np.genfromtxt(trace, delimiter=",", names=True))
    assert status == [0, 0]
    for name, near in (("time_s", 0), ("score", 2e-4), ("open", 0), ("gain_db", 0.011)):
        np.testing.assert_allclose(told[0][name], told[1][name], rtol=0, atol=near)
    assert told[0]["open"].any()


def test_what_is_long(tmp_path):
    """A file whose header says so; of a pipe nobody knows."""
    for seconds, expected in ((300, False), (301, True)):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.zeros(seconds * 8000, np.int16), 8000)
        assert is_long(open_source(str(path))) == expected
    assert not is_long(open_source("-", rate=16_000, channels=1))
