"""The sound path without PortAudio: memory, and its three forms.

"numpy" is the form without numba. "plain" is the source of the compiled form, run by Python,
for short sounds. "numba" is the very callback that PortAudio gets; compiling it takes long, so
its tests are slow ones.
"""

import contextlib
import ctypes
import os

import numpy as np
import pytest

from realtime.duplex import joint, kernels, prepare
from realtime.duplex import layout as at
from realtime.duplex.joint_path import JointPath
from realtime.duplex.key import Key, prepare_joint
from realtime.duplex.path import Path
from realtime.duplex.process import Opened

CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int,
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64),
    *(ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p),
)


class Plain:
    def __init__(self, memory):
        self.memory = memory
        self.views = memory.words.view(np.int64), memory.words, memory.singles
        self.ints = memory.ints

    def play(self, x, y):
        kernels.play(*self.views, x, y)

    def take(self, x, now):
        clock(self.ints, now)
        kernels.take(*self.views, x, now)

    def pull(self, y, now):
        joint.pull(*self.views, y, now)

    def push(self, x, now):
        memory = self.memory
        words = memory.words[at.OTHER :]
        joint.push(words.view(np.int64), words, words.view(np.float32), x, now)

    def at(self, now):
        clock(self.ints, now)


def clock(ints, now):
    """What the clock is to say."""
    ints[at.STILL] = 1
    seconds, rest = divmod(now, 1.0)
    for place in (at.NOW, at.NOW + 2, at.OTHER + at.NOW):
        ints[place], ints[place + 1] = int(seconds), round(rest * 1e9)


class Numpy(Path):
    def __init__(self, memory):
        super().__init__(memory)
        self.memory, self.key = memory, None

    def push(self, x, now):
        self.key = self.key or JointPath(self.memory, at.OTHER)
        self.key.push(x, now)

    def at(self, now):
        clock(self.memory.ints, now)


class Compiled:
    def __init__(self, memory):
        from realtime.duplex import compiled

        self.words, self.ints = memory.words, memory.ints
        self.callback = lambda name: CALLBACK(compiled.callback(name))

    def play(self, x, y):
        self._call("duplex", x, y, len(x) // self.ints[at.WIDTH])

    def take(self, x, now):
        self.at(now)
        self._call("hear", x, None, len(x) // self.ints[at.WIDTH])

    def pull(self, y, now):
        self.at(now)
        self._call("give", None, y, len(y) // self.ints[at.OUTPUTS])

    def push(self, x, now):
        self.at(now)
        self.ints[at.OTHER + at.STILL] = 1
        self._call("key", x, None, len(x) // self.ints[at.OTHER + at.WIDTH])

    def at(self, now):
        clock(self.ints, now)

    def _call(self, name, x, y, frames):
        places = [None if a is None else a.ctypes.data for a in (x, y)]
        self.callback(name)(*places, frames, None, 0, self.words.ctypes.data)


FORMS = {"plain": Plain, "numpy": Numpy, "numba": Compiled}


class Rig:
    """A sound path, ready to run."""

    def __init__(self, form, settings, stack, **opened):
        whole = {"rate": 48_000, "rate_out": 48_000, "channels": 1, "outputs": 1}
        whole |= {"joined": True, "compiled": False}
        whole["width"] = opened.get("channels", 1)
        self.block, key = opened.pop("block", 128), opened.pop("key", Key())
        key_rate = opened.pop("key_rate", 48_000)
        self.opened = Opened(**(whole | opened))
        self.memory = at.Memory()
        stack.callback(self.memory.close)
        self.ints, self.floats = self.memory.ints, self.memory.floats
        self.wake = os.eventfd(0, os.EFD_NONBLOCK)
        stack.callback(os.close, self.wake)
        self.ints[at.WAKE] = self.wake
        prepare.prepare(self.memory, settings, self.opened, self.block, key=key)
        if key.kind == at.APART:
            self.ints[at.OTHER + at.WIDTH] = key.channels
            self.ints[at.KEYED] = 1
            prepare_joint(self.memory, key_rate, self.opened.rate, key.channels, at.OTHER)
        prepare.begin_at(self.memory, 0)
        self.path = FORMS[form](self.memory)

    def play(self, sound, blocks=128, before=lambda position: None):
        """Run mono or [n, channels] sound through; float32 [n, outputs].

        `blocks` is the length of each callback's block, or a function that gives it; `before`
        is called before each, with the position.
        """
        sound = np.asarray(sound, np.float32).reshape(len(sound), -1)
        out = np.zeros((len(sound), self.opened.outputs), np.float32)
        begin = 0
        while begin < len(sound):
            n = blocks if isinstance(blocks, int) else blocks()
            before(begin)
            x = np.ascontiguousarray(sound[begin : begin + n]).reshape(-1)
            y = np.zeros(len(sound[begin : begin + n]) * self.opened.outputs, np.float32)
            self.path.play(x, y)
            out[begin : begin + n] = y.reshape(-1, self.opened.outputs)
            begin += n
        return out

    def publish(self, position, is_open):
        """What a worker does with a turn."""
        number = self.ints[at.CHANGES]
        self.ints[at.AT_CHANGES + number % at.MOST_CHANGES] = position << 1 | is_open
        self.ints[at.CHANGES] = number + 1

    def notes(self):
        """Kind, position and what it is about, of every note."""
        found = []
        for number in range(self.ints[at.NOTES]):
            begin = at.AT_NOTES + number % at.MOST_NOTES * at.NOTE
            found.append(tuple(self.ints[begin + i] for i in (0, 1, 3)))
        return found


@pytest.fixture
def rig():
    """Makes rigs: form, settings, and what differs from mono at 48 kHz."""
    with contextlib.ExitStack() as stack:
        yield lambda form, settings, **opened: Rig(form, settings, stack, **opened)


def forms(*names):
    return [pytest.param(n, marks=pytest.mark.slow if n == "numba" else ()) for n in names]


def pytest_generate_tests(metafunc):
    """Tests that take `form` run in all three, those that take `fast_form` not in "plain"."""
    if "form" in metafunc.fixturenames:
        metafunc.parametrize("form", forms("plain", "numpy", "numba"))
    if "fast_form" in metafunc.fixturenames:
        metafunc.parametrize("fast_form", forms("numpy", "numba"))
