"""`Memory`: what the sound process and its parent share, a block of 8-byte words.

Every word has one writer, named below; the other side only reads it. A writer stores what a
counter announces, then the counter, with `fence` in between, and a reader reads them the
other way round. That is all the agreement there is, and nobody ever waits. The compiled sound
path (`kernels.py`) works on this very block, so its own state is here too.

Positions are samples since the start at the input's rate, lost ones included. The ring holds
the newest input: sample `p` is at `p % capacity`. Where another sound decides, a second ring
holds that, at the same places.

From OTHER on the block is there once more, for a key that is a device of its own: of this part
only the joint's words are used, by which the key comes from its clock to the input's.
"""

from __future__ import annotations

import mmap
import os
import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]  # [samples, channels]

# --- whole numbers: words 0 to 63 -----------------------------------------------------------
# by the parent, before the sound starts
RATE: Final = 0  # of the input, Hz
CHANNELS: Final = 1  # of the input
OUTPUTS: Final = 2  # channels of the output
CAPACITY: Final = 3  # samples in the ring, a power of two
SLACK: Final = 4  # samples that the output waits for thought: the block,
LOOKAHEAD: Final = 5  # and those of the look-ahead
LEVEL: Final = 6  # 1: the level gate alone, nobody thinks
GATES: Final = 7  # level gates: one, or one for each channel
LIMIT: Final = 8  # thought may be so many samples late
SECTIONS: Final = 9  # biquads of the key filter
CAPACITY_OUT: Final = 10  # samples in the joint, a power of two
TAPS: Final = 11  # of the joint's resampler
WIDTH: Final = 14  # channels of the input's stream, the first of which are gated
KEY_CHANNELS: Final = 15  # of the sound that decides
KEY_KIND: Final = 22  # where that comes from: OWN, BESIDE, APART
KEY_FIRST: Final = 23  # its first channel in its stream
HEARD: Final = 29  # place of its ring: RING or KEY_RING
STILL: Final = 13  # 1: nobody asks the clock, NOW is what a test says
ONE: Final = 12  # holds 1, which is what wakes the worker
# settings, by the parent at any time; an odd version is being written
VERSION: Final = 16
DUCK: Final = 17
HOLD: Final = 18  # samples
BYPASS: Final = 19
MUTE: Final = 20
LISTEN: Final = 21
KEYED: Final = 27  # 1: the key's device is there; otherwise the input decides
# by the worker
DECIDED: Final = 24  # it has decided up to here
CHANGES: Final = 25  # published so far
WANTED: Final = 26  # wake me when there are so many samples
# by the reader of the notes
NOTES_READ: Final = 28
# by the sound
WAKE: Final = 31  # descriptor of the eventfd that wakes the worker, in the sound process
WRITTEN: Final = 32  # samples heard
CALLS: Final = 33  # callbacks so far
OVERLOADED: Final = 34  # 1: thought is late and the level gate serves
OVERLOADS: Final = 35  # how often it was so,
OVERLOAD_SAMPLES: Final = 36  # and how long altogether
CALM: Final = 37  # samples in a row for which thought was in time again
TAKEN: Final = 38  # changes taken
WOKEN: Final = 39  # the last WANTED that was answered
NOTES: Final = 40  # written
NOTES_LOST: Final = 41
CLEANED: Final = 42  # samples that were NaN, infinite or absurd
OVERFLOWS: Final = 43  # times the driver said that it lost input,
UNDERFLOWS: Final = 44  # or had no output to play
OPEN: Final = 45  # what the key says of the sound that goes out
THOUGHT: Final = 46  # what the newest change in force said
WARM: Final = 47  # the level gate listens
LONGEST: Final = 48  # samples of the longest input block lately
APPLIED: Final = 49  # version of the settings in force
ACTIVE: Final = 50  # 1 while the streams run
PUSHED: Final = 51  # samples put into the joint
FLOWING: Final = 52  # 1 while the joint gives sound
SLIPS: Final = 53  # times it had too little or too much
WATCHED: Final = 54  # samples pulled since its speed was judged
SECONDS: Final = 57  # judged since the deepest dip was judged
LOOKS: Final = 58  # pulls since the speed was judged
NEWEST: Final = 59  # samples of the newest input block
TARDY: Final = 56  # changes that came too late for their place, in no overload
PULLS: Final = 55  # callbacks of an output with a clock of its own
INTS: Final = 64

# --- numbers: words 64 to 99 ----------------------------------------------------------------
# by the parent: settings, then what the joint is to do
ATTACK: Final = 64  # samples
RELEASE: Final = 65
FLOOR: Final = 66  # gain of the closed gate
OPENS: Final = 67  # amplitude at which the level gate opens,
CLOSES: Final = 68  # and under which it closes
RATIO: Final = 69  # of the input's rate to the output's
MARGIN: Final = 70  # samples that the joint keeps in reserve where all is well
# by the sound
IN_ENERGY: Final = 80  # sum of squares so far, mean of the channels
OUT_ENERGY: Final = 81
GAIN: Final = 82  # of the newest sample
DRY: Final = 83  # share of the bypass
TRIM: Final = 84  # 0 muted, to 1
PLACE: Final = 85  # of the next sample that the joint gives
SHARE: Final = 79  # of the key's device in what decides, 0 to 1
SPEED: Final = 86  # the joint's correction of RATIO
DRIFT: Final = 87  # the part of it that stands for the clocks' difference
LEAST: Final = 88  # least reserve since the speed was judged
DIP: Final = 89  # how far the reserve dips under its mean
DELAY: Final = 90  # samples by which the joint is later than one stream, smoothed
FADE: Final = 91  # of the joint's sound, 0 to 1
DEEPEST: Final = 93  # dip since that was judged
SUM: Final = 94  # of the reserves since the speed was judged
PUSHED_AT: Final = 95  # instant of the last block that went into the joint, seconds
BUSY: Final = 92  # processor seconds of the sound process since sound runs

