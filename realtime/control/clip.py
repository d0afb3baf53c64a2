"""`save_clip`: the last seconds of what a gate heard, as a sound file. Used by `desk.py`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from realtime.control.listing import data_folder
from realtime.duplex.history import Audio
from realtime.errors import AudioError, OutputError, UsageError
from realtime.outputs.replace import Replacement, fault

LONGEST_S = 10.0
SUFFIX = ".wav"


def save_clip(sound: Audio, t0: float, rate: int, to: str | None) -> dict[str, Any]:
    """Write sound into a new file, 32-bit float.

    Args:
        sound: float32 [samples, channels].
        t0: the instant of its first sample, seconds of input.
        rate: Hz.
        to: the file, .wav; None makes one in the user's folder of clips.

    Returns:
        "path", the instants "t0" and "t1" of its first sample and after its last, "rate",
        "channels".

    Raises:
        AudioError: nothing was heard yet.
        UsageError: the path is no .wav, or there is a file of that name.
        OutputError: it cannot be written.
    """
    if not len(sound):
        raise AudioError("nothing was heard yet", "ask again in a second")
    path = _new() if to is None else _agreed(to)
    _write(path, sound, rate)
    return {
        "path": str(path),
        "t0": round(t0, 6),
        "t1": round(t0 + len(sound) / rate, 6),
        "rate": rate,
        "channels": sound.shape[1],
    }


def _write(path: Path, sound: Audio, rate: int) -> None:
    import soundfile

    output = Replacement(path)
    try:
        soundfile.write(
            output.temporary, np.ascontiguousarray(sound), rate, subtype="FLOAT", format="WAV"
        )
        output.commit()
    except OSError as e:
        output.discard()
        raise fault(path, e) from e
    except soundfile.SoundFileError as e:
        output.discard()
        raise OutputError(f"{path} cannot be written: {e}", "free some space") from e


def _new() -> Path:
    """A name that there is not yet."""
    folder = data_folder("clips")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise fault(folder, e) from e
    stem = time.strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        path = folder / f"{stem}{f'-{number}' if number > 1 else ''}{SUFFIX}"
        if not path.exists():
            return path
        number += 1


def _agreed(to: str) -> Path:
    path = Path(to).expanduser()
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"{to} is no name for a clip", f"end it in {SUFFIX}")
    if path.exists():
        raise UsageError(f"{to} is there already", "choose another name")
    return path
