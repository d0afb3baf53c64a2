"""rt-tag as a person meets it: results on stdout, words on stderr, an exit status."""

import csv
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from kit_command import BIN, lines, wait_until_read

from realtime.commands.tag import main

TAG = BIN / "rt-tag"
SOUND = (("", 0.6), ("low", 0.8), ("", 0.7), ("high", 0.8), ("", 0.6))
TOLD = [
    {"event": "start", "label": "low", "t": 0.9}, {"event": "stop", "label": "low", "t": 1.7},
    {"event": "start", "label": "high", "t": 2.4}, {"event": "stop", "label": "high", "t": 3.2},
]  # fmt: skip
pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def wav(kit, write_wav):
    return write_wav("tones.wav", kit.tones(*SOUND))


def without_scores(found):
    return [{k: v for k, v in e.items() if k not in ("score", "peak")} for e in found]


def test_json_by_default_in_a_pipe(band_model, wav, capsys):
    assert main([str(wav), "--model", str(band_model)]) == 0
    out, err = capsys.readouterr()
    assert without_scores(lines(out)) == TOLD
    assert err == ""
    assert all(0 <= e.get("score", e.get("peak")) <= 1 for e in lines(out))


def test_several_files_name_themselves(band_model, wav, write_wav, capsys):
    other = write_wav("other.flac", np.zeros(16000))
    assert main([str(wav), str(other), str(wav), "--model", str(band_model), "--json"]) == 0
    found = lines(capsys.readouterr().out)
    assert [e["file"] for e in found] == [str(wav)] * 8


def test_a_bad_file_among_good_ones(band_model, wav, tmp_path, capsys):
    args = [str(wav), str(tmp_path / "no.wav"), str(wav), "--model", str(band_model)]
    assert main(args) == 4
    out, err = capsys.readouterr()
    assert len(lines(out)) == 8
    assert err.count("\n") == 1
    assert "no.wav: no such file" in err


def test_table(band_model, wav, capsys):
    assert main([str(wav), "--model", str(band_model), "--table"]) == 0
    out = capsys.readouterr().out
    assert "tones.wav" in out.replace("\n", "")
    assert "low" in out
    assert "0.90" in out


def test_scores_and_plot(band_model, wav, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="the plot extra")
    table, picture = tmp_path / "s.csv", tmp_path / "p.png"
    args = [
        str(wav),
        "--model",
        str(band_model),
        "--scores",
        str(table),
        "--plot",
        str(picture),
    ]
    assert main(args) == 0
    rows = list(csv.reader(table.read_text().splitlines()))
    assert rows[0] == ["time_s", "low", "middle", "high"]
    assert [float(row[0]) for row in rows[1:]] == pytest.approx(np.arange(1, 36) / 10)
    assert float(rows[14][1]) > 0.9
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert main([*args, str(wav)]) == 2
    assert "--plot draws one input" in capsys.readouterr().err


