"""`WavSource`: a sound file of any kind libsndfile reads, streamed in blocks.

Opened by `open_source`. WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, CAF, AU, W64 and the rest,
any rate and channel count, 16, 24 or 32 bits or float: all come out as float32. NaN and Inf
pass through: the engine replaces and counts them. Memory does not grow with the length of the
file.

What odd files do:

- A file without a single sample is an error: "no events" would read as if something was heard.
- A file that breaks in the middle gives what can be decoded, then raises with the second of
  the break.
- A header that announces more than the file holds (a copy cut short, a recorder that lost
  power) gives what is there, with a warning.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from realtime.errors import AudioError, FormatError
from realtime.features import HIGHEST_RATE, LOWEST_RATE
from realtime.places import native, shown
from realtime.sources import Block

SHORT_S = 0.1  # seconds a file may end early unsaid: MP3 headers round to frames

STREAMED = (
    0x7FFF0000  # a data chunk of at least this many bytes: the writer did not know its length
)

_log = logging.getLogger("rt.realtime.wav")


class WavSource:
    """A sound file.

    Args:
        path: the file.
        block_s: seconds in a block.

    Attributes:
        container, subtype: libsndfile's names of the kind of file and of sample.
        frames: samples that its header announces.

    Raises:
        AudioError: missing or not permitted.
        FormatError: no sound file, or one without samples.
    """

    live = False

    def __init__(self, path: str, *, block_s: float = 0.05) -> None:
        self.name = shown(path)
        self._file = _open(path)
        self.rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.container: str = self._file.format
        self.subtype: str = self._file.subtype
        self.frames: int = self._file.frames
        self._size = max(1, round(block_s * self.rate))
        self._stop = False
        self._reading = False
        try:
            _refuse(self._file, path)
        except FormatError:
            self._file.close()
            raise

    def blocks(self) -> Iterator[Block]:
        """Blocks of `block_s`, the last one shorter. Once only.

        Raises:
            FormatError: the file breaks off; everything before was yielded.
        """
        self._reading = True
        position = 0
        try:
            while not self._stop:
                audio, fault = self._read(position)
                if len(audio):
                    yield Block(audio=audio, position=position)
                position += len(audio)
                if fault is not None:
                    raise self._broken(position, fault) from fault
                if len(audio) < self._size:
                    self._say_short(position)
                    return
        finally:
            self._file.close()

    def close(self) -> None:
        """Stop after the block that is being read."""
        self._stop = True
        if not self._reading:
            self._file.close()

    def _read(self, position: int) -> tuple[np.ndarray, Exception | None]:
        """Up to one block, float32 [samples, channels], and what stopped the decoder."""
        out = np.empty((self._size, self.channels), np.float32)
        try:
            return self._file.read(out=out), None
        except soundfile.LibsndfileError as e:
            # it failed in the middle of a block: its position says how much is good
            good = 0
            with contextlib.suppress(soundfile.SoundFileError):
                good = self._file.tell() - position
            return out[: max(0, min(good, self._size))], e

    def _broken(self, position: int, fault: Exception) -> FormatError:
        total = self._file.frames / self.rate
        of = f" of {total:.3f}" if self._file.frames > position else ""
        return FormatError(
            f"{self.name}: breaks at {position / self.rate:.3f}{of} seconds: {_reason(fault)}",
            "what comes before was read; the file is cut short or damaged",
        )

    def _say_short(self, position: int) -> None:
        """Warn when the file holds less than its header announces."""
        announced = max(self._file.frames, _announced_frames(self._file))
        if announced - position > SHORT_S * self.rate:
            _log.warning(
                "%s: the header announces %.3f seconds, the file holds %.3f",
                self.name,
                announced / self.rate,
                position / self.rate,
            )


class _Forwards(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is only read forwards.

    `SoundFile.read` seeks to where it already is after each read. An MP3 decoder starts anew at
    a seek, without the frames before, so every block would begin with a disturbance.
    """

    def seekable(self) -> bool:
        """No, so there is nothing to seek for."""
        return False


def _open(path: str) -> Any:
    """A `soundfile.SoundFile`, or the reason why not."""
    where = Path(path)
    try:
        if where.is_dir():
            raise FormatError(f"{path}: is a folder", f"name its files: {where / '*.wav'}")
        with where.open("rb") as f:
            head = f.read(64)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise AudioError(f"{path}: no such file", _did_you_mean(where)) from e
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or str(e)
        raise AudioError(
            f"{path}: cannot be read: {why}", "check the path and its permissions"
        ) from e
    if not head:
        raise FormatError(
            f"{path}: is empty (0 bytes)", "was the recording or the copy finished?"
        )
    try:
        return _Forwards(native(path))
    except (soundfile.SoundFileError, TypeError) as e:
        kind = "is text, not sound" if _is_text(head) else f"is no sound file: {_reason(e)}"
        raise FormatError(
            f"{path}: {kind}", "other formats: convert first, ffmpeg -i INPUT OUTPUT.wav"
        ) from e


def _refuse(file: Any, path: str) -> None:
    """Refuse what cannot be sound: beyond those rates the header lies."""
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        raise FormatError(
            f"{path}: its header says {file.samplerate} Hz",
            f"{LOWEST_RATE} to {HIGHEST_RATE} Hz are read",
        )
    if file.frames == 0:
        size = Path(path).stat().st_size
        if "WAV" in file.format and size > 1024:
            raise FormatError(
                f"{path}: its header says 0 samples, but {size} bytes follow",
                "the recorder did not finish it; read it as a stream: rt-tag - < FILE",
            )
        raise FormatError(
            f"{path}: holds no sound (0 samples)", "was the recording stopped too early?"
        )


def _announced_frames(file: Any) -> int:
    """Frames the data chunk of a WAV claims when libsndfile corrected it, else 0."""
    found = re.search(r"^data : (\d+) \(should be \d+\)", file.extra_info, re.MULTILINE)
    align = re.search(r"^ *Block Align *: (\d+)", file.extra_info, re.MULTILINE)
    if not found or not align or int(found[1]) >= STREAMED:
        return 0
    return int(found[1]) // max(1, int(align[1]))


def _reason(e: Exception) -> str:
    """The words of libsndfile, without its prefix and full stop."""
    text = getattr(e, "error_string", None) or str(e)
    if "does not exist or is not a regular" in text:
        return "its content is of no kind that is known"  # it was opened before: there it is
    return str(text).removeprefix("Error : ").strip().rstrip(".")


def _is_text(head: bytes) -> bool:
    """Whether the first bytes are printable ASCII only."""
    return all(32 <= b < 127 or b in b"\t\r\n" for b in head)


def _did_you_mean(where: Path) -> str:
    """The nearest file name beside the one that is missing, or advice."""
    import difflib

    try:
        stems = {p.stem: p for p in where.parent.iterdir()}
    except OSError:
        return "check the path"
    near = difflib.get_close_matches(where.stem, stems, 1, 0.7)
    return f"did you mean {stems[near[0]]}?" if near else "check the path"
