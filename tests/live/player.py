"""Plays a float WAV to an output device once a line comes on stdin. Run by fixtures."""

import sys
import threading
import time

import sounddevice
import soundfile

sound, rate = soundfile.read(sys.argv[1], dtype="float32")
at, going, done = 0, threading.Event(), threading.Event()


def give(outdata, frames, _time, _status):
    global at
    outdata[:] = 0
    if not going.is_set():
        return
    part = sound[at : at + frames]
    outdata[: len(part), 0] = part
    at += len(part)
    if len(part) < frames:
        done.set()


with sounddevice.OutputStream(
    device=sys.argv[2],
    samplerate=rate,
    channels=1,
    blocksize=480,
    latency="high",
    dtype="float32",
    callback=give,
):
    sys.stdin.readline()
    going.set()
    whole = done.wait(300)  # a busy machine plays slower than real time
    time.sleep(0.3)  # what the driver still holds
sys.exit(not whole)
