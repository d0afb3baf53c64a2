"""rt-gate between real PortAudio streams: a JACK server, a player and recorder, the wires.

One process plays and records (`loop.py`), so what it recorded can be compared with what it
played, sample by sample. It hears itself on its first input, through a wire, and the gate on
the others: the difference is what the gate adds.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import soundfile

from realtime.duplex.live import LiveGate

RATE = 48_000
LOOP = Path(__file__).parent / "loop.py"
PATIENCE_S = 240  # the first start compiles the sound path, on a busy machine


def wait_for(ready, what, limit_s=30.0):
    until = time.monotonic() + limit_s
    while not (found := ready()):
        assert time.monotonic() < until, f"{what}: not within {limit_s:.0f} s"
        time.sleep(0.05)
    return found


def _live():
    """The conftest of the folder above, which no import finds."""
    path = LOOP.parents[1] / "conftest.py"
    place = importlib.util.spec_from_file_location("live_conftest", path)
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    claim = module.claim_name

    def claim_name():
        """Not a name under which a server runs that its tests left behind."""
        passed = []
        try:
            while True:
                name, lock = claim()
                if not _serves(name):
                    return name, lock
                passed.append(lock)
        finally:
            for lock in passed:
                lock.close()

    module.claim_name = claim_name
    return module


live = _live()


def _serves(name):
    """Whether somebody listens where a server of that name would; it may hang."""
    with socket.socket(socket.AF_UNIX) as ours:
        return not ours.connect_ex(f"/dev/shm/jack_{name}_{os.getuid()}_0")


class Jack(live.JackCard):
    """A JACK server with more channels: those of a gate, and those that hear it."""

    def __init__(self, room, period, channels):
        self.channels = channels
        super().__init__(room, period)

    def start(self):
        # -S: a late client delays the cycle instead of losing it; the dummy's clock paces it.
        # Now and then the server misses a new client, and waits ten times -t for it.
        command = (
            f"jackd --no-realtime -n {self.name} -S -t 1000 -d dummy -r {RATE} "
            f"-p {self.period} -C {self.channels} -P {self.channels}"
        )
        self._serve(command.split(), lambda: "system:capture_1" in self.ports())

    def clients(self):
        """Names of the clients that have ports, with those."""
        found = {}
        for port in self.ports():
            client, _, name = port.rpartition(":")
            if client != "system":
                found.setdefault(client, set()).add(name)
        return found

    def players(self):
        """Names of those that play; a key's client only hears."""
        return {name for name, ports in self.clients().items() if "out_0" in ports}

    def connect(self, out, into):
        subprocess.run(["jack_connect", out, into], check=True, capture_output=True)


