"""Kept clips: the right sound under the right name, near misses, privacy, a disk that fills."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import realtime
from realtime.errors import OutputError
from realtime.outputs import Start, Stop
from realtime.outputs.clip_files import OURS
from realtime.outputs.clips import Clips
from realtime.service_fields import ClipSettings
from realtime.services.voice import Person

RATE = 16000
HOP = 1600
WINDOW_S = 1.0
DEMO = Path(realtime.__file__).parent / "sounds" / "demo.flac"


@pytest.fixture
def clips(tmp_path, house):
    made = []

    def make(person=None, labels=("yes", "no", "noise"), **kwargs):
        settings = ClipSettings(**{"folder": str(tmp_path / "clips"), **kwargs})
        made.append(Clips(settings, WINDOW_S, person))
        made[-1].open(house.opening(labels=labels))
        return made[-1]

    yield make
    for output in made:
        output.close(complete=True)


@pytest.fixture
def feed(house):
    """Give an output sound whose samples say where they are, with scores and events by time."""

    def feed(output, seconds, scores=None, events=()):
        events = list(events)
        for i in range(round(seconds * 10)):
            t = (i + 1) / 10
            audio = (np.arange(i * HOP, (i + 1) * HOP) / 1e6).astype(np.float32)
            row = scores(t) if scores is not None else (0.0, 0.0, 0.0)
            output.reading(house.reading(t, row, audio))
            while events and events[0].t <= t + 1e-9:
                output.event(events.pop(0))
        output.end(seconds)
        output.close(complete=True)

    return feed


def kept(tmp_path):
    """JSON and sound of each clip, by time."""
    found = []
    for path in sorted((tmp_path / "clips").glob("*.flac")):
        facts = json.loads(path.with_suffix(".json").read_text())
        assert facts["file"] == path.name
        assert OURS.fullmatch(path.name)
        sound, rate = soundfile.read(path)
        assert rate == facts["rate"] == RATE
        assert len(sound) / rate == pytest.approx(facts["seconds"])
        found.append((facts, np.round(sound * 1e6) if len(sound) else sound))
    return found


def first_last(sound):
    """Seconds of the input at which a clip begins and ends."""
    return round(sound[0] / RATE, 2), round(sound[-1] / RATE, 2)


def test_a_detection_with_what_was_before(clips, feed, tmp_path):
    output = clips(before_s=0.7, after_s=0.5)
    events = [Start(label="yes", t=4.0, score=0.8), Stop(label="yes", t=4.6, peak=0.97)]
    feed(output, 8, events=events)
    ((facts, sound),) = kept(tmp_path)
    assert first_last(sound) == pytest.approx((4.0 - 1.0 - 0.7, 4.6 + 0.5), abs=0.02)
    assert np.all(np.abs(np.diff(sound) - 1) <= 62)  # in order, but for the 16 bits
    when = facts.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", when)
    assert facts.pop("file").endswith("Z_yes_0.97.flac")
    assert facts == {
        "label": "yes", "kind": "detection", "score": 0.97, "threshold": 0.5, "t": 2.3,
        "seconds": 2.8, "rate": RATE, "source": "Mic", "model": "kws",
    }  # fmt: skip
    assert output.counts().endswith(": 1 kept")


def test_at_the_ends_of_the_input(clips, feed, tmp_path):
    events = [Start(label="yes", t=0.2, score=0.8), Stop(label="yes", t=0.4, peak=0.8)]
    events += [Start(label="no", t=2.8, score=0.7), Stop(label="no", t=3.0, peak=0.7)]
    feed(clips(before_s=1.0, after_s=1.0), 3, events=events)
    found = {facts["label"]: first_last(sound) for facts, sound in kept(tmp_path)}
    assert found["yes"] == pytest.approx((0.0, 1.4), abs=0.02)
    assert found["no"] == pytest.approx((0.8, 3.0), abs=0.02)


def test_near_misses(clips, feed, tmp_path):
    """Over the threshold without an event, under it, too far under, and of the background."""

    def scores(t):
        near = 0.45 if 3.0 <= t < 3.3 else 0.6 if 20.0 <= t < 20.2 else 0.0
        return (near, 0.3, 0.99)

    feed(clips(before_s=0.0, after_s=0.0, near=0.1), 25, scores)
    (first, sound), (second, _) = kept(tmp_path)
    assert (first["label"], first["kind"], first["score"]) == ("yes", "near", 0.45)
    assert first["file"].endswith("_yes_0.45_near.flac")
    assert first_last(sound) == pytest.approx((2.0, 3.3), abs=0.02)
    assert second["score"] == 0.6


def test_a_detection_is_no_near_miss_besides(clips, feed, tmp_path):
    def scores(t):
        return (0.9 if 3.8 <= t < 4.6 else 0.45 if 4.6 <= t < 5.5 else 0.0, 0.0, 0.0)

    events = [Start(label="yes", t=4.0, score=0.9), Stop(label="yes", t=4.7, peak=0.9)]
    feed(clips(), 8, scores, events)
    assert [facts["kind"] for facts, _ in kept(tmp_path)] == ["detection"]


def test_one_that_does_not_end(clips, feed, tmp_path):
    output = clips(longest_s=3.0, before_s=0.0)
    feed(output, 60, lambda t: (0.9 * (t > 4.5), 0, 0), [Start(label="yes", t=5.0, score=0.9)])
    (facts, _), *more = kept(tmp_path)
    assert facts["seconds"] <= 3.0
    assert not more
    assert sum(len(piece) for piece in output._sound) < 10 * RATE  # memory is bounded


def test_names_cannot_lead_out_of_the_folder(clips, feed, tmp_path):
    labels = ("../../etc/passwd", "a/b" * 100, "狗 吠")
    events = [Start(label=x, t=1.0, score=0.9) for x in labels]
    events += [Stop(label=x, t=1.5, peak=0.9) for x in labels]
    feed(clips(labels=labels), 3, events=events)
    found = kept(tmp_path)
    assert {facts["label"] for facts, _ in found} == set(labels)
    assert all(len(facts["file"]) < 120 for facts, _ in found)


def test_only_the_owner_may_listen(clips, feed, tmp_path):
    old = os.umask(0)
    try:
        events = [Start(label="yes", t=1.0, score=0.9), Stop(label="yes", t=1.5, peak=0.9)]
        feed(clips(), 3, events=events)
    finally:
        os.umask(old)
    assert (tmp_path / "clips").stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "clips").iterdir()} == {0o600}


def test_the_oldest_go_and_nothing_else(clips, feed, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for day in range(1, 5):
        path = folder / f"2026-01-0{day}T00-00-00.000Z_yes_0.90.flac"
        path.write_bytes(bytes(400_000))
        path.with_suffix(".json").write_text("{}")
        when = time.time() - (40 if day == 1 else 5 - day) * 86400
        os.utime(path, (when, when))
    (folder / "my song.flac").write_bytes(bytes(3_000_000))
    events = [Start(label="yes", t=1.0, score=0.9), Stop(label="yes", t=1.5, peak=0.9)]
    feed(clips(most_mb=1.0, most_days=30), 3, events=events)
    found = sorted(p.name for p in folder.glob("*.flac"))
    # day 1 is too old; day 2 makes room; 3 and 4 fit
    assert [name[:10] for name in found[:2]] == ["2026-01-03", "2026-01-04"]
    assert len(found) == 4
    assert found[-1] == "my song.flac"
    assert len(list(folder.glob("*.json"))) == 3


# --- privacy ------------------------------------------------------------------------------


def play(output, house, sound, event_s):
    for i in range(0, len(sound), HOP):
        t = (i + HOP) / RATE
        output.reading(house.reading(t, (0, 0, 0), sound[i : i + HOP].astype(np.float32)))
        if abs(t - event_s) < 0.05:
            output.event(Start(label="yes", t=t, score=0.9))
            output.event(Stop(label="yes", t=t, peak=0.9))
    output.end(len(sound) / RATE)


def test_a_person_is_not_written(clips, house, tmp_path):
    sound, _ = soundfile.read(DEMO, dtype="float32")
    output = clips(person=Person())
    play(output, house, sound, 3.0)  # two words before it
    output.close(complete=True)
    assert list((tmp_path / "clips").iterdir()) == []
    assert (output.held_back, output.delivery.delivered) == (1, 0)
    assert "1 with a person not kept" in output.counts()


def test_what_is_no_person_is_kept(clips, house, tmp_path):
    t = np.arange(5 * RATE) / RATE
    beep = 0.2 * np.sin(2 * np.pi * 1000 * t) * (np.abs(t - 2.5) < 0.4)
    noise = np.random.default_rng(0).normal(0, 1e-3, len(t))
    output = clips(person=Person())
    play(output, house, beep + noise, 3.0)
    output.close(complete=True)
    assert len(kept(tmp_path)) == 1


def test_a_gate_that_fails_keeps_nothing(clips, house, tmp_path, caplog):
    person = Person()
    person._runner = None  # whatever may go wrong
    output = clips(person=person)
    play(output, house, np.zeros(5 * RATE), 3.0)
    output.close(complete=True)
    assert list((tmp_path / "clips").iterdir()) == []
    assert "the clip is not kept" in caplog.text


# --- disks --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 KiB."""
    folder = tmp_path / "clips"
    folder.mkdir()
    options = "size=128k,mode=700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def noisy(house, output, clips):
    """Some clips of noise, which FLAC cannot make small."""
    rng = np.random.default_rng(0)
    for i in range(round(30 * clips)):
        t = (i + 1) / 10
        output.reading(house.reading(t, (0, 0, 0), rng.normal(0, 0.1, HOP).astype(np.float32)))
        if i % 30 == 20:
            output.event(Start(label="yes", t=t, score=0.9))
            output.event(Stop(label="yes", t=t, peak=0.9))
            time.sleep(0.05)  # a disk is slower than this loop
    output.end(3.0 * clips)
    output.close(complete=True)


def test_a_full_disk(small_disk, clips, house, tmp_path, caplog):
    output = clips()
    noisy(house, output, 6)
    found = kept(tmp_path)  # those that are there are whole
    assert 1 <= len(found) < 6
    assert output.delivery.delivered == len(found)
    assert output.delivery.lost == 6 - len(found)
    assert not list(small_disk.glob("*.part"))
    assert len(list(small_disk.glob("*.json"))) == len(found)
    assert "cannot be written" in caplog.text


def test_a_folder_that_goes(clips, house, tmp_path, caplog):
    output = clips()
    (tmp_path / "clips").rmdir()
    noisy(house, output, 2)
    assert output.delivery.lost == 2
    assert "cannot be written" in caplog.text


def test_folders_that_cannot_be(clips, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written") as e:
        clips(folder=str(tmp_path / "file"))
    assert e.value.hint
    with pytest.raises(OutputError):
        clips(folder="/proc/clips")


def test_parts_of_a_run_that_was_cut_off_go(clips, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    part = folder / "2026-01-01T00-00-00.000Z_yes_0.90.flac.part"
    part.touch()
    (folder / "mine.part").touch()
    clips()
    assert [p.name for p in folder.iterdir()] == ["mine.part"]
