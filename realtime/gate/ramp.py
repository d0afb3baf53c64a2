"""From openings to a gain for every sample, `Ramp`, and the look-ahead line, `Delay`.

Used by the gate's stream and by the live audio process, inside the sound callback: nothing here
locks or logs.

**The shape.** The gain moves like a car between two stops: it speeds up at a constant rate and
brakes at the same rate, so over a whole attack it is one parabola and then its mirror image, an
S much like a raised cosine, in linear gain. For a ramp of T samples its slope is bounded by 2/T
and changes by at most 4/T² a sample, in a change of direction too: there the gain first brakes
at the rate at which it was moving, then turns. So it never jumps and never has a kink. A ramp
of part of the way takes the square root of that part of the time.

**Any partition.** What is to come is laid out as a plan at each change: at most three parabolas
in the time since that change. A sample's gain depends on its distance from the change only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.gate import kernels

Audio = NDArray[np.float32]  # [samples, channels]
Gains = NDArray[np.float32]  # [samples], linear

RAMP_MIN_MS: Final = 1.0  # a shorter attack or release is heard as a click
SILENCE_DB: Final = -120.0  # a range down to here, or beyond, is silence


class Ramp:
    """The gain of one gate.

    `open` is what the key says. Without `duck` the gain goes to 1 when the key opens and to
    the range when it closes; with `duck` it is the other way round. The attack is the way
    there when the key opens, the release the way back.

    The settings `attack_ms`, `release_ms`, `range_db` and `duck` can be set at any time, from
    any thread; the next block starts with them, without a click.

    Args:
        rate: sampling rate, Hz.
        attack_ms: the whole way on opening; at least `RAMP_MIN_MS` is used.
        release_ms: the whole way on closing; likewise.
        range_db: gain of a closed gate, 0 or less; `SILENCE_DB` or less is silence.
        duck: inverse.
        compiled: use the numba kernels if numba is installed.

    Attributes:
        open: what the key said last.
    """

    def __init__(
        self,
        rate: int,
        attack_ms: float,
        release_ms: float,
        range_db: float,
        duck: bool = False,
        compiled: bool = True,
    ) -> None:
        if rate < 1:
            raise ValueError(f"a rate of {rate} Hz")
        self._rate = rate
        self._fill = kernels.load(compiled).fill
        self._plan = np.zeros((kernels.PARTS, 5))
        self._stale = False
        self.open = False
        self.attack_ms = attack_ms
        self.release_ms = release_ms
        self.range_db = range_db
        self.duck = duck
        self.reset()

    @property
    def attack_ms(self) -> float:
        """Milliseconds of the whole way when the key opens."""
        return self._attack_ms

    @attack_ms.setter
    def attack_ms(self, ms: float) -> None:
        self._attack = self._samples(ms)
        self._attack_ms = ms
        self._stale = True

    @property
    def release_ms(self) -> float:
        """Milliseconds of the whole way when the key closes."""
        return self._release_ms

    @release_ms.setter
    def release_ms(self, ms: float) -> None:
        self._release = self._samples(ms)
        self._release_ms = ms
        self._stale = True

    @property
    def range_db(self) -> float:
        """Gain of a closed gate, dB."""
        return self._range_db

    @range_db.setter
    def range_db(self, db: float) -> None:
        if not db <= 0.0:
            raise ValueError(f"a range of {db} dB, expected 0 or less")
        self._floor = 10.0 ** (db / 20.0) if db > SILENCE_DB else 0.0
        self._range_db = db
        self._stale = True

    @property
    def duck(self) -> bool:
        """Whether the gain is down while the key is open."""
        return self._duck

    @duck.setter
    def duck(self, duck: bool) -> None:
        self._duck = duck
        self._stale = True

    @property
    def gain(self) -> float:
        """Linear gain of the last sample given."""
        return self._state()[0]

    def reset(self, open: bool = False) -> None:  # noqa: A002 - the word of a gate
        """Start anew, at rest, as if the key had been `open` for long."""
        self.open = open
        self._stale = False
        self._target = self._aim()
        self._parts = 0
        self._at = 0  # samples given since the plan was laid
        self._end = 0  # of the plan, samples, rounded up

    def process(self, n: int, changes: Sequence[tuple[int, bool]] = ()) -> Gains:
        """Gains of the next block.

        Args:
            n: samples of the block, 0 too.
            changes: in order, the first sample for which it holds and whether the key is open.

        Returns:
            float32 [n], linear; exactly 1 when the ramp has arrived there.

        Raises:
            ValueError: an offset is outside the block or before the last one.
        """
        if self._stale:
            self._lay_plan()
        out: Gains = np.empty(n, np.float32)
        begin = 0
        for offset, is_open in changes:
            if not begin <= offset < n:
                raise ValueError(f"a change at {offset}, in a block of {n}, after {begin}")
            if is_open != self.open:
                self._run(out[begin:offset])
                begin = offset
                self.open = is_open
                self._lay_plan()
        self._run(out[begin:] if begin else out)
        return out

    def _samples(self, ms: float) -> float:
        if not 0.0 <= ms < math.inf:
            raise ValueError(f"a ramp of {ms} ms, expected 0 or more")
        return max(ms, RAMP_MIN_MS) * self._rate / 1000.0

    def _aim(self) -> float:
        return 1.0 if self.open != self._duck else self._floor

    def _run(self, out: Gains) -> None:
        """Fill in the next gains and move on."""
        if self._at >= self._end:
            out.fill(self._target)
            return
        self._fill(out, self._at, self._plan, self._target)
        self._at = min(self._at + len(out), self._end)

    def _state(self) -> tuple[float, float, float]:
        """Gain, slope and size of the acceleration at the last sample given."""
        if self._at >= self._end:
            return self._target, 0.0, 0.0
        for until, anchor, gain, slope, half in self._plan[: self._parts].tolist():
            if self._at <= until:
                d = self._at - anchor
                return gain + d * (slope + d * half), slope + 2.0 * d * half, 2.0 * abs(half)
        return self._target, 0.0, 0.0

    def _lay_plan(self) -> None:
        """Lay out the way from the present gain and slope to where it should go.

        Each part of the plan: the time it ends, the time of its anchor, gain and slope there,
        half of the acceleration. A part that arrives is anchored at its end, where the gain
        is the target to the bit.
        """
        self._stale = False
        gain, slope, brake = self._state()
        target = self._aim()
        parts: list[tuple[float, float, float, float, float]] = []
        time = 0.0
        rate = self._acceleration(gain, target)
        sign = math.copysign(1.0, slope)
        way = (target - gain) * sign  # what is left, in the direction of the motion
        needed = slope * slope / (2.0 * way) if way > 0.0 else math.inf
        if slope and needed > rate:
            if needed <= brake * (1.0 + 1e-9):  # just in time with the brake it has
                time = 2.0 * way / abs(slope)
                gain = target
            else:  # stop, and come back
                time = abs(slope) / brake
                gain = min(1.0, max(0.0, gain + 0.5 * slope * time))
                needed = brake
            parts.append((time, time, gain, 0.0, -0.5 * sign * needed))
            slope = 0.0
            rate = self._acceleration(gain, target)
        if gain != target:
            way = abs(target - gain)
            step = math.copysign(0.5 * rate, target - gain)
            fastest = math.sqrt(rate * way + 0.5 * slope * slope)
            middle = time + (fastest - abs(slope)) / rate
            arrival = middle + fastest / rate
            parts.append((middle, time, gain, slope, step))
            parts.append((arrival, arrival, target, 0.0, -step))
            time = arrival
        self._parts = len(parts)
        self._plan[:, 0] = -1.0  # over before it began
        if parts:
            self._plan[: len(parts)] = parts
        self._target = target
        self._at = 0
        self._end = math.ceil(time)

    def _acceleration(self, gain: float, target: float) -> float:
        """Of a ramp from rest to the target, in gain a sample, a sample."""
        length = self._attack if (target > gain) != self._duck else self._release
        return 4.0 * max(1.0 - self._floor, abs(target - gain)) / (length * length)


class Delay:
    """A line that gives each sample a fixed number of samples later; before the first, silence.

    Args:
        samples: the delay, 0 or more.
        channels: channels of the blocks.

    Attributes:
        samples: the same.
    """

    def __init__(self, samples: int, channels: int) -> None:
        if samples < 0 or channels < 1:
            raise ValueError(f"a delay of {samples} samples, {channels} channels")
        self.samples = samples
        self._line: Audio = np.zeros((samples, channels), np.float32)
        self._at = 0  # the oldest sample, the next to give

    def process(self, block: Audio) -> Audio:
        """Take a block, give one as long, a copy.

        Args:
            block: float32 [n, channels]; any n.
        """
        n, line, at = len(block), self._line, self._at
        if block.shape[1:] != line.shape[1:]:
            raise ValueError(f"a block has shape {block.shape}, expected (n, {line.shape[1]})")
        out: Audio = np.empty((n, line.shape[1]), np.float32)
        held = self.samples
        if n >= held:
            tail = held - at
            out[:tail] = line[at:]
            out[tail:held] = line[:at]
            out[held:] = block[: n - held]
            line[:] = block[n - held :]
            self._at = 0
            return out
        tail = min(n, held - at)
        out[:tail] = line[at : at + tail]
        line[at : at + tail] = block[:tail]
        if tail < n:
            out[tail:] = line[: n - tail]
            line[: n - tail] = block[tail:]
        self._at = (at + n) % held
        return out

    def flush(self) -> Audio:
        """The samples still inside, float32 [samples, channels]; then `reset`."""
        rest = np.concatenate([self._line[self._at :], self._line[: self._at]])
        self.reset()
        return rest

    def reset(self) -> None:
        """Silence again."""
        self._line[:] = 0.0
        self._at = 0
