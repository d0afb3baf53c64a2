"""The sound path without numba: the same decisions, with NumPy in place of loops over samples.

The Python callbacks of `sound.py` call `Path`. What decides in `kernels.py` and `joint.py` runs
once in a block, and Python is quick enough for that: so it is written once, and bound anew here
to twins of those functions that touch every sample. The sound is the same to the last bits of a
float. It costs several times as much, and it needs the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.duplex import joint, kernels, ramping
from realtime.duplex import layout as at
from realtime.duplex.layout import Audio, Memory
from realtime.gate import kernels as loops
from realtime.gate.cascade import cascade


class Path:
    """The sound path.

    Args:
        memory: shared with the parent, prepared.
    """

    def __init__(self, memory: Memory) -> None:
        ints = memory.ints
        self._ints, self._words, self._singles = ints, memory.floats, memory.singles
        self._array = memory.words
        self._channels, self._outputs = ints[at.CHANNELS], ints[at.OUTPUTS]
        self._ring, self._gain_ring = memory.ring, memory.gains[:, None]
        capacity = ints[at.CAPACITY_OUT]
        room = memory.singles[at.JOINT : at.JOINT + capacity * self._outputs]
        self._joint: Audio = room.reshape(capacity, self._outputs)
        gains = memory.singles[at.GAINS : at.KEY].reshape(at.MOST_CHANNELS, at.CHUNK)
        self._gains = gains[: ints[at.GATES]]
        self._taps = np.arange(1 - ints[at.TAPS] // 2, 1 + ints[at.TAPS] // 2)
        table = memory.singles[at.TABLE : at.TABLE + (at.PHASES + 1) * ints[at.TAPS]]
        self._table = table.reshape(at.PHASES + 1, ints[at.TAPS])
        count = ints[at.SECTIONS]
        sections = memory.words[at.AT_SECTIONS : at.AT_SECTIONS + 5 * count].reshape(count, 5)
        self._filter = cascade(sections, self._channels, compiled=False)
        gate = _bound(ramping, detect=self._detect, run=self._run)
        own = {
            "ramping": gate,
            "store": self._store,
            "take_key": self._take_key,
            "forget_key": lambda _words: self._filter.reset(),
            "multiply": self._multiply,
            "spread": self._spread,
        }
        self._kernels = _bound(kernels, **own)
        self._bridge = _bound(
            joint,
            kernels=self._kernels,
            append=self._append,
            resample=self._resample,
            fade_in=self._fade_in,
            fade_out=self._fade_out,
        )

    def play(self, x: Any, y: Any) -> None:
        """`kernels.play`: buffers of float32 [samples * channels] and [samples * outputs]."""
        heard, out = np.frombuffer(x, np.float32), np.frombuffer(y, np.float32)
        self._kernels.play(self._ints, self._words, self._singles, heard, out)

    def take(self, x: Any, now: float) -> None:
        """`joint.take`: a buffer of float32 [samples * channels]."""
        heard = np.frombuffer(x, np.float32)
        self._bridge.take(self._ints, self._words, self._singles, heard, now)

    def pull(self, y: Any, now: float) -> None:
        """`joint.pull`: a buffer of float32 [samples * outputs]."""
        out = np.frombuffer(y, np.float32)
        self._bridge.pull(self._ints, self._words, self._singles, out, now)

    # --- twins of `ramping` ---------------------------------------------------------------

    def _detect(
        self,
        words: Any,
        _singles: Any,
        gate: int,
        channels: int,
        channel: int,
        begin: int,
        n: int,
    ) -> int:
        key = self._singles[at.KEY + begin * channels : at.KEY + n * channels]
        key = key.reshape(-1, channels)
        if channel >= 0:
            key = key[:, channel : channel + 1]
        lines = np.zeros(3)
        lines[loops.OPENS], lines[loops.CLOSES] = words[gate + at.HIGH], words[gate + at.LOW]
        lines[loops.LOUDEST] = words[gate + at.LOUDEST]
        counts = np.zeros(4, np.int64)
        counts[loops.IS_OPEN] = words[gate + at.LOUD_NOW]
        counts[loops.QUIET], counts[loops.HOLD] = words[gate + at.QUIET], words[gate + at.HOLDS]
        offsets, levels = np.zeros(1, np.int64), np.zeros(1)
        found = loops.detect(key, lines, counts, offsets, levels)
        words[gate + at.LOUDEST] = float(lines[loops.LOUDEST])
        words[gate + at.LOUD_NOW] = float(counts[loops.IS_OPEN])
        words[gate + at.QUIET] = float(counts[loops.QUIET])
        if not found:
            return n
        words[gate + at.SAID] = float(levels[0])
        return begin + int(offsets[0])

    def _run(self, words: Any, _singles: Any, gate: int, out: int, n: int) -> None:
        now, target = words[gate + at.AT], words[gate + at.TARGET]
        gains = self._singles[out : out + n]
        if now >= words[gate + at.END]:
            gains[:] = target
            return
        plan = self._array[gate + at.PLAN : gate + at.PLAN + 5 * at.PARTS].reshape(-1, 5)
        loops.fill(gains, int(now), plan, target)
        words[gate + at.AT] = min(now + n, words[gate + at.END])

    # --- twins of `kernels` ---------------------------------------------------------------

    def _store(self, ints: Any, words: Any, _singles: Any, x: Any, begin: int, n: int) -> None:
        sound = x[begin * self._channels : (begin + n) * self._channels]
        energy = float(np.vdot(sound, sound))
        if not energy <= kernels.LOUDEST:  # NaN too; or it is only loud
            bad = ~(np.abs(sound) <= kernels.LOUDEST)
            ints[at.CLEANED] += int(bad.sum())
            sound = np.where(bad, np.float32(0.0), sound)
            energy = float(np.square(sound, dtype=np.float64).sum())
        words[at.IN_ENERGY] += energy / self._channels
        _put(self._ring, ints[at.WRITTEN], sound.reshape(-1, self._channels))
        at.fence()
        ints[at.WRITTEN] += n

    def _take_key(self, ints: Any, _words: Any, _singles: Any, position: int, n: int) -> None:
        key = _get(self._ring, position, n)
        if ints[at.SECTIONS]:
            key = self._filter.run(key)
        self._singles[at.KEY : at.KEY + key.size] = key.reshape(-1)

    def _multiply(self, ints: Any, words: Any, _singles: Any, position: int, n: int) -> None:
        step = 1.0 / (kernels.FADE_S * ints[at.RATE])
        dry = _fade(words[at.DRY], step if ints[at.BYPASS] else -step, n)
        trim = _fade(words[at.TRIM], -step if ints[at.MUTE] else step, n)
        words[at.DRY], words[at.TRIM] = float(dry[-1]), float(trim[-1])
        gains: Any = self._gains[:, :n]
        if dry.any() or not trim.all() or trim[0] != 1.0:
            gains = (gains + (1.0 - gains.astype(np.float64)) * dry) * trim
        words[at.GAIN] = float(gains[-1, -1])
        _put(self._gain_ring, position, gains.max(axis=0)[:, None])
        if ints[at.LISTEN]:
            key = self._singles[at.KEY : at.KEY + n * self._channels]
            sound: Any = key.reshape(n, self._channels) * trim[:, None]
        else:
            sound = _get(self._ring, position, n) * gains.T
        sound = sound.astype(np.float32, copy=False)
        words[at.OUT_ENERGY] += float(np.vdot(sound, sound)) / self._channels
        self._singles[at.SOUND : at.SOUND + sound.size] = sound.reshape(-1)

    def _spread(self, _ints: Any, _singles: Any, y: Any, begin: int, n: int) -> None:
        out = y[begin : begin + n * self._outputs].reshape(n, self._outputs)
        sound = self._singles[at.SOUND : at.SOUND + n * self._channels]
        sound = sound.reshape(n, self._channels)
        if self._outputs == 1:
            out[:, 0] = sound.sum(axis=1, dtype=np.float64) / self._channels
            return
        used = kernels.FRONT if self._channels == 1 else self._channels
        out[:, :used] = sound[:, : self._outputs]
        out[:, used:] = 0.0

    # --- twins of `joint` -----------------------------------------------------------------

    def _append(self, ints: Any, singles: Any, n: int) -> None:
        passing = singles[at.PASSING : at.PASSING + n * self._outputs]
        _put(self._joint, ints[at.PUSHED], passing.reshape(n, self._outputs))

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
        places = (first.astype(np.int64)[:, None] + self._taps) & (len(self._joint) - 1)
        sound = np.einsum("nt,ntc->nc", taps, self._joint[places])
        if blend:
            share = np.arange(1, n + 1)[:, None] / n
            sound = out + share * (sound - out)
        out[:] = sound

    def _fade_in(self, ints: Any, words: Any, y: Any, n: int) -> None:
        step = words[at.RATIO] / (joint.FADE_S * ints[at.RATE])
        out = y.reshape(n, self._outputs)
        if words[at.FADE] < 1.0:
            fade = _fade(words[at.FADE], step, n)
            words[at.FADE] = float(fade[-1])
            out *= fade[:, None]
        self._array[at.AT_LAST : at.AT_LAST + self._outputs] = out[-1]

    def _fade_out(self, ints: Any, words: Any, y: Any, n: int) -> None:
        pace = -5.0 * words[at.RATIO] / (joint.FADE_S * ints[at.RATE])
        last = self._array[at.AT_LAST : at.AT_LAST + self._outputs]
        out = y.reshape(n, self._outputs)
        out[:] = np.exp(pace * np.arange(1, n + 1))[:, None] * last
        last[:] = np.where(np.abs(out[-1]) > joint.SOFTEST, out[-1], 0.0)


def _bound(module: ModuleType, **twins: Callable[..., Any] | SimpleNamespace) -> Any:
    """A module's functions, bound anew so that they call twins where there are some."""
    own: dict[str, Any] = dict(vars(module))
    for name, function in vars(module).items():
        if isinstance(function, FunctionType) and function.__module__ == module.__name__:
            own[name] = FunctionType(function.__code__, own, name)
    own.update(twins)
    return SimpleNamespace(**own)


def _fade(value: float, step: float, n: int) -> NDArray[np.float64]:
    """The next `n` values on the way to 0 or 1."""
    return np.clip(value + step * np.arange(1, n + 1), 0.0, 1.0)


def _put(ring: Audio, position: int, audio: Audio) -> None:
    """Write into a ring whose length is a power of two."""
    begin = position & (len(ring) - 1)
    head = min(len(audio), len(ring) - begin)
    ring[begin : begin + head] = audio[:head]
    ring[: len(audio) - head] = audio[head:]


def _get(ring: Audio, position: int, n: int) -> Audio:
    """Read from it: a look into it, or a copy where it wraps."""
    begin = position & (len(ring) - 1)
    if begin + n <= len(ring):
        return ring[begin : begin + n]
    return np.concatenate([ring[begin:], ring[: begin + n - len(ring)]])
