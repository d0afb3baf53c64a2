"""The sound path without numba: the same decisions, with NumPy in place of loops over samples.

The Python callbacks of `streams.py` call `Path`. What decides in `kernels.py`, `openers.py` and
`joint.py` runs once in a block, and Python is quick enough for that: so it is written once, and
bound anew here to twins of those functions that touch every sample. The sound is the same to
the last bits of a float. It costs several times as much, and it needs the interpreter.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from realtime.duplex import flow, joint, kernels, openers, ramping
from realtime.duplex import layout as at
from realtime.duplex.joint_path import JointPath
from realtime.duplex.layout import Memory
from realtime.duplex.twins import bound, fade, get, put
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
        self._width = ints[at.WIDTH]
        self._ring, self._gain_ring = memory.ring, memory.gains[:, None]
        self._heard, self._key_channels = memory.heard, ints[at.KEY_CHANNELS]
        gains = memory.singles[at.GAINS : at.KEY].reshape(at.MOST_CHANNELS, at.CHUNK)
        self._gains = gains[: ints[at.GATES]]
        count = ints[at.SECTIONS]
        sections = memory.words[at.AT_SECTIONS : at.AT_SECTIONS + 5 * count].reshape(count, 5)
        self._filter = cascade(sections, self._key_channels, compiled=False)
        self._joint = JointPath(memory)
        apart = ints[at.KEY_KIND] == at.APART
        self._key_joint = JointPath(memory, at.OTHER) if apart else self._joint
        self._apart = apart
        gate = bound(ramping, detect=self._detect, run=self._run)
        self._flow = bound(
            flow,
            joint=self._key_joint.kernels,
            store=self._store,
            blend=self._blend,
            take_key=self._take_key,
            forget_key=lambda _words: self._filter.reset(),
            multiply=self._multiply,
            spread=self._spread,
        )
        opens = bound(openers, ramping=gate, flow=self._flow)
        own = {"ramping": gate, "flow": self._flow, "openers": opens}
        self._kernels = bound(kernels, **own, joint=self._joint.kernels)

    def play(self, x: Any, y: Any) -> None:
        """`kernels.play`: buffers of float32 [samples * width] and [samples * outputs]."""
        heard, out = np.frombuffer(x, np.float32), np.frombuffer(y, np.float32)
        if self._apart and not self._ints[at.STILL]:
            self._at(time.monotonic())
        self._kernels.play(self._ints, self._words, self._singles, heard, out)

    def take(self, x: Any, now: float) -> None:
        """`kernels.take`: a buffer of float32 [samples * width]."""
        heard = np.frombuffer(x, np.float32)
        self._at(now)
        self._kernels.take(self._ints, self._words, self._singles, heard, now)

    def pull(self, y: Any, now: float) -> None:
        """`joint.pull`: a buffer of float32 [samples * outputs]."""
        self._joint.pull(y, now)

    def _at(self, now: float) -> None:
        seconds, rest = divmod(now, 1.0)
        self._ints[at.NOW], self._ints[at.NOW + 1] = int(seconds), int(rest * 1e9)

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

    # --- twins of `flow` ------------------------------------------------------------------

    def _store(self, ints: Any, words: Any, singles: Any, x: Any, begin: int, n: int) -> None:
        rows = x[begin * self._width : (begin + n) * self._width].reshape(n, self._width)
        sound = np.ascontiguousarray(rows[:, : self._channels])
        energy = float(np.vdot(sound, sound))
        if not energy <= joint.LOUDEST:  # NaN too; or it is only loud
            bad = ~(np.abs(sound) <= joint.LOUDEST)
            ints[at.CLEANED] += int(bad.sum())
            sound = np.where(bad, np.float32(0.0), sound)
            energy = float(np.square(sound, dtype=np.float64).sum())
        words[at.IN_ENERGY] += energy / self._channels
        put(self._ring, ints[at.WRITTEN], sound)
        if ints[at.KEY_KIND] == at.BESIDE:
            key = rows[:, ints[at.KEY_FIRST] :][:, : self._key_channels]
            clean = np.where(np.abs(key) <= joint.LOUDEST, key, np.float32(0.0))
            put(self._heard, ints[at.WRITTEN], clean)
        elif self._apart:
            self._flow.store_apart(ints, words, singles, n)
        at.fence()
        ints[at.WRITTEN] += n

    def _blend(self, ints: Any, words: Any, singles: Any, n: int, way: float) -> None:
        side = singles[at.SIDE : at.SIDE + n * self._key_channels].reshape(n, -1)
        share = fade(words[at.SHARE], way / (flow.SHARE_S * ints[at.RATE]), n)[:, None]
        words[at.SHARE] = float(share[-1, 0])
        if share[0, 0] < 1.0 or share[-1, 0] < 1.0:
            own = get(self._ring, ints[at.WRITTEN], n).mean(axis=1, dtype=np.float64)
            side = (share * side + (1.0 - share) * own[:, None]).astype(np.float32)
        put(self._heard, ints[at.WRITTEN], side)

    def _take_key(self, ints: Any, _words: Any, _singles: Any, position: int, n: int) -> None:
        key = get(self._heard, position, n)
        if ints[at.SECTIONS]:
            key = self._filter.run(key)
        self._singles[at.KEY : at.KEY + key.size] = key.reshape(-1)

    def _multiply(self, ints: Any, words: Any, _singles: Any, position: int, n: int) -> None:
        step = 1.0 / (flow.FADE_S * ints[at.RATE])
        dry = fade(words[at.DRY], step if ints[at.BYPASS] else -step, n)
        trim = fade(words[at.TRIM], -step if ints[at.MUTE] else step, n)
        words[at.DRY], words[at.TRIM] = float(dry[-1]), float(trim[-1])
        gains: Any = self._gains[:, :n]
        if dry.any() or not trim.all() or trim[0] != 1.0:
            gains = (gains + (1.0 - gains.astype(np.float64)) * dry) * trim
        words[at.GAIN] = float(gains[-1, -1])
        put(self._gain_ring, position, gains.max(axis=0)[:, None])
        if ints[at.LISTEN]:
            key = self._singles[at.KEY : at.KEY + n * self._key_channels].reshape(n, -1)
            if self._key_channels != self._channels:
                key = key.mean(axis=1, dtype=np.float64, keepdims=True)
            sound: Any = np.broadcast_to(key, (n, self._channels)) * trim[:, None]
        else:
            sound = get(self._ring, position, n) * gains.T
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
        used = flow.FRONT if self._channels == 1 else self._channels
        out[:, :used] = sound[:, : self._outputs]
        out[:, used:] = 0.0
