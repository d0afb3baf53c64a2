"""`rt-tag FILE` and the same sound through a sound card or a pipe give the same events.

The sound card is a real PortAudio stream on a private JACK or PulseAudio server. What the
device gave is kept and written to a file, and the file's events are the live ones to the last
digit. That file begins with as much silence as there was before the player started, so its
decisions fall on the same instants; those of the file that was played do not, and with a hop
of 0.1 s a score that creeps over its threshold does so a hop or two apart on another grid.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
import soundfile

import realtime
from realtime.library import names

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live"), pytest.mark.timeout(400)]

DEMO = Path(realtime.__file__).parent / "sounds" / "demo.flac"
INTERRUPTED = 130
OVERHEARD = Path(__file__).parent / "overheard.py"
QUIET_S = 1.0  # after the sound, so that all of it has been heard at the end


@pytest.fixture(scope="session")
def quick_bands(kit, tmp_path_factory):
    """The tone model, deciding every 20 ms: its times are as fine as that."""
    card = msgspec.structs.replace(kit.band_card(), hop_s=0.02)
    return kit.write_onnx(tmp_path_factory.mktemp("live") / "bands.onnx", card)


@pytest.fixture(scope="session")
def melody(kit, tmp_path_factory):
    """Tones of the three labels, far enough apart that no two events swap places by a hop."""
    parts = [("", 0.7), ("low", 0.8), ("", 0.9), ("high", 1.1), ("", 0.8), ("middle", 0.9)]
    parts += [("", 1.0), ("low", 0.7), ("", 0.8), ("high", 0.9), ("", 1.5)]
    path = tmp_path_factory.mktemp("live") / "melody.wav"
    soundfile.write(path, kit.tones(*parts), kit.rate, subtype="PCM_16")
    return path


def shipped():
    """Every shipped model that hears words, or a reason to skip."""
    found = [pytest.param(name, id=name) for name in names() if name.startswith("kws")]
    why = pytest.mark.skip(reason="no model is shipped yet")
    return found or [pytest.param("", marks=why, id="shipped")]


def events(text):
    """Starts and stops of a run with --json."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [e for e in lines if e["event"] in ("start", "stop")]


def tag_file(rt_tag, path, *options):
    done = subprocess.run(
        [rt_tag, str(path), "--json", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = events(done.stdout)
    assert found, "the file gives no events: nothing to compare"
    return found


class Live(NamedTuple):
    """What rt-tag made of a device's sound, and that sound."""

    events: list
    heard: Path
    played: np.ndarray  # float32, at the card's rate


def tag_live(card, path, folder, *options):
    """Play a file to the card while rt-tag listens to it."""
    sound, rate = soundfile.read(path, dtype="float32")
    sound = np.concatenate([sound, np.zeros(round(QUIET_S * rate), np.float32)])
    heard = folder / "heard.wav"
    with subprocess.Popen(
        [sys.executable, OVERHEARD, heard, "--device", card.device, "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            played = card.play(sound, rate)
        finally:
            process.send_signal(signal.SIGINT)
            out, log = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, log
    assert "samples lost" not in log
    return Live(events(out), heard, played)


def first_sound(path):
    """Seconds of exact zeros at the beginning."""
    sound, rate = soundfile.read(path)
    return np.flatnonzero(sound)[0] / rate


def labels(found):
    return [e["label"] for e in found if e["event"] == "start"]


def test_tones_through_a_sound_card(rt_tag, card, quick_bands, melody, tmp_path):
    model = ("--model", str(quick_bands))
    live = tag_live(card, melody, tmp_path, *model)
    assert live.events == tag_file(rt_tag, live.heard, *model)
    expected = tag_file(rt_tag, melody, *model)
    assert labels(live.events) == labels(expected) == ["low", "high", "middle", "low", "high"]
    # on another grid a steep score passes its threshold no more than two hops of 20 ms apart
    shifts = [e["t"] - x["t"] for e, x in zip(live.events, expected, strict=True)]
    offset = first_sound(live.heard) - first_sound(melody)
    assert shifts == pytest.approx([offset] * len(shifts), abs=0.041)


# 23 s of real time each: the float twin of kws12 is heard in a pipe only
@pytest.mark.parametrize("model", [p for p in shipped() if not p.id.endswith("-float")])
@pytest.mark.parametrize("jack", [1024], indirect=True, ids=["period1024"])
def test_the_demo_through_a_sound_card(rt_tag, jack, model, tmp_path):
    live = tag_live(jack, DEMO, tmp_path, "--model", model)
    assert live.events == tag_file(rt_tag, live.heard, "--model", model)
    # and what was heard is the demo after silence, to the last sample
    heard, rate = soundfile.read(live.heard, dtype="float32")
    assert rate == jack.rate
    began = np.flatnonzero(heard)[0] - np.flatnonzero(live.played)[0]
    np.testing.assert_array_equal(heard[began:][: len(live.played)], live.played)


# --- pipes --------------------------------------------------------------------------------


def tag_pipe(rt_tag, data, *options):
    done = subprocess.run([rt_tag, "-", "--json", *options], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr
    return events(done.stdout)


@pytest.mark.parametrize("kind", ["s16", "s24", "s32", "f32", "wav"])
def test_a_pipe_gives_exactly_the_events_of_the_file(rt_tag, band_model, melody, kind):
    model = ("--model", str(band_model))
    whole, rate = soundfile.read(melody, dtype="int32")
    if kind == "wav":
        data, options = melody.read_bytes(), ()
    elif kind == "f32":
        data = soundfile.read(melody, dtype="float32")[0].astype("<f4").tobytes()
        options = ("--rate", str(rate), "--format", kind)
    else:
        width = int(kind[1:]) // 8
        packed = whole.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 4 - width :]
        data, options = packed.tobytes(), ("--rate", str(rate), "--format", kind)
    assert tag_pipe(rt_tag, data, *options, *model) == tag_file(rt_tag, melody, *model)


@pytest.mark.parametrize("model", shipped())
def test_the_demo_through_a_pipe(rt_tag, model):
    sound, rate = soundfile.read(DEMO, dtype="int16")
    found = tag_pipe(rt_tag, sound.tobytes(), "--rate", str(rate), "--model", model)
    assert found == tag_file(rt_tag, DEMO, "--model", model)


def test_what_a_pipe_holds_is_decided_without_waiting_for_more(rt_tag, quick_bands, kit):
    """A tone's start is said while the pipe is still open."""
    sound = kit.tones(("", 0.3), ("low", 1.0))
    with subprocess.Popen(
        [rt_tag, "-", "--json", "--format", "f32", "--model", str(quick_bands)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        process.stdin.write(sound.tobytes())
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        assert (first["event"], first["label"]) == ("start", "low")
        process.stdin.close()
        last = json.loads(process.stdout.readlines()[-1])
    assert (last["event"], last["label"]) == ("stop", "low")
    assert process.returncode == 0
