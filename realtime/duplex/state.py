"""`LiveState`: how a live gate is, read out of shared memory by `Meters`."""

from __future__ import annotations

import math
import threading
import time

import msgspec

from realtime.duplex import layout as at
from realtime.duplex.layout import Memory
from realtime.duplex.prepare import latency_ms
from realtime.gate.ramp import SILENCE_DB
from realtime.gate.settings import GateSettings

SHORTEST_S = 0.03  # over which a level is taken


class LiveState(msgspec.Struct, frozen=True):
    """How a live gate is.

    Args:
        running: whether sound runs; not while a device is lost.
        t: seconds of input since the start.
        heard: samples of input since the start, lost ones included.
        decided: the input before this sample has been decided on.
        input_db: level of the input since the last state, dBFS.
        output_db: likewise of the output.
        score: the newest; None for the level gate.
        threshold: score, or level in dBFS, at which it opens.
        gain_db: of the newest sample that went out.
        open: whether the gate is.
        bypass: everything goes through.
        mute: nothing does.
        overloaded: decisions are late and the level gate serves.
        openings: so far.
        overloads: how often decisions were late.
        overload_s: for how many seconds altogether.
        late_ms: how far decisions are behind the sound.
        tardy: openings and closings that came later than their place in the sound.
        dropped: samples lost while a device was away.
        skipped: samples on which nothing was decided.
        cleaned: samples that were NaN, infinite or absurd.
        overflows: times the driver said that it lost input.
        underflows: times it said that it had nothing to play.
        slips: times the joint of two clocks had too little sound or too much.
        latency_ms: milliseconds that the gate adds now.
        drift_ppm: how much faster the input's clock runs than the output's, in millionths.
        sound_cpu_s: processor seconds of the sound process since sound runs.
    """

    running: bool
    t: float
    heard: int
    decided: int
    input_db: float
    output_db: float
    score: float | None
    threshold: float
    gain_db: float
    open: bool
    bypass: bool
    mute: bool
    overloaded: bool
    openings: int
    overloads: int
    overload_s: float
    late_ms: float
    tardy: int
    dropped: int
    skipped: int
    cleaned: int
    overflows: int
    underflows: int
    slips: int
    latency_ms: float
    drift_ppm: float
    sound_cpu_s: float


class Meters:
    """Reads shared memory.

    Args:
        memory: shared with the sound process, prepared.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._looked = 0.0
        self._before = (0, 0.0, 0.0)  # samples, energies
        self._levels = (SILENCE_DB, SILENCE_DB)

    def state(
        self,
        settings: GateSettings,
        *,
        score: float | None,
        skipped: int,
        dropped: int,
        openings: int,
        running: bool,
        joined: bool,
    ) -> LiveState:
        """The state; what shared memory does not know is given."""
        ints, floats = self._memory.ints, self._memory.floats
        rate, heard, decided = ints[at.RATE], ints[at.WRITTEN], ints[at.DECIDED]
        input_db, output_db = self._look()
        return LiveState(
            running=running,
            t=heard / rate,
            heard=heard,
            decided=heard if settings.level else decided,
            input_db=input_db,
            output_db=output_db,
            score=score,
            threshold=settings.threshold_db if settings.level else settings.threshold,
            gain_db=decibels(floats[at.GAIN] ** 2),
            open=bool(ints[at.OPEN]),
            bypass=bool(ints[at.BYPASS]),
            mute=bool(ints[at.MUTE]),
            overloaded=bool(ints[at.OVERLOADED]),
            openings=openings,
            overloads=ints[at.OVERLOADS],
            overload_s=ints[at.OVERLOAD_SAMPLES] / rate,
            late_ms=0.0 if settings.level else 1000.0 * (heard - decided) / rate,
            tardy=ints[at.TARDY],
            dropped=dropped,
            skipped=skipped,
            cleaned=ints[at.CLEANED],
            overflows=ints[at.OVERFLOWS],
            underflows=ints[at.UNDERFLOWS],
            slips=ints[at.SLIPS],
            latency_ms=latency_ms(self._memory, joined),
            drift_ppm=0.0 if joined else 1e6 * floats[at.DRIFT],
            sound_cpu_s=floats[at.BUSY],
        )

    def _look(self) -> tuple[float, float]:
        """Levels of input and output since the last look."""
        ints, floats = self._memory.ints, self._memory.floats
        with self._lock:
            now = time.monotonic()
            if now - self._looked >= SHORTEST_S:
                self._looked = now
                after = (ints[at.WRITTEN], floats[at.IN_ENERGY], floats[at.OUT_ENERGY])
                n = after[0] - self._before[0]
                if n > 0:
                    self._levels = (
                        decibels((after[1] - self._before[1]) / n),
                        decibels((after[2] - self._before[2]) / n),
                    )
                self._before = after
            return self._levels


def decibels(power: float) -> float:
    """A mean square as dBFS, with a floor."""
    return max(SILENCE_DB, 10.0 * math.log10(power)) if power > 0.0 else SILENCE_DB
