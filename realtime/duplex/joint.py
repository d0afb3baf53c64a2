"""The joint: from the input's clock to an output that has a clock of its own.

Where input and output are one device there is one stream and no joint. Otherwise the input's
callback runs `take` and the output's runs `pull`. Both are compiled with `kernels.py`.

**The resampler** reads the gated sound at fractional places: a sinc of `TAPS` points under a
Kaiser window, tabulated at 512 phases with straight lines between them, cut off at half of the
lower rate (J. O. Smith, "Digital Audio Resampling Home Page", 2002). Two rates are a ratio, two
clocks are one that is slightly off.

**The clocks.** What counts is the reserve: the samples left after a pull. Its least value in a
second says how much of the delay is needed and how much only waits. Once a second the speed is
corrected so that this value comes to `RESERVE`; what of the correction stays is the difference
of the clocks. It is at most `FASTEST`, a thirtieth of a semitone; crystals differ by a tenth
of that.

**When that does not do** (a driver that stalls, a busy processor): with too little the output
fades out, waits for the reserve and fades in. With `MOST_S` too much it goes where it should
be, with a cross-fade over the pull. Both are counted as slips. One for want of sound raises the
reserve by a half, since this computer needs more; every second without lowers it by a
hundredth, so that the delay returns to what it was.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.duplex import kernels
from realtime.duplex import layout as at

FASTEST = 0.002
MOST_S = 0.1
LONGEST_S = 0.15  # the reserve grows no longer
FADE_S = 0.005
SOFTEST = 1e-9  # of a fade-out; then it is silence
POINTS = 24  # of the sinc on either side, where the input's rate is not the higher one


def take(ints: Any, words: Any, singles: Any, x: Any) -> None:
    """The input's callback: gate a block and put it into the joint.

    Args:
        ints: the memory as int64,
        words: as float64,
        singles: and as float32.
        x: the input, float32 [samples * channels].
    """
    frames = x.shape[0] // ints[at.CHANNELS]
    kernels.settle(ints, words)
    begin = 0
    while begin < frames:
        n = min(at.CHUNK, frames - begin)
        kernels.gate_chunk(ints, words, singles, x, begin, n)
        kernels.spread(ints, singles, singles, at.PASSING, n)
        append(ints, singles, n)
        at.fence()
        ints[at.PUSHED] += n
        begin += n
    ints[at.CALLS] += 1
    ints[at.LONGEST] = max(ints[at.LONGEST], frames)


def append(ints: Any, singles: Any, n: int) -> None:
    """PASSING to the end of what is in the joint."""
    outputs, capacity = ints[at.OUTPUTS], ints[at.CAPACITY_OUT]
    place = (ints[at.PUSHED] & (capacity - 1)) * outputs
    for i in range(n * outputs):
        singles[at.JOINT + place] = singles[at.PASSING + i]
        place += 1
        if place == capacity * outputs:
            place = 0


def pull(ints: Any, words: Any, singles: Any, y: Any) -> None:
    """The output's callback: take sound out of the joint.

    Args:
        ints: the memory as int64,
        words: as float64,
        singles: and as float32.
        y: the output at its own rate, float32 [samples * outputs], filled.
    """
    n = y.shape[0] // ints[at.OUTPUTS]
    ints[at.PULLS] += 1
    pushed = ints[at.PUSHED]
    at.fence()
    speed = words[at.RATIO] * (1.0 + words[at.SPEED])
    ahead = n * speed + ints[at.TAPS] // 2 + 1  # samples from the place that this pull needs
    words[at.RESERVE] = max(words[at.RESERVE], words[at.MARGIN])
    if not ints[at.FLOWING]:
        if pushed < ahead + words[at.RESERVE]:
            fade_out(ints, words, y, n)
            return
        words[at.FADE] = 0.0
        words[at.DELAY] = ahead + words[at.RESERVE]
        ints[at.FLOWING] = 1
        _go_to(ints, words, pushed - ahead - words[at.RESERVE])
    reserve = pushed - words[at.PLACE] - ahead
    if reserve < 0.0:
        ints[at.FLOWING] = 0
        ints[at.SLIPS] += 1
        words[at.RESERVE] = min(LONGEST_S * ints[at.RATE], 1.5 * words[at.RESERVE])
        fade_out(ints, words, y, n)
        return
    blend = reserve > words[at.RESERVE] + MOST_S * ints[at.RATE]
    resample(ints, words, singles, y, speed, False)
    if blend:
        ints[at.SLIPS] += 1
        _go_to(ints, words, pushed - ahead - words[at.RESERVE])
        resample(ints, words, singles, y, speed, True)
        reserve = words[at.RESERVE]
    fade_in(ints, words, y, n)
    words[at.DELAY] += 0.02 * (pushed - words[at.PLACE] - words[at.DELAY])
    words[at.PLACE] += n * speed
    _steer(ints, words, reserve, n * words[at.RATIO])


def make_table(ratio: float) -> tuple[int, NDArray[np.float32]]:
    """The resampler's taps.

    Args:
        ratio: of the input's rate to the output's.

    Returns:
        How many there are, and float32 [PHASES + 1, taps].
    """
    taps = min(at.MOST_TAPS, 2 * math.ceil(POINTS * max(1.0, ratio)))
    phases = np.linspace(0.0, 1.0, at.PHASES + 1)
    distance = np.arange(1 - taps // 2, taps // 2 + 1) - phases[:, np.newaxis]
    shape = np.sqrt(np.clip(1.0 - (distance / (taps / 2)) ** 2, 0.0, 1.0))
    table = np.sinc(distance / max(1.0, ratio)) * np.i0(8.0 * shape)
    return taps, (table / table.sum(axis=1, keepdims=True)).astype(np.float32)


def _go_to(ints: Any, words: Any, place: float) -> None:
    words[at.PLACE] = place
    words[at.LEAST] = 1e18
    ints[at.WATCHED] = 0


def _steer(ints: Any, words: Any, reserve: float, passed: float) -> None:
    """Judge the speed once a second, by the least reserve there was."""
    words[at.LEAST] = min(words[at.LEAST], reserve)
    ints[at.WATCHED] += int(passed)
    if ints[at.WATCHED] < ints[at.RATE]:
        return
    words[at.RESERVE] = max(words[at.MARGIN], 0.99 * words[at.RESERVE])
    excess = (words[at.LEAST] - words[at.RESERVE]) / ints[at.RATE]  # seconds, in a second
    words[at.DRIFT] = _limit(words[at.DRIFT] + 0.02 * excess)
    words[at.SPEED] = _limit(words[at.DRIFT] + 0.2 * excess)
    words[at.LEAST] = 1e18
    ints[at.WATCHED] = 0


def _limit(speed: float) -> float:
    return min(FASTEST, max(-FASTEST, speed))


def resample(ints: Any, words: Any, singles: Any, y: Any, speed: float, blend: bool) -> None:
    """Fill `y` from PLACE on; with `blend`, go over to it from what `y` holds."""
    outputs, taps, mask = ints[at.OUTPUTS], ints[at.TAPS], ints[at.CAPACITY_OUT] - 1
    n = y.shape[0] // outputs
    for i in range(n):
        instant = words[at.PLACE] + i * speed
        first = math.floor(instant)
        phase = (instant - first) * at.PHASES
        row = at.TABLE + int(phase) * taps
        rest = phase - int(phase)
        first += 1 - taps // 2
        for c in range(outputs):
            low = high = 0.0
            for t in range(taps):
                value = singles[at.JOINT + ((first + t) & mask) * outputs + c]
                low += singles[row + t] * value
                high += singles[row + taps + t] * value
            value = low + rest * (high - low)
            if blend:
                held = y[i * outputs + c]
                value = held + (i + 1) / n * (value - held)
            y[i * outputs + c] = value


def fade_in(ints: Any, words: Any, y: Any, n: int) -> None:
    """After a pause; and remember where a fade-out would begin."""
    outputs = ints[at.OUTPUTS]
    step = words[at.RATIO] / (FADE_S * ints[at.RATE])
    if words[at.FADE] < 1.0:
        for i in range(n):
            words[at.FADE] = min(1.0, words[at.FADE] + step)
            for c in range(outputs):
                y[i * outputs + c] *= words[at.FADE]
    for c in range(outputs):
        words[at.AT_LAST + c] = y[(n - 1) * outputs + c]


def fade_out(ints: Any, words: Any, y: Any, n: int) -> None:
    """There is no sound: let the last sample die away."""
    outputs = ints[at.OUTPUTS]
    decay = math.exp(-5.0 * words[at.RATIO] / (FADE_S * ints[at.RATE]))
    for c in range(outputs):
        value = words[at.AT_LAST + c]
        for i in range(n):
            value *= decay
            y[i * outputs + c] = value
        words[at.AT_LAST + c] = value if abs(value) > SOFTEST else 0.0
