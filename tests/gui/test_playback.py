"""The player's tape: tracks side by side, of which one is heard, without clicks."""

import json
import subprocess
import sys

import numpy as np

from gui import playback
from gui.playback import FADE_S, Tape

RATE = 8000
FADE = round(FADE_S * RATE)


def tape(**how):
    ones = np.ones(RATE, np.float32)
    return Tape(np.stack([0.5 * ones, -0.5 * ones], axis=1), RATE, **how)


def test_it_plays_to_its_end_and_then_silence():
    found = tape()
    out = np.concatenate([found.take(300) for _ in range(30)])
    assert found.over
    np.testing.assert_array_equal(out[FADE:RATE], 0.5)
    np.testing.assert_array_equal(out[RATE:], 0.0)


def test_nothing_jumps_at_the_beginning_a_change_or_a_seek():
    found = tape(begin=100)
    parts = [found.take(500)]
    found.track = 1
    parts.append(found.take(500))
    out = np.concatenate(parts)
    assert np.abs(np.diff(out, prepend=0.0)).max() <= 1.01 / FADE
    np.testing.assert_array_equal(out[FADE:500], 0.5)
    np.testing.assert_array_equal(out[500 + FADE :], -0.5)
    found.seek(7000)
    assert abs(found.take(10)[0]) < 0.01
    found.seek(-5)
    assert found.at == 0
    found.seek(10 * RATE)
    assert found.over


def test_the_process_ends_with_its_parent_and_says_what_is_wrong():
    ask = {"rate": RATE, "frames": 10, "tracks": 1, "device": "no such loudspeaker"}
    data = json.dumps(ask).encode() + b"\n" + np.zeros(10, np.float32).tobytes()
    done = subprocess.run(
        [sys.executable, "-P", playback.__file__], input=data, capture_output=True, timeout=60
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said
    assert said[-1].keys() <= {"error", "at", "end"}