@pytest.mark.parametrize("format_", ["s16", "s24", "s32", "f32"])
def test_raw_pcm_on_stdin(kit, band_model, format_):
    sound = kit.tones(*SOUND, rate=48000)
    if format_ == "f32":
        data = sound.astype("<f4").tobytes()
    else:
        bits = int(format_[1:])
        whole = np.round(sound.astype(np.float64) * (2 ** (bits - 1) - 1)).astype("<i4")
        data = whole.tobytes() if bits == 32 else b"".join(
            bytes(part[: bits // 8]) for part in whole.view(np.uint8).reshape(-1, 4)
        )  # fmt: skip
    args = [TAG, "-", "--model", band_model, "--rate", "48000", "--format", format_]
    done = subprocess.run(args, input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert without_scores(lines(done.stdout.decode())) == TOLD


def test_decision_options(band_model, wav, capsys):
    base = [str(wav), "--model", str(band_model)]
    assert main([*base, "--threshold", "low=0.99999,high=0.4"]) == 0
    assert {e["label"] for e in lines(capsys.readouterr().out)} == {"high"}
    assert main([*base, "--confirm", "3", "--hop", "0.05"]) == 0
    assert lines(capsys.readouterr().out)[0]["t"] == pytest.approx(1.0)
    assert main([*base, "--min-duration", "1.5"]) == 0
    found = lines(capsys.readouterr().out)
    assert found[1]["t"] - found[0]["t"] >= 1.5 or found[2]["t"] - found[0]["t"] >= 1.5


def test_settings_file_and_print_config(band_model, tmp_path, capsys, monkeypatch):
    file = tmp_path / "s.toml"
    file.write_text(f'model = "{band_model}"\n[decision]\nconfirm = 2\n')
    monkeypatch.setenv("RT_TOP", "3")
    assert main(["--config", str(file), "--print-config", "--threads", "2"]) == 0
    out = capsys.readouterr().out
    found = {line.split(" = ")[0]: line for line in out.splitlines() if " = " in line}
    assert found["confirm"].endswith(f"# {file}")
    assert found["top"].endswith("# RT_TOP")
    assert found["threads"].endswith("# --threads")
    assert found["low"].endswith("# card bands")
    assert found["rate"].endswith("# default")


def test_describe_is_the_card(kit, band_model, capsys):
    assert main(["--model", str(band_model), "--describe"]) == 0
    from realtime.card import parse_card

    assert parse_card(capsys.readouterr().out, "stdout") == kit.band_card()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--modle", "x"], "unknown option --modle: did you mean --model?"),
        (["--threshold", "2"], "thresholds.default is 2: use 0 to 1"),
        (["--threshold", "lov=0.5"], "no label lov: did you mean low?"),
        (["--threads", "few"], "threads is 'few'"),
        (["--runtime", "tensorrt"], "--runtime: runtime is 'tensorrt'"),
        (["--config", "/no/such.toml"], "/no/such.toml: No such file"),
        (["--hop", "7"], "a hop of 7 s does not fit model bands"),
        (["--format", "s8"], "--format: format is 's8'"),
        (["--top", "0"], "top is 0: use 1 or more"),
    ],
)
def test_wrong_options(band_model, wav, capsys, args, says):
    assert main([str(wav), "--model", str(band_model), *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_verbose_reports_on_stderr_only(band_model, wav, capsys):
    assert main([str(wav), "--model", str(band_model), "-v"]) == 0
    out, err = capsys.readouterr()
    assert len(lines(out)) == 4
    assert "39 decisions, 2 events" in err


def test_nan_is_said_once(kit, band_model, write_wav, capsys):
    sound = kit.tones(*SOUND)
    sound[[5, 20000]] = np.nan
    path = write_wav("nan.wav", sound, subtype="FLOAT")
    assert main([str(path), "--model", str(band_model)]) == 0
    out, err = capsys.readouterr()
    assert without_scores(lines(out)) == TOLD
    assert err.count("NaN, infinite or beyond") == 1
    assert "2 samples were NaN" in err


def test_ctrl_c_stops_what_is_open(kit, band_model, tmp_path):
    """130 after the stops; the scores so far are kept."""
    sound = (kit.tones(("low", 1.5)) * 32767).astype("<i2").tobytes()
    table = tmp_path / "s.csv"
    args = [TAG, "-", "--model", band_model, "--scores", table]
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(
            args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            child.stdin.write(sound)
            child.stdin.flush()
            first = json.loads(child.stdout.readline())
            wait_until_read(child.stdin)
            child.send_signal(number)
            rest = lines(child.stdout.read().decode())
            err = child.stderr.read().decode()
            assert child.wait(60) == 130
        assert first["event"] == "start"
        assert [e["event"] for e in rest] == ["stop"]
        assert rest[0]["t"] == pytest.approx(1.5)
        assert "Traceback" not in err
        assert len(table.read_text().splitlines()) == 16
        table.unlink()


def test_version_and_help_are_quick_and_light():
    code = (
        "import sys, realtime.commands.tag as t\n"
        "sys.argv[0] = 'rt-tag'\n"
        "status = t.main(['--help'])\n"
        "heavy = {'numpy', 'onnxruntime', 'rich', 'soundfile', 'msgspec', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)), status, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[] 0"
    assert "rt-tag clip.flac" in done.stdout


def test_import_costs_next_to_nothing():
    code = (
        "import numpy, sys, time; b = time.process_time(); import realtime\n"
        "print(time.process_time() - b, sorted(m for m in sys.modules if 'realtime' in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    cost, modules = done.stdout.split(" ", 1)
    assert float(cost) < 0.05
    assert modules.strip() == "['realtime']"


def test_public_names():
    import realtime

    assert realtime.__all__ == ["Card", "Engine", "FeatureSpec", "RtError", "open_runner"]
    for name in realtime.__all__:
        assert getattr(realtime, name).__name__ == name
    assert set(realtime.__all__) <= set(dir(realtime))
    with pytest.raises(AttributeError):
        _ = realtime.Enigne


def test_ctrl_c_while_a_pipe_lets_us_wait(band_model, tmp_path):
    """Nothing has been heard: 130 at once, and no empty table."""
    table = tmp_path / "s.csv"
    args = [TAG, "-", "--model", band_model, "--scores", table]
    with subprocess.Popen(
        args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".s.csv.*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1)  # on to opening the pipe
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
        assert child.stdout.read() == b""
        assert b"Traceback" not in child.stderr.read()
    assert list(tmp_path.iterdir()) == []


def test_doctor_finds_files_that_another_package_overwrote(capsys, monkeypatch, tmp_path):
    """PyPI's `realtime` in the same environment replaces our `realtime/__init__.py`."""
    import base64
    import hashlib
    from importlib import metadata

    from realtime.commands import doctor

    (tmp_path / "realtime").mkdir()
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"ours").digest()).decode().rstrip("=")
    files = []
    for name in ("__init__", "engine"):
        file = metadata.PackagePath(f"realtime/{name}.py")
        file.hash = metadata.FileHash(f"sha256={digest}")
        file.dist = metadata.PathDistribution(tmp_path / "rt_tag-1.dist-info")
        (tmp_path / f"realtime/{name}.py").write_bytes(b"ours")
        files.append(file)
    monkeypatch.setattr(doctor.metadata, "files", lambda name: files)
    found = doctor.Findings()
    doctor._own_files(found)
    assert (found.broken, capsys.readouterr().out[:12]) == (0, "ok  2 instal")
    (tmp_path / "realtime/__init__.py").write_bytes(b"theirs")
    (tmp_path / "realtime/engine.py").unlink()
    doctor._own_files(found)
    out = capsys.readouterr().out
    assert found.broken == 1
    assert "realtime/__init__.py was changed, realtime/engine.py is gone" in out
    assert "pipx install rt-tag" in out


def test_doctor_runs(capsys):
    status = main(["--doctor"])
    out = capsys.readouterr().out
    assert status in (0, 5)
    assert all(line[:4] in ("ok  ", "--  ", "!!  ") for line in out.splitlines())
    assert "onnxruntime" in out
    assert (status == 5) == ("!!" in out)
