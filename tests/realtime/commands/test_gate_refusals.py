"""What rt-gate refuses: one line on stderr, an exit status, and nothing written."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from kit_command import BIN, call, installed, refused, rows, within

from realtime.commands.gate import main
from realtime.commands.tag import main as tag

GATE = BIN / "rt-gate"
RATE = 48000
soundfile = pytest.importorskip("soundfile")
pytestmark = pytest.mark.usefixtures("alone")


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
        (["--control-token-file", "t"], "--control-token-file is for live sound"),
        (["--level"], "--model belongs to the learned gate"),
        (["--threshold-db", "-50"], "--threshold-db belongs to the level gate"),
        (["--unlink"], "--unlink belongs to the level gate"),
        (["--rate", "800000"], "--rate: rate is 800000: use 0 to 768000"),
        (["--key-highpass", "30000"], "use 0 to 20000"),
        (["--config", "/no/such.toml"], "/no/such.toml: No such file"),
    ],
)
def test_wrong_options(gate, talk, tmp_path, capsys, args, says, left):
    assert gate(talk, tmp_path / "out.wav", *args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert left() == ["talk.flac"]


@pytest.mark.parametrize("option", ["--card=x.json", "--runtime=onnx", "--threads=2"])
def test_what_a_level_gate_has_no_use_for(talk, tmp_path, capsys, option, left):
    assert main([str(talk), str(tmp_path / "out.wav"), "--level", option]) == 2
    assert f"{option.split('=')[0]} belongs to the learned gate" in capsys.readouterr().err
    assert left() == ["talk.flac"]


def test_a_token_for_no_socket(gate, capsys):
    assert gate("--control-token-file", "t") == 2
    err = capsys.readouterr().err
    assert "--control-token-file without --control: add --control" in err
    assert err.count("\n") == 1


def test_a_filter_that_leaves_nothing(gate, write_wav, tmp_path, capsys, bursts):
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


def test_bad_inputs(gate, talk, tmp_path, capsys, left):
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
    assert left() == ["talk.flac", "text.wav"]


def test_outputs_that_cannot_be_made(gate, talk, tmp_path, capsys, left):
    for out, status, says in (
        (tmp_path / "no/out.wav", 6, "No such file"), (tmp_path, 6, "is a folder"),
        (tmp_path / "out.doc", 2, "no sound file is called .doc"),
    ):  # fmt: skip
        assert gate(talk, out) == status
        assert says in capsys.readouterr().err
    for option in ("--trace", "--plot"):
        assert gate(talk, tmp_path / "out.wav", option, tmp_path / "no/x.png") == 6
    assert left() == ["talk.flac"]


@pytest.mark.parametrize("name", ["out.wav", "out.flac", "out.raw"])
@installed
def test_a_full_disk_keeps_what_was_there(gate_model, write_wav, tmp_path, name, bursts, left):
    """A limit on file size fails as a full disk does, in the middle of writing."""
    wav = write_wav("in.wav", bursts(3.0, RATE, 2), RATE)
    out = tmp_path / name
    out.write_text("mine")
    (tmp_path / "t.csv").write_text("mine, too")
    done = call("rt-gate",
        wav, out, "--model", gate_model, "--trace", tmp_path / "t.csv", "--range-db", "0",
        shell="trap '' XFSZ; ulimit -f 100",
    )  # fmt: skip
    refused(done, 6, f"{name} cannot be written")
    assert out.read_text() == "mine"
    assert (tmp_path / "t.csv").read_text() == "mine, too"
    assert left() == sorted(["in.wav", name, "t.csv"])


@installed
def test_full_and_closed_stdout(gate, gate_model, talk, capfd):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [GATE, talk, "-", "--model", gate_model], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 6
    assert done.stderr.decode().count("\n") == 1
    assert b"No space left" in done.stderr
    done = within(main, capfd, talk, "/dev/full", "--model", gate_model)
    refused(done, 6, "/dev/full", "No space left")
    assert not Path("/dev/full").is_file()
    assert gate(talk, "/dev/null") == 0
    done = call("rt-gate", talk, "-", "--model", gate_model, shell="exec >&-")
    assert b"Traceback" not in done.stderr


def test_a_damaged_file_gives_what_it_has(gate, write_wav, tmp_path, capsys, bursts):
    whole = write_wav("whole.flac", bursts(6.0, RATE, 1), RATE)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert gate(cut, tmp_path / "out.wav", "--trace", tmp_path / "t.csv") == 4
    assert "cut.flac: breaks at" in capsys.readouterr().err
    assert soundfile.info(tmp_path / "out.wav").frames > RATE
    assert len(rows(tmp_path / "t.csv")) > 100


@installed
def test_ctrl_c_on_a_file_leaves_what_was_there(gate_model, tmp_path, bursts, left):
    wav = tmp_path / "long.wav"
    second = bursts(1.0)
    with soundfile.SoundFile(wav, "w", RATE, 2, "PCM_16") as file:
        for _ in range(600):
            file.write(second)
    out = tmp_path / "out.wav"
    out.write_text("mine")
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(
            [GATE, wav, out, "--model", gate_model, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as child:  # fmt: skip
            assert b"open" in child.stdout.readline()
            child.send_signal(number)
            _, err = child.communicate(timeout=60)
            assert child.returncode == 130
        assert b"was not written" in err
        assert b"Traceback" not in err
        assert out.read_text() == "mine"
        assert left() == ["long.wav", "out.wav"]
