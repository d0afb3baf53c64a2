"""A held-back part to listen to: what `rt-gate learn --audition` writes.

Used by `realtime.commands.learn`; the panel plays it before and after the gate.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import UsageError
from realtime.gate.ideal import HOPS_PER_S, runs
from realtime.learn.hearing import Heard
from realtime.learn.mixtures import BOTH, Mixture
from realtime.learn.sounds import faded, loudness
from realtime.outputs.audio import FileSink, Kind, container_of
from realtime.sources import is_raw

Audio = NDArray[np.float32]

COUNT: Final = 3  # mixtures
WANTED_DB: Final = -22.0  # a comfortable level, dBFS
WANTED_SHARE: Final = 0.4  # of the time that is open: both sides are heard
DB_FOR_SHARE: Final = 40.0  # being off by 0.1 counts as much as 4 dB


def audition(heard: Heard, rate: int) -> tuple[Audio, list[tuple[float, float]]]:
    """The mixtures that are best to listen to, one after the other.

    Args:
        heard: mixtures that judged, and taught nothing.
        rate: Hz.

    Returns:
        Sound, float32 [samples], and the seconds in which an ideal gate is open.
    """
    both = [m for m in heard.mixtures if m.kind == BOTH] or heard.mixtures

    def dislike(mixture: Mixture) -> float:
        off_db = abs(loudness(mixture.audio, rate) - WANTED_DB)
        return off_db + DB_FOR_SHARE * abs(float(mixture.gate.mean()) - WANTED_SHARE)

    chosen = sorted(both, key=dislike)[:COUNT]
    begin, spans = 0.0, []
    for mixture in chosen:
        seconds = len(mixture.audio) / rate
        for first, last in runs(mixture.gate):
            spans.append((begin + first / HOPS_PER_S, begin + min(last / HOPS_PER_S, seconds)))
        begin += seconds
    return np.concatenate([faded(m.audio, rate) for m in chosen]), spans


def open_audition(path: str, rate: int, frames: int = 0) -> FileSink:
    """The file to write it to, of the kind that its name says.

    Raises:
        UsageError: a name of no kind of sound file.
        OutputError: the file cannot be made, or its kind has no such rate.
    """
    if is_raw(path):
        raise UsageError(f"--audition {path} is no sound file", "use .wav or .flac")
    kind = Kind(rate, 1, "WAV", "FLOAT", frames)
    container, subtype = container_of(path, kind)
    return FileSink(path, msgspec.structs.replace(kind, container=container, subtype=subtype))


def write_audition(path: str, heard: Heard, rate: int) -> dict[str, object]:
    """Write it as a sound file; for the report: {"file", "open": [[start_s, stop_s], ...]}.

    Raises:
        UsageError, OutputError: as `open_audition`.
    """
    audio, spans = audition(heard, rate)
    sink = open_audition(path, rate, len(audio))
    try:
        sink.write(audio[:, None])
    except BaseException:
        sink.close(complete=False)
        raise
    sink.close(complete=True)
    return {"file": path, "open": [[round(a, 2), round(b, 2)] for a, b in spans]}
