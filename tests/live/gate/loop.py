"""Plays a float WAV and records at the same time, in one stream. Run by fixtures.

Arguments: WAV to play, WAV to write, device, channels to record. It says "ready", waits for a
line on stdin, plays, and stops TAIL_S after the last sample.
"""

import sys
import threading

import numpy as np
import sounddevice
import soundfile

TAIL_S = 0.4

play, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
heard = np.zeros((len(play) + int(TAIL_S * rate), int(sys.argv[4])), np.float32)
at, going, done = 0, threading.Event(), threading.Event()


def both(indata, outdata, frames, _time, _status):
    global at
    outdata[:] = 0
    if not going.is_set() or done.is_set():
        return
    part = play[at : at + frames]
    outdata[: len(part)] = part
    room = heard[at : at + frames]
    room[:] = indata[: len(room)]
    at += frames
    if at >= len(heard):
        done.set()


with sounddevice.Stream(
    device=sys.argv[3],
    samplerate=rate,
    channels=(heard.shape[1], play.shape[1]),
    blocksize=0,
    latency="high",
    dtype="float32",
    callback=both,
):
    print("ready", flush=True)
    sys.stdin.readline()
    going.set()
    done.wait(len(heard) / rate * 6 + 20)
soundfile.write(sys.argv[2], heard, rate, subtype="FLOAT")
