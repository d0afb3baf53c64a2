"""`Take`: a recording for a lesson, with the lesson's own judgement of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gui.i18n import tr
from realtime.control.listing import data_folder
from realtime.errors import AudioError
from realtime.gate.ideal import HOPS_PER_S, gate_of_levels, hop_levels, runs
from realtime.learn.demands import CLIPPED_MOST, CLIPPED_SAID, LEAST_MORE_S, LEAST_S
from realtime.learn.examples import MOST_S, Clip, read_clip

SideName = Literal["open", "closed"]

RATE: Final = 16_000  # Hz of the networks that learn
PEAKS_PER_S: Final = 100
GOOD_S: Final = 60.0  # seconds of sound on a side that teach well

_few = threading.BoundedSemaphore(2)  # recordings that are read at the same time


class Take(msgspec.Struct, frozen=True):
    """A recording.

    Attributes:
        path: its file.
        seconds: its length.
        usable: seconds with sound, from and to.
        peaks: lowest and highest sample of each hundredth of a second, float32 [n, 2].
        clipped: share of what is usable that is clipped.
        digest: of the samples.
        fault: why nothing of it can be used; empty if something can.
        origin: "file", "recorded", or the gate's mistake that it shows: "opened", "missed".
    """

    path: Path
    seconds: float = 0.0
    usable: tuple[tuple[float, float], ...] = ()
    peaks: NDArray[np.float32] = msgspec.field(
        default_factory=lambda: np.zeros((0, 2), np.float32)
    )
    clipped: float = 0.0
    digest: str = ""
    fault: str = ""
    origin: str = "file"

    @property
    def usable_s(self) -> float:
        """Seconds with sound."""
        return sum(b - a for a, b in self.usable)


def judge_take(path: Path, origin: str = "file") -> Take:
    """Read a recording as a lesson will, and say what can be used of it; takes its time."""
    try:
        with _few:
            clip = read_clip(path, RATE, MOST_S)
    except AudioError as e:
        why = str(e).removeprefix(f"{path}: ")
        return Take(path, fault=why[:1].upper() + why[1:], origin=origin)
    except Exception as e:  # a decoder may fail in its own ways
        return Take(path, fault=str(e) or type(e).__name__, origin=origin)
    silent = clip.active_s == 0.0
    return Take(
        path,
        clip.seconds,
        _usable(clip),
        peaks_of(clip.audio, RATE),
        clip.clipped,
        clip.digest,
        tr("Nothing is to be heard: is the microphone muted?") if silent else "",
        origin,
    )


def peaks_of(audio: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Lowest and highest sample of each hundredth of a second.

    Args:
        audio: float32 [samples].
        rate: Hz.

    Returns:
        float32 [hundredths, 2].
    """
    size = rate // PEAKS_PER_S
    count = -(-len(audio) // size)
    padded = np.zeros(count * size, np.float32)
    padded[: len(audio)] = audio
    rows = padded.reshape(count, size)
    return np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1) if count else rows[:, :2]


def advice(takes: Sequence[Take], side: SideName, least_s: float = LEAST_S) -> tuple[str, bool]:
    """What a side still needs, in plain words, and whether it must have that before a lesson.

    Args:
        takes: all of the side.
        side: which one.
        least_s: seconds that it must have; 0 if it may be empty.
    """
    usable = [t for t in takes if not t.fault]
    seconds = sum(t.usable_s for t in usable)
    if takes and not usable:
        return tr("Nothing here can be used: check the microphone, and record again."), True
    least_s = max(least_s, LEAST_MORE_S if usable else 0.0)
    if seconds < least_s:
        if side == "open":
            text = tr("Record the wanted sound by itself, at least {n:g} s of it.", n=least_s)
        else:
            text = tr("Record what must stay out, at least {n:g} s of it.", n=least_s)
        return text, True
    clipped = sum(t.clipped * t.usable_s for t in usable) / max(seconds, 1e-9)
    if clipped > CLIPPED_MOST:
        return tr("Most of it is clipped: turn the input down, and record again."), True
    if clipped > CLIPPED_SAID:
        return tr("Some of it is clipped: a lower input level would teach it better."), False
    if usable and seconds < GOOD_S / 3:
        return tr("It can learn from this; a minute is better."), False
    return "", False


def on_both(opens: Sequence[Take], closeds: Sequence[Take]) -> str:
    """What to say of a recording that is on both sides; empty if none is."""
    names = {t.digest: t.path.name for t in opens if not t.fault}
    for take in closeds:
        if not take.fault and take.digest in names:
            return tr(
                "{name} is on both sides: leave it out of one. Recordings with both sounds in "
                "them teach nothing.",
                name=take.path.name,
            )
    return ""


def new_take_path(side: SideName) -> Path:
    """A file for a recording that is not there yet."""
    folder = data_folder("takes")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1
    while True:
        path = folder / f"{'wanted' if side == 'open' else 'other'}-{number}.wav"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            number += 1
        else:
            return path


def cut_take(path: Path, target: Path, begin: float, end: float) -> str:
    """Write a part of a recording as one of its own; takes its time.

    Args:
        path: the recording.
        target: a file for the part.
        begin: its first second.
        end: its last one.

    Returns:
        Why that was not possible, in a sentence; then there is no file.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            file.seek(min(round(begin * file.samplerate), file.frames))
            audio = file.read(round((end - begin) * file.samplerate), always_2d=True)
            soundfile.write(target, audio, file.samplerate, subtype="PCM_24")
    except (soundfile.SoundFileError, OSError) as e:
        target.unlink(missing_ok=True)
        return tr("{name} cannot be cut: {why}.", name=path.name, why=e)
    return ""


def _usable(clip: Clip) -> tuple[tuple[float, float], ...]:
    """Where the ideal gate of the recording is open: what a lesson calls sound."""
    if clip.active_s == 0.0:
        return ()
    gate = gate_of_levels(hop_levels(clip.audio, RATE)[None])[0]
    return tuple((a / HOPS_PER_S, min(b / HOPS_PER_S, clip.seconds)) for a, b in runs(gate))


def sound_of(path: Path) -> tuple[NDArray[np.float32], int] | None:
    """A recording as it is played, and its rate; None if it cannot be read."""
    import soundfile

    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError):
        return None
    return audio.mean(axis=1), rate
