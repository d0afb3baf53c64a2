"""Plays noise that never repeats and compares what comes back; for `bench_live_gate.py`.

Arguments: seconds, channels of the gate, and a recording over which the noise shall lie as a
faint one. It says "ready", waits for a line on stdin and plays.
Input 0 is what it plays itself, the others come from the gate. One line of JSON at the end:
samples compared, those that were wrong, and by how many samples the gate was later at first and
at last.
"""

import json
import queue
import sys

import numpy as np
import sounddevice
import soundfile
import soxr

RATE = 48_000
LATEST = 4800  # the most samples that the gate is looked for behind the player
PIECE = 48_000
LOUD, FAINT = 0.5, 1e-4

seconds, channels = float(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
pieces, playing = queue.SimpleQueue(), False
noise, used = np.zeros(0, np.float32), 0
under, at = None, 0
if len(sys.argv) > 3:
    under, rate = soundfile.read(sys.argv[3], dtype="float32")
    under = soxr.resample(under, rate, RATE)


def more():
    """The next piece."""
    global at
    level = LOUD if under is None else FAINT
    piece = rng.uniform(-level, level, PIECE).astype(np.float32)
    if under is not None:
        piece += under[np.arange(at, at + PIECE) % len(under)]
        at += PIECE
    return piece


def both(indata, outdata, frames, _time, _status):
    global noise, used
    outdata[:] = 0
    if not playing:
        return
    if used + frames > len(noise):
        noise, used = more(), 0
    outdata[:, 0] = noise[used : used + frames]
    used += frames
    pieces.put(indata.copy())


def delay(sent, back):
    """By how many samples `back` is later than `sent`; None if it is not that."""
    n = len(sent) - LATEST
    for shift in range(LATEST):
        if back[shift] == sent[0] and np.array_equal(back[shift : shift + n], sent[:n]):
            return shift
    return None


def main():
    global playing
    with sounddevice.Stream(
        device="system",
        samplerate=RATE,
        channels=(1 + channels, 1),
        blocksize=0,
        latency="high",
        dtype="float32",
        callback=both,
    ):
        print("ready", flush=True)
        sys.stdin.readline()
        playing = True
        rest = np.zeros((0, 1 + channels), np.float32)
        first = late = None
        compared = wrong = joints = 0
        while compared + wrong < seconds * RATE:
            got = [rest]
            while sum(map(len, got)) < 2 * PIECE + LATEST:
                got.append(pieces.get(timeout=60))
            heard = np.concatenate(got)
            if not compared:
                heard = heard[np.flatnonzero(heard[:, 0])[:1].item() :]
            sent = heard[:PIECE, 0]
            if late is None:
                late = delay(heard[: 2 * LATEST, 0], heard[: 3 * LATEST, 1])
                first = late if first is None else first
            if late is None:
                wrong += PIECE
            else:
                equal = (heard[late : late + PIECE, 1:] == sent[:, None]).all(axis=1)
                compared += int(equal.sum())
                wrong += int((~equal).sum())
                if not equal.all():
                    joints += 1
                    print(f"{compared / RATE:.2f} s: {(~equal).sum()} wrong", file=sys.stderr)
                    late = None
            rest = heard[PIECE:]
    print(json.dumps({"compared": compared, "wrong": wrong, "breaks": joints,
                      "late_first": first, "late_last": late}))  # fmt: skip


main()