class Gate:
    """An rt-gate that runs."""

    def __init__(self, program, *options):
        self.process = subprocess.Popen(
            [program, *options, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.events, self.log = [], ""
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def _read_log(self):
        for line in self.process.stderr:
            self.log += line

    def of(self, kind):
        return [e for e in self.events if e["event"] == kind]

    def wait_for(self, kind, limit_s=PATIENCE_S, **fields):
        def found():
            assert self.process.poll() is None, self.log
            return [e for e in self.of(kind) if fields.items() <= e.items()]

        return wait_for(found, f"{kind} {fields}", limit_s)[0]

    def stop(self):
        """Ctrl-C; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        status = self.process.wait(60)  # some draw a picture at the end
        for reader in self._readers:
            reader.join(5)
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()


class Bench:
    """A JACK server, one player and recorder, and gates."""

    def __init__(self, room, program, stack):
        self.room, self.program, self.stack = room, program, stack
        self.jack = None

    def serve(self, period=128, channels=4):
        self.jack = self.stack.enter_context(
            contextlib.closing(Jack(self.room, period, channels))
        )
        return self.jack

    def gate(self, *options, device="system"):
        """Start rt-gate and wait until sound runs; it, and the name of its client."""
        before = set(self.jack.clients())
        gate = self.stack.enter_context(
            contextlib.closing(Gate(self.program, "--device", device, *options))
        )
        gate.started = gate.wait_for("start")
        # one that plays elsewhere only hears, as a key's client does
        own = self.jack.clients if "--output-device" in options else self.jack.players
        (gate.client,) = wait_for(lambda: set(own()) - before, "its ports")
        return gate

    def live(self, *args, **kwargs):
        """Start a `LiveGate` in this process."""
        events = []
        before = set(self.jack.clients())
        gate = LiveGate(*args, device="system", on_event=events.append, **kwargs)
        self.stack.callback(gate.stop)
        started = gate.start()
        (client,) = wait_for(lambda: set(self.jack.clients()) - before, "its ports")
        return SimpleNamespace(
            live=gate, events=events, client=client, started=msgspec.to_builtins(started)
        )

    def pass_through(self, gate, sound, meanwhile=None):
        """Play to a gate; what was heard directly, and from the gate: float32 [n, outputs]."""
        outputs = gate.started["output_channels"]
        heard = self._loop(gate, sound, outputs, meanwhile)
        return heard[:, 0], heard[:, 1:]

    def play(self, gate, sound):
        """Play to a gate whose output is elsewhere."""
        self._loop(gate, sound, 0, None)

    def _loop(self, gate, sound, outputs, meanwhile):
        path, result = self.room / "play.wav", self.room / "heard.wav"
        soundfile.write(path, sound, RATE, subtype="FLOAT")
        before = set(self.jack.clients())
        command = [sys.executable, str(LOOP), str(path), str(result), "system"]
        with subprocess.Popen(
            [*command, str(1 + outputs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as loop:
            try:
                assert loop.stdout.readline() == "ready\n", loop.stderr.read()
                (me,) = set(self.jack.clients()) - before
                self._wire(me, gate, sound.shape[1], outputs)
                time.sleep(0.3)
                loop.stdin.write("go\n")
                loop.stdin.flush()
                if meanwhile is not None:
                    meanwhile()
                _, errors = loop.communicate(timeout=len(sound) / RATE * 6 + 60)
            finally:
                loop.kill()
        assert loop.returncode == 0, errors
        return soundfile.read(result, dtype="float32", always_2d=True)[0]

    def _wire(self, me, gate, width, outputs):
        self.jack.connect(f"{me}:out_0", f"{me}:in_0")
        inputs = [p for p in self.jack.clients()[gate.client] if p.startswith("in_")]
        for c in range(len(inputs)):
            self.jack.connect(f"{me}:out_{min(c, width - 1)}", f"{gate.client}:in_{c}")
        for c in range(outputs):
            self.jack.connect(f"{gate.client}:out_{c}", f"{me}:in_{1 + c}")


def delay_of(direct, gated, at, n=512):
    """By how many samples `gated` is later than `direct`, where both hold the same noise."""
    (first,) = np.flatnonzero(direct)[:1]
    piece = direct[first + at : first + at + n]
    for shift in range(len(gated) - first - at - n):
        found = gated[first + at + shift : first + at + shift + n]
        if found[0] == piece[0] and np.array_equal(found, piece):
            return shift
    raise AssertionError("what was played is not in what was heard")


def noise(seconds, channels=1, seed=0, level=0.3):
    """Noise without a zero, after a little silence; float32 [n, channels]."""
    rng = np.random.default_rng(seed)
    sound = rng.uniform(0.05, 1, (int(seconds * RATE), channels)).astype(np.float32) * level
    sound[::2] *= -1
    return np.concatenate([np.zeros((RATE // 10, channels), np.float32), sound])


@pytest.fixture(scope="session")
def rt_gate():
    path = shutil.which("rt-gate", path=sysconfig.get_path("scripts"))
    if path is None:
        pytest.skip("rt-gate is not installed beside this Python: pip install -e .")
    return path


@pytest.fixture
def gates(no_card, rt_gate):
    """Starts gates and waits until their sound runs."""
    with contextlib.ExitStack() as stack:

        def start(*options):
            gate = stack.enter_context(contextlib.closing(Gate(rt_gate, *options)))
            gate.started = gate.wait_for("start")
            return gate

        yield start


@pytest.fixture
def bench(no_card, rt_gate):
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed: apt-get install jackd2")
    with contextlib.ExitStack() as stack:
        yield Bench(no_card, rt_gate, stack)


@pytest.fixture(scope="session")
def sounds():
    """Functions of this file, for tests, which cannot import from here."""

    class Sounds:
        rate = RATE

    Sounds.wait_for = staticmethod(wait_for)
    Sounds.noise = staticmethod(noise)
    Sounds.delay_of = staticmethod(delay_of)
    return Sounds