# --- the sound's own numbers ----------------------------------------------------------------
MOST_CHANNELS: Final = 64
MOST_SECTIONS: Final = 4
MOST_CHANGES: Final = 256  # published and not yet taken
MOST_NOTES: Final = 256
NOTE: Final = 4  # words: kind, position, amplitude, what it is about
CHUNK: Final = 256  # samples that are worked on at once
PHASES: Final = 512  # of the joint's resampler
MOST_TAPS: Final = 2048
RING_FLOATS: Final = 1 << 22
JOINT_FLOATS: Final = 1 << 20

# of one gate: a ramp (a plan of three parts of five numbers at its end), then a detector
TARGET, AT, END, IS_OPEN, LENGTH_UP, LENGTH_DOWN, BOTTOM, INVERSE = range(8)
PLAN: Final = 8
PARTS: Final = 3
HIGH, LOW, HOLDS, LOUDEST, LOUD_NOW, QUIET, SAID = range(23, 30)
GATE: Final = 30

NOW: Final = 96  # to 99: what the clock answered the compiled callbacks

AT_GATES: Final = 100
AT_SECTIONS: Final = AT_GATES + MOST_CHANNELS * GATE
AT_STATE: Final = AT_SECTIONS + MOST_SECTIONS * 5  # of each channel's biquads
AT_CHANGES: Final = AT_STATE + MOST_SECTIONS * MOST_CHANNELS * 2  # position * 2 + open
AT_NOTES: Final = AT_CHANGES + MOST_CHANGES
AT_LAST: Final = AT_NOTES + MOST_NOTES * NOTE  # the joint's last sample of each channel
AT_SINGLES: Final = AT_LAST + MOST_CHANNELS

# --- float32, by their place in the block as float32 ----------------------------------------
GAINS: Final = AT_SINGLES * 2
KEY: Final = GAINS + MOST_CHANNELS * CHUNK
SOUND: Final = KEY + MOST_CHANNELS * CHUNK
PASSING: Final = SOUND + MOST_CHANNELS * CHUNK  # from the gate to the joint
SIDE: Final = PASSING + MOST_CHANNELS * CHUNK  # from the key's joint to its ring
TABLE: Final = SIDE + MOST_CHANNELS * CHUNK  # the resampler's taps
JOINT: Final = TABLE + (PHASES + 1) * MOST_TAPS
RING: Final = JOINT + JOINT_FLOATS
GAIN_RING: Final = RING + RING_FLOATS  # of what went out, by the place of its sound in RING
KEY_RING: Final = GAIN_RING + RING_FLOATS
OTHER: Final = (KEY_RING + RING_FLOATS) // 2  # words; and after them those of the key's joint
WORDS: Final = OTHER + RING // 2

# --- where the sound that decides comes from ------------------------------------------------
OWN: Final = 0  # it is the sound that is gated,
BESIDE: Final = 1  # other channels of the same stream,
APART: Final = 2  # or a device of its own

# --- kinds of note --------------------------------------------------------------------------
OPENED: Final = 1  # by thought; about the position of the decision
CLOSED: Final = 2
LOUD: Final = 3  # opened by level; at this amplitude
SOFT: Final = 4
LATE: Final = 5  # an overload begins
IN_TIME: Final = 6

_order = threading.Lock()


def fence() -> None:
    """Let what was stored before be seen before what is stored after.

    An atomic operation does that. x86 keeps the order of stores by itself, ARM does not.
    """
    with _order:
        pass


class Memory:
    """The block, mapped.

    Args:
        descriptor: of the memory; None makes it.

    Attributes:
        descriptor: to hand to the other process.
        ints: the block as whole numbers; single words are quick this way.
        floats: the block as numbers.
        words: the block as an array, float64.
        singles: the block as an array, float32.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            descriptor = os.memfd_create("rt-gate")
            os.ftruncate(descriptor, WORDS * 8)  # costs memory only where it is written
        self.descriptor = descriptor
        self.map = mmap.mmap(descriptor, WORDS * 8)
        self.ints = memoryview(self.map).cast("q")
        self.floats = memoryview(self.map).cast("d")
        self.words: NDArray[np.float64] = np.frombuffer(self.map, np.float64)
        self.singles: NDArray[np.float32] = self.words.view(np.float32)

    @property
    def ring(self) -> Audio:
        """The newest input, float32 [capacity, channels]."""
        capacity, channels = self.ints[CAPACITY], self.ints[CHANNELS]
        return self.singles[RING : RING + capacity * channels].reshape(capacity, channels)

    @property
    def heard(self) -> Audio:
        """The newest of the sound that decides, float32 [capacity, key channels]."""
        capacity, channels = self.ints[CAPACITY], self.ints[KEY_CHANNELS]
        begin = self.ints[HEARD]
        return self.singles[begin : begin + capacity * channels].reshape(capacity, channels)

    @property
    def gains(self) -> NDArray[np.float32]:
        """The gain that each sample of the ring went out with, float32 [capacity]."""
        return self.singles[GAIN_RING : GAIN_RING + self.ints[CAPACITY]]

    def close(self) -> None:
        """Give the descriptor back. The map goes with the last array that looks into it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
