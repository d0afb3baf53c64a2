"""rt-gate as a person meets it: sound to sound, words on stderr, an exit status."""

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from realtime.card import InputSpec
from realtime.commands.gate import main
from realtime.commands.tag import main as tag
from realtime.features import FeatureSpec

BIN = Path(sys.executable).parent / "rt-gate"
RATE = 48000
GATE_8000 = FeatureSpec(
    kind="mel", rate=8000, frame=200, hop=80, fft=256, mels=40, log_floor=1e-8
)
soundfile = pytest.importorskip("soundfile")
installed = pytest.mark.skipif(not BIN.exists(), reason="the command is not installed")


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No settings of the person who runs the tests; loggers as they were."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in [n for n in os.environ if n.startswith("RT_")]:
        monkeypatch.delenv(name)
    yield
    logger = logging.getLogger("rt")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


def bursts(seconds=2.0, rate=RATE, channels=2):
    """Half a second of faint noise, half a second of loud noise, and so on."""
    rng = np.random.default_rng(0)
    loud = (np.arange(round(seconds * rate)) * 2 // rate) % 2
    gain = np.where(loud, 0.1, 1e-4)[:, None] * np.linspace(1, 0.8, channels)
    return (rng.normal(0, 1, (len(loud), channels)) * gain).astype(np.float32)


@pytest.fixture
def talk(write_wav):
    """A stereo FLAC of 24 bits at 48 kHz."""
    return write_wav("talk.flac", bursts(), RATE, subtype="PCM_24")


@pytest.fixture
def gate(gate_model):
    """Run rt-gate with the small model."""
    return lambda *args: main([*map(str, args), "--model", str(gate_model)])


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def call(*args, stdin=b"", shell=":", **kwargs):
    """rt-gate in a process of its own; `shell` is done before."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("RT_")}
    return subprocess.run(
        ["bash", "-c", f'{shell}; exec "$@"', "bash", str(BIN), *map(str, args)],
        input=stdin,
        capture_output=True,
        env=environ,
        timeout=100,
        **kwargs,
    )


def refused(done, status, *says):
    err = done.stderr.decode()
    assert done.returncode == status, err
    assert err.count("\n") == 1, err
    assert err.startswith("rt-gate: error: ")
    for text in says:
        assert text in err
    assert not done.stdout


def left(folder):
    """What is in a folder, hidden files too, but for the home that matplotlib makes itself."""
    return sorted(p.name for p in folder.iterdir() if p.name != "config")


# --- files --------------------------------------------------------------------------------


def test_a_file_comes_back_as_what_it_was(gate, talk, tmp_path, capsys):
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
    assert left(tmp_path) == ["out.flac", "talk.flac"]


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
def test_any_rate_and_kind(gate, write_wav, tmp_path, rate, subtype, channels):
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
    gate, talk, write_wav, tmp_path, capsys, seconds, rate
):
    key = write_wav("key.wav", bursts(seconds, rate, 1), rate)
    hum = write_wav("hum.wav", np.full(2 * RATE, 0.25), RATE)
    assert gate(hum, tmp_path / "out.wav", "--key", key, "--json") == 0
    out, err = capsys.readouterr()
    starts = [e["t"] for e in lines(out) if e["event"] == "open"]
    assert starts == pytest.approx([0.5] if seconds < 1.5 else [0.5, 1.5], abs=0.03)
    assert soundfile.info(tmp_path / "out.wav").frames == 2 * RATE
    assert ("ends at 1.200 s, before the input" in err) == (seconds < 2.0)


def test_samples_that_are_no_numbers(gate, write_wav, tmp_path, capsys):
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


# --- pipes --------------------------------------------------------------------------------


@installed
@pytest.mark.parametrize("format_", ["s16", "s24", "s32", "f32"])
def test_a_pipe_gives_what_a_file_gives(gate_model, tmp_path, format_):
    """To the bit, however the bytes come in."""
    from realtime.sources.pcm import ENCODINGS

    subtypes = {"s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT"}
    data = ENCODINGS[format_].encode(bursts(1.0).reshape(-1))
    sound = ENCODINGS[format_].decode(data).reshape(-1, 2)
    wav = tmp_path / "in.wav"
    soundfile.write(wav, sound, RATE, subtypes[format_])
    model = ["--model", gate_model, "--lookahead-ms", "20"]
    assert main([str(wav), str(tmp_path / "out.wav"), *map(str, model)]) == 0
    expected = soundfile.read(tmp_path / "out.wav", dtype="float32")[0]
    raw = ["--rate", str(RATE), "--channels", "2", "--format", format_]
    done = call("-", "-", *model, *raw, stdin=data)
    assert (done.returncode, done.stderr) == (0, b"")
    found = ENCODINGS[format_].decode(done.stdout).reshape(-1, 2)
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)
    header = call("-", "-", *model, stdin=wav.read_bytes())
    assert header.stdout == done.stdout  # a WAV on stdin says its own rate and format
    mixed = call(wav, "-", *model)
    assert mixed.stdout == done.stdout


@installed
def test_a_pipe_into_a_file(gate_model, tmp_path):
    data = (bursts(1.0, 16000, 1) * 32768).astype("<i2").tobytes()
    done = call("-", tmp_path / "out.flac", "--model", gate_model, stdin=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    found = soundfile.info(tmp_path / "out.flac")
    assert (found.samplerate, found.channels, found.subtype, found.frames) == (
        16000, 1, "PCM_16", 16000,
    )  # fmt: skip


@installed
def test_a_pipe_is_passed_on_as_it_comes(gate_model):
    """Half a second in, and out it is before the next one."""
    data = (bursts(1.0, 16000, 1) * 32768).astype("<i2").tobytes()
    with subprocess.Popen(
        [BIN, "-", "-", "--model", gate_model], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        for half in (data[:16000], data[16000:]):
            child.stdin.write(half)
            child.stdin.flush()
            got = b""
            while len(got) < 16000:
                got += os.read(child.stdout.fileno(), 16000 - len(got))
        child.stdin.close()
        assert child.stdout.read() == b""
        assert child.wait(20) == 0


@installed
def test_the_reader_of_the_sound_goes_away(gate_model):
    data = (bursts(20.0, 16000, 1) * 32768).astype("<i2").tobytes()
    pipe = '"$@" | head -c 1000; exit ${PIPESTATUS[0]}'
    with subprocess.Popen(
        ["bash", "-c", pipe, "bash", BIN, "-", "-", "--model", gate_model],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        out, err = child.communicate(data, timeout=60)
        assert (child.returncode, err, len(out)) == (141, b"", 1000)


# --- what goes wrong ----------------------------------------------------------------------


def test_the_output_is_the_input(gate, talk, tmp_path, capsys, monkeypatch):
    before = talk.read_bytes()
    link = tmp_path / "link.flac"
    link.symlink_to(talk)
    hard = tmp_path / "hard.flac"
    os.link(talk, hard)
    monkeypatch.chdir(tmp_path)
    for out in (
        talk,
        link,
        hard,
        "talk.flac",
        "./config/../talk.flac",
        f"{talk.parent}/./talk.flac",
    ):
        (tmp_path / "config").mkdir(exist_ok=True)
        assert gate(talk, out) == 2
        err = capsys.readouterr().err
        assert "is the input itself" in err
        assert err.count("\n") == 1
    assert talk.read_bytes() == before
    assert gate(talk, "x.wav", "--trace", talk) == 2
    assert gate(talk, "x.wav", "--plot", "x.wav") == 2
    assert "--plot and the output are both x.wav" in capsys.readouterr().err
    assert gate(talk, "key.wav", "--key", "key.wav") == 2
    assert gate(talk, "x.wav", "--key", talk) == 0  # the key may be the input


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--threshold", "1.5"], "--threshold: threshold is 1.5: use 0 to 1"),
        (["--range-db", "6"], "--range-db: range_db is 6: use -144 to 0"),
        (["--lookahead-ms", "21"], "--lookahead-ms: lookahead_ms is 21: use 0 to 20"),
        (["--tresh", "1"], "unknown option --tresh"),
        (["--rate", "8000"], "--rate is for raw PCM"),
        (["--format", "s16"], "--format is for raw PCM"),
        (["--device", "USB"], "--device is for live sound"),
        (["--block", "64"], "--block is for live sound"),
        (["--level"], "--model belongs to the learned gate"),
        (["--key-highpass", "30000"], "use 0 to 20000"),
        (["--config", "/no/such.toml"], "/no/such.toml: No such file"),
    ],
)
def test_wrong_options(gate, talk, tmp_path, capsys, args, says):
    assert gate(talk, tmp_path / "out.wav", *args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert left(tmp_path) == ["talk.flac"]


def test_a_filter_that_leaves_nothing(gate, write_wav, tmp_path, capsys):
    wav = write_wav("low.wav", bursts(0.5, 8000, 1), 8000)
    assert gate(wav, tmp_path / "out.wav", "--key-highpass", "5000") == 2
    assert "leaves nothing of a sound of 8000 Hz" in capsys.readouterr().err


def test_one_file_or_three(gate, talk, capsys):
    assert gate(talk) == 2
    assert "an output is missing" in capsys.readouterr().err
    assert gate(talk, "b.wav", "c.wav") == 2
    assert "more than one" in capsys.readouterr().err
    assert gate(talk, "-", "--json") == 2
    assert "both the sound and --json" in capsys.readouterr().err


def test_each_model_to_its_own_command(gate, gate_model, band_model, talk, tmp_path, capsys):
    assert main([str(talk), str(tmp_path / "o.wav"), "--model", str(band_model)]) == 3
    err = capsys.readouterr().err
    assert "model bands names sounds and opens no gate" in err
    assert "use rt-tag" in err
    assert tag([str(talk), "--model", str(gate_model)]) == 3
    err = capsys.readouterr().err
    assert "model loud is a gate and names no sounds" in err
    assert f"rt-gate --model {gate_model}" in err
    assert tag(["--model", str(gate_model), "--describe"]) == 0


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


def test_bad_inputs(gate, talk, tmp_path, capsys):
    text = tmp_path / "text.wav"
    text.write_text("this is a text, not a sound")
    for path, says in (
        (tmp_path / "no.wav", "no such file"), (tmp_path, "folder"), (text, "is text")
    ):  # fmt: skip
        assert gate(path, tmp_path / "out.wav") == 4
        err = capsys.readouterr().err
        assert says in err
        assert err.count("\n") == 1
    assert gate(talk, tmp_path / "out.wav", "--key", tmp_path / "no.wav") == 4
    assert "no.wav: no such file" in capsys.readouterr().err
    assert left(tmp_path) == ["talk.flac", "text.wav"]


def test_outputs_that_cannot_be_made(gate, talk, tmp_path, capsys):
    for out, status, says in (
        (tmp_path / "no/out.wav", 6, "No such file"), (tmp_path, 6, "is a folder"),
        (tmp_path / "out.doc", 2, "no sound file is called .doc"),
    ):  # fmt: skip
        assert gate(talk, out) == status
        assert says in capsys.readouterr().err
    for option in ("--trace", "--plot"):
        assert gate(talk, tmp_path / "out.wav", option, tmp_path / "no/x.png") == 6
    assert left(tmp_path) == ["talk.flac"]


@installed
@pytest.mark.parametrize("name", ["out.wav", "out.flac", "out.raw"])
def test_a_full_disk_keeps_what_was_there(gate_model, write_wav, tmp_path, name):
    """A limit on file size fails as a full disk does, in the middle of writing."""
    wav = write_wav("in.wav", bursts(3.0, RATE, 2), RATE)
    out = tmp_path / name
    out.write_text("mine")
    (tmp_path / "t.csv").write_text("mine, too")
    done = call(
        wav, out, "--model", gate_model, "--trace", tmp_path / "t.csv", "--range-db", "0",
        shell="trap '' XFSZ; ulimit -f 100",
    )  # fmt: skip
    refused(done, 6, f"{name} cannot be written")
    assert out.read_text() == "mine"
    assert (tmp_path / "t.csv").read_text() == "mine, too"
    assert left(tmp_path) == sorted(["in.wav", name, "t.csv"])


@installed
def test_full_and_closed_stdout(gate_model, talk):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BIN, talk, "-", "--model", gate_model], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 6
    assert done.stderr.decode().count("\n") == 1
    assert b"No space left" in done.stderr
    done = call(talk, "/dev/full", "--model", gate_model)
    refused(done, 6, "/dev/full", "No space left")
    assert not Path("/dev/full").is_file()
    assert call(talk, "/dev/null", "--model", gate_model).returncode == 0
    done = call(talk, "-", "--model", gate_model, shell="exec >&-")
    assert b"Traceback" not in done.stderr


def test_a_damaged_file_gives_what_it_has(gate, write_wav, tmp_path, capsys):
    whole = write_wav("whole.flac", bursts(6.0, RATE, 1), RATE)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert gate(cut, tmp_path / "out.wav", "--trace", tmp_path / "t.csv") == 4
    assert "cut.flac: breaks at" in capsys.readouterr().err
    assert soundfile.info(tmp_path / "out.wav").frames > RATE
    assert len(rows(tmp_path / "t.csv")) > 100


@installed
def test_ctrl_c_on_a_file_leaves_what_was_there(gate_model, tmp_path):
    wav = tmp_path / "long.wav"
    with soundfile.SoundFile(wav, "w", RATE, 2, "PCM_16") as file:
        for _ in range(600):
            file.write(bursts(1.0))
    out = tmp_path / "out.wav"
    out.write_text("mine")
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(
            [BIN, wav, out, "--model", gate_model, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as child:  # fmt: skip
            assert b"open" in child.stdout.readline()
            child.send_signal(number)
            _, err = child.communicate(timeout=60)
            assert child.returncode == 130
        assert b"was not written" in err
        assert b"Traceback" not in err
        assert out.read_text() == "mine"
        assert left(tmp_path) == ["long.wav", "out.wav"]


@installed
def test_ctrl_c_on_a_pipe_keeps_what_came(gate_model, tmp_path):
    data = (bursts(1.0, 16000, 1) * 32768).astype("<i2").tobytes()
    with subprocess.Popen(
        [BIN, "-", tmp_path / "out.wav", "--model", gate_model, "--json",
         "--trace", tmp_path / "t.csv"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        child.stdin.write(data)
        child.stdin.flush()
        assert b"open" in child.stdout.readline()
        time.sleep(0.5)  # for what is left in the pipe
        child.send_signal(signal.SIGINT)
        events = lines(child.stdout.read().decode())
        assert child.wait(20) == 130
        assert b"Traceback" not in child.stderr.read()
    assert events[-1]["event"] == "close"
    assert events[-1]["t"] == 1.0
    assert soundfile.info(tmp_path / "out.wav").frames == 16000
    assert len(rows(tmp_path / "t.csv")) == 100


@installed
def test_ctrl_c_while_a_pipe_lets_us_wait(gate_model, tmp_path):
    with subprocess.Popen(
        [BIN, "-", tmp_path / "out.wav", "--model", gate_model, "--trace", tmp_path / "t.csv"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob(".t.csv.*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)  # on to opening the pipe
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
        assert b"Traceback" not in child.stderr.read()
    assert left(tmp_path) == []


def test_learn_is_a_command_of_its_own(monkeypatch, capsys):
    """`rt-gate learn ...` goes to realtime.commands.learn, with the arguments after it."""
    import types

    said = []
    module = types.ModuleType("realtime.commands.learn")
    module.main = lambda argv: said.append(list(argv)) or 0
    monkeypatch.setitem(sys.modules, "realtime.commands.learn", module)
    assert main(["learn", "--open", "a", "-o", "b"]) == 0
    assert said == [["--open", "a", "-o", "b"]]
