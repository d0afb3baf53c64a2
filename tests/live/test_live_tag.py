"""`rt-tag FILE` and the same sound through a sound card or a pipe give the same events.

The sound card is a real PortAudio stream on a private JACK or PulseAudio server. What may
differ: all times by one offset (the stream was open before the sound began) and, because
decisions fall on a grid that starts with the stream, each time by a part of a hop.
"""

import json
import signal
import subprocess
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
import pytest
import soundfile

import realtime
from realtime.library import names

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live"), pytest.mark.timeout(180)]

DEMO = Path(realtime.__file__).parent / "sounds" / "demo.flac"
INTERRUPTED = 130


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


def tag_live(rt_tag, card, path, *options):
    """Play a file to the card while rt-tag listens to it; its events."""
    sound, rate = soundfile.read(path, dtype="float32")
    with subprocess.Popen(
        [rt_tag, "--device", card.device, "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            card.play(sound, rate)
        finally:
            process.send_signal(signal.SIGINT)
            out, log = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED, log
    assert "samples lost" not in log
    return events(out)


def assert_same(found, expected, *, tolerance_s, peak_tolerance):
    """The same labels start and stop in the same order, at the same times but for an offset.

    A stop and the next start may swap places by a hop, so each kind is compared by itself. A
    start's score is taken on a slope, so it differs with the grid; the peak hardly does.
    """
    found, expected = (sorted(x, key=lambda e: e["event"]) for x in (found, expected))
    assert [(e["event"], e["label"]) for e in found] == [
        (e["event"], e["label"]) for e in expected
    ]
    shifts = [e["t"] - x["t"] for e, x in zip(found, expected, strict=True)]
    offset = median(shifts)
    assert max(abs(s - offset) for s in shifts) <= tolerance_s, shifts
    for e, x in zip(found, expected, strict=True):
        if e["event"] == "start":
            assert e["score"] == pytest.approx(x["score"], abs=0.3)
        else:
            assert e["peak"] == pytest.approx(x["peak"], abs=peak_tolerance)
    return offset


def test_tones_through_a_sound_card(rt_tag, card, quick_bands, melody):
    model = ("--model", str(quick_bands))
    expected = tag_file(rt_tag, melody, *model)
    assert [e["label"] for e in expected if e["event"] == "start"] == [
        *("low", "high", "middle", "low", "high")
    ]
    found = tag_live(rt_tag, card, melody, *model)
    offset = assert_same(found, expected, tolerance_s=0.06, peak_tolerance=0.03)
    # it was listening before; an idle Pulse monitor may give nothing until the first sound
    assert offset > -0.1


@pytest.mark.parametrize("model", shipped())
def test_the_demo_through_a_sound_card(rt_tag, jack, model):
    card = subprocess.run(
        [rt_tag, "--model", model, "--describe"], capture_output=True, check=True
    ).stdout
    hop_s = json.loads(card)["hop_s"]
    expected = tag_file(rt_tag, DEMO, "--model", model)
    found = tag_live(rt_tag, jack, DEMO, "--model", model)
    # the card's grid of hops is not the file's: a score that creeps over its threshold may
    # start a hop apart on each
    assert_same(found, expected, tolerance_s=max(0.06, 2.01 * hop_s), peak_tolerance=0.15)


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
