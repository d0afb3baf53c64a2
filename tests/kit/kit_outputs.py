"""What an engine tells its outputs."""

import msgspec
import numpy as np

from realtime.outputs import DeviceEvent, Dropped, Opening, Reading, Start, Stop

EVENTS = [
    Start(label="yes", t=12.3404, score=0.97049),
    Stop(label="yes", t=12.91, peak=0.99),
    DeviceEvent(state="lost", name="Mic", t=80.12),
    Dropped(t=91.0, frames=480),
]


def opening(source="a.wav", labels=("yes", "no"), **changes):
    """An input begins; the last label is the background."""
    made = Opening(
        source=source,
        model="kws",
        labels=labels,
        thresholds=np.full(len(labels), 0.5, np.float32),
        background=labels[-1:],
        rate=16_000,
        hop_s=0.1,
        live=False,
    )
    return msgspec.structs.replace(made, **changes)


def reading(t, scores=(0.25, 0.125), level=-20.0, audio=None):
    """A decision; without sound, of a tenth of a second of silence."""
    audio = np.zeros(1600, np.float32) if audio is None else audio
    return Reading(t=t, scores=np.asarray(scores, np.float32), level_db=level, audio=audio)
