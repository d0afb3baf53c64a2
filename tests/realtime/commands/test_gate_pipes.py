"""rt-gate between pipes: sound comes out as it comes in, until one end goes away."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
from kit_command import BIN, call, installed, lines, rows, wait_until_read

from realtime.commands.gate import main

GATE = BIN / "rt-gate"
RATE = 48000
soundfile = pytest.importorskip("soundfile")
pytestmark = [installed, pytest.mark.usefixtures("alone")]


@pytest.mark.parametrize("format_", ["s16", "s24", "s32", "f32"])
def test_a_pipe_gives_what_a_file_gives(gate_model, tmp_path, format_, bursts):
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
    done = call("rt-gate", "-", "-", *model, *raw, stdin=data)
    assert (done.returncode, done.stderr) == (0, b"")
    found = ENCODINGS[format_].decode(done.stdout).reshape(-1, 2)
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)
    if format_ == "s24":  # of all formats: test_sources_pipe.py
        header = call("rt-gate", "-", "-", *model, stdin=wav.read_bytes())
        assert header.stdout == done.stdout  # a WAV on stdin says its own rate and format
        mixed = call("rt-gate", wav, "-", *model)
        assert mixed.stdout == done.stdout


def test_a_pipe_into_a_file(gate_model, tmp_path, bursts):
    data = bursts.pcm(1.0)
    done = call("rt-gate", "-", tmp_path / "out.flac", "--model", gate_model, stdin=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    found = soundfile.info(tmp_path / "out.flac")
    assert (found.samplerate, found.channels, found.subtype, found.frames) == (
        16000, 1, "PCM_16", 16000,
    )  # fmt: skip


def test_a_pipe_is_passed_on_as_it_comes(gate_model, bursts):
    """Half a second in, and out it is before the next one."""
    data = bursts.pcm(1.0)
    with subprocess.Popen(
        [GATE, "-", "-", "--model", gate_model], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        for half in (data[:16000], data[16000:]):
            child.stdin.write(half)
            child.stdin.flush()
            got = b""
            while len(got) < 16000:
                got += os.read(child.stdout.fileno(), 16000 - len(got))
        child.stdin.close()
        assert child.stdout.read() == b""
        assert child.wait(60) == 0


def test_the_reader_of_the_sound_goes_away(gate_model, bursts):
    data = bursts.pcm(20.0)
    pipe = '"$@" | head -c 1000; exit ${PIPESTATUS[0]}'
    with subprocess.Popen(
        ["bash", "-c", pipe, "bash", GATE, "-", "-", "--model", gate_model],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        out, err = child.communicate(data, timeout=60)
        assert (child.returncode, err, len(out)) == (141, b"", 1000)


def test_ctrl_c_on_a_pipe_keeps_what_came(gate_model, tmp_path, bursts):
    data = bursts.pcm(1.0)
    with subprocess.Popen(
        [GATE, "-", tmp_path / "out.wav", "--model", gate_model, "--json",
         "--trace", tmp_path / "t.csv"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        child.stdin.write(data)
        child.stdin.flush()
        assert b"open" in child.stdout.readline()
        wait_until_read(child.stdin)
        child.send_signal(signal.SIGINT)
        events = lines(child.stdout.read().decode())
        assert child.wait(60) == 130
        assert b"Traceback" not in child.stderr.read()
    assert events[-1]["event"] == "close"
    assert events[-1]["t"] == 1.0
    assert soundfile.info(tmp_path / "out.wav").frames == 16000
    assert len(rows(tmp_path / "t.csv")) == 100


def test_ctrl_c_while_a_pipe_lets_us_wait(gate_model, tmp_path, left):
    with subprocess.Popen(
        [GATE, "-", tmp_path / "out.wav", "--model", gate_model, "--trace", tmp_path / "t.csv"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob(".t.csv.*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)  # on to opening the pipe
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
        assert b"Traceback" not in child.stderr.read()
    assert left() == []
