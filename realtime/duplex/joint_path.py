"""`JointPath`: the joint without numba, with NumPy in place of loops over samples.

Used by `path.py`, which says how twins are bound, and by the key's process.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from realtime.duplex import joint
from realtime.duplex import layout as at
from realtime.duplex.layout import Memory
from realtime.duplex.twins import bound, fade, put


class JointPath:
    """One joint.

    Args:
        memory: shared with the parent, prepared.
        begin: word at which the part of the memory begins: 0, or `layout.OTHER`.

    Attributes:
        kernels: `joint`, bound to twins.
    """

    def __init__(self, memory: Memory, begin: int = 0) -> None:
        ints = memory.ints[begin:]
        array, singles = memory.words[begin:], memory.singles[2 * begin :]
        self._memory = ints, memory.floats[begin:], singles
        self._array, self._singles = array, singles
        self._outputs, self._width = ints[at.OUTPUTS], ints[at.WIDTH]
        capacity = ints[at.CAPACITY_OUT]
        room = singles[at.JOINT : at.JOINT + capacity * self._outputs]
        self._ring = room.reshape(capacity, self._outputs)
        self._taps = np.arange(1 - ints[at.TAPS] // 2, 1 + ints[at.TAPS] // 2)
        table = singles[at.TABLE : at.TABLE + (at.PHASES + 1) * ints[at.TAPS]]
        self._table = table.reshape(at.PHASES + 1, ints[at.TAPS])
        self.kernels = bound(
            joint,
            choose=self._choose,
            put=self._put,
            resample=self._resample,
            fade_in=self._fade_in,
            fade_out=self._fade_out,
        )

    def push(self, x: Any, now: float) -> None:
        """`joint.push`: a buffer of float32 [samples * width]."""
        self.kernels.push(*self._memory, np.frombuffer(x, np.float32), now)

    def pull(self, y: Any, now: float) -> None:
        """`joint.pull`: a buffer of float32 [samples * outputs]."""
        self.kernels.pull(*self._memory, np.frombuffer(y, np.float32), now)

    def _choose(self, ints: Any, singles: Any, x: Any, begin: int, n: int) -> None:
        first = ints[at.KEY_FIRST]
        rows = x.reshape(-1, self._width)[begin : begin + n, first : first + self._outputs]
        clean = np.where(np.abs(rows) <= joint.LOUDEST, rows, np.float32(0.0))
        singles[at.PASSING : at.PASSING + clean.size] = clean.reshape(-1)

    def _put(self, ints: Any, singles: Any, n: int) -> None:
        passing = singles[at.PASSING : at.PASSING + n * self._outputs]
        put(self._ring, ints[at.PUSHED], passing.reshape(n, self._outputs))

    def _resample(
        self, _ints: Any, words: Any, _singles: Any, y: Any, speed: float, blend: bool
    ) -> None:
        out = y.reshape(-1, self._outputs)
        n = len(out)
        instants = words[at.PLACE] + np.arange(n) * speed
        first = np.floor(instants)
        phase = (instants - first) * at.PHASES
        row = phase.astype(np.int64)
        rest = (phase - row)[:, None]
        taps = self._table[row] + rest * (self._table[row + 1] - self._table[row])
        places = (first.astype(np.int64)[:, None] + self._taps) & (len(self._ring) - 1)
        sound = np.einsum("nt,ntc->nc", taps, self._ring[places])
        if blend:
            share = np.arange(1, n + 1)[:, None] / n
            sound = out + share * (sound - out)
        out[:] = sound

    def _fade_in(self, ints: Any, words: Any, y: Any, n: int) -> None:
        step = words[at.RATIO] / (joint.FADE_S * ints[at.RATE])
        out = y.reshape(n, self._outputs)
        if words[at.FADE] < 1.0:
            ramp = fade(words[at.FADE], step, n)
            words[at.FADE] = float(ramp[-1])
            out *= ramp[:, None]
        self._array[at.AT_LAST : at.AT_LAST + self._outputs] = out[-1]

    def _fade_out(self, ints: Any, words: Any, y: Any, n: int) -> None:
        pace = -5.0 * words[at.RATIO] / (joint.FADE_S * ints[at.RATE])
        last = self._array[at.AT_LAST : at.AT_LAST + self._outputs]
        out = y.reshape(n, self._outputs)
        out[:] = np.exp(pace * np.arange(1, n + 1))[:, None] * last
        last[:] = np.where(np.abs(out[-1]) > joint.SOFTEST, out[-1], 0.0)
