"""From settings to numbers in shared memory. Used by `live.py`.

Levels become amplitudes here and times samples, so that the sound path knows of neither.
"""

from __future__ import annotations

import numpy as np

from realtime.duplex import kernels
from realtime.duplex import layout as at
from realtime.duplex.key import Key, power, prepare_joint
from realtime.duplex.layout import Memory
from realtime.duplex.process import Opened
from realtime.gate.key import KeyFilter
from realtime.gate.level import HOLD_MIN_MS
from realtime.gate.ramp import RAMP_MIN_MS, SILENCE_DB
from realtime.gate.settings import GateSettings

LATE_S = 0.1  # decisions this late are worse than the level gate's
KEPT_S = 2.0  # seconds of input in the ring
FALLBACK_HOLD_MS = 100.0  # a network needs no hold, the level gate that stands in for it does
NEVER = 1 << 62
OWN_KEY = Key()


def prepare(
    memory: Memory,
    settings: GateSettings,
    opened: Opened,
    block: int,
    kept_s: float = KEPT_S,
    key: Key = OWN_KEY,
) -> None:
    """Write down what the sound path needs to know before it starts.

    Args:
        memory: the memory.
        settings: the gate's.
        opened: what the sound runs on.
        block: samples that the output waits for thought.
        kept_s: seconds of input in the ring, or as many as there is room for.
        key: where the sound that decides comes from.
    """
    ints, floats, rate = memory.ints, memory.floats, opened.rate
    ints[at.RATE], ints[at.CHANNELS], ints[at.OUTPUTS] = rate, opened.channels, opened.outputs
    ints[at.WIDTH] = opened.width
    ints[at.KEY_KIND], ints[at.KEY_FIRST] = key.kind, key.first
    heard = ints[at.KEY_CHANNELS] = key.channels or opened.channels
    ints[at.HEARD] = at.RING if key.kind == at.OWN else at.KEY_RING
    ints[at.CAPACITY] = power(kept_s * rate, at.RING_FLOATS // max(opened.channels, heard))
    ints[at.SLACK], ints[at.LOOKAHEAD] = block, settings.lookahead(rate)
    ints[at.LEVEL] = settings.level
    linked = settings.link or opened.channels == 1 or not settings.level
    ints[at.GATES] = 1 if linked else opened.channels
    ints[at.LIMIT] = max(round(LATE_S * rate), 4 * block + rate // 100)
    ints[at.ONE] = 1
    sections = KeyFilter(
        rate,
        heard,
        settings.key_highpass,
        settings.key_lowpass,
        settings.key_slope,
        compiled=False,
    ).sections
    ints[at.SECTIONS] = len(sections)
    memory.words[at.AT_SECTIONS : at.AT_SECTIONS + sections.size] = sections.ravel()
    ints[at.WANTED] = NEVER
    prepare_joint(memory, rate, opened.rate_out, opened.outputs)
    floats[at.TRIM] = 1.0
    adjust(memory, settings)


def adjust(memory: Memory, settings: GateSettings, **switches: bool) -> None:
    """Write down settings that may change while sound runs; the next block takes them all.

    Args:
        memory: the memory.
        settings: the gate's.
        switches: `bypass`, `mute`.
    """
    ints, floats, rate = memory.ints, memory.floats, memory.ints[at.RATE]
    ints[at.VERSION] += 1
    at.fence()
    floats[at.ATTACK] = max(settings.attack_ms, RAMP_MIN_MS) * rate / 1000.0
    floats[at.RELEASE] = max(settings.release_ms, RAMP_MIN_MS) * rate / 1000.0
    silent = settings.range_db <= SILENCE_DB
    floats[at.FLOOR] = 0.0 if silent else 10.0 ** (settings.range_db / 20.0)
    # rounded as `LevelGate` rounds them, so that 0 dB is reached by 1 and by no less
    opens = np.float32(10.0 ** (settings.threshold_db / 20.0))
    floats[at.OPENS] = float(opens)
    floats[at.CLOSES] = float(min(opens, np.float32(10.0 ** (settings.close_db / 20.0))))
    hold_ms = max(settings.hold_ms, HOLD_MIN_MS if settings.level else FALLBACK_HOLD_MS)
    ints[at.HOLD] = round(hold_ms * rate / 1000.0)
    ints[at.DUCK], ints[at.LISTEN] = settings.duck, settings.listen
    if "bypass" in switches:
        ints[at.BYPASS] = switches["bypass"]
    if "mute" in switches:
        ints[at.MUTE] = switches["mute"]
    at.fence()
    ints[at.VERSION] += 1


def begin_at(memory: Memory, position: int) -> None:
    """Set everything to a start at an input position, after silence; no sound runs.

    Args:
        memory: the memory, prepared.
        position: samples since the first start.
    """
    ints = memory.ints
    memory.ring[:] = 0.0
    memory.heard[:] = 0.0
    ints[at.WRITTEN] = ints[at.DECIDED] = position
    ints[at.TAKEN] = ints[at.CHANGES]
    ints[at.WANTED] = NEVER
    for part in (0, at.OTHER):
        memory.floats[part + at.PLACE] = ints[part + at.PUSHED]
        ints[part + at.FLOWING] = 0
    kernels.rest(memory.words.view(np.int64), memory.words)


def latency_ms(memory: Memory, joined: bool) -> float:
    """What the gate adds; where two clocks meet, once the joint gives sound."""
    ints = memory.ints
    samples = float(ints[at.SLACK] + ints[at.LOOKAHEAD])
    if not joined:
        samples += memory.floats[at.DELAY]
    return 1000.0 * samples / ints[at.RATE]
