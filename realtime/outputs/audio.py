"""Gated sound out: a file of the input's sample type, or raw PCM into a pipe; `open_sink`.

Called by `realtime.commands.gate`. A sound file is written under another name and takes its own
when it is complete, so nothing that was there is lost before. Samples that a fully open gate
lets through are written as they were read, to the bit, up to 24 bits; nothing is dithered.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import OutputError, UsageError
from realtime.outputs.replace import Replacement, fault
from realtime.places import native
from realtime.sources import is_raw
from realtime.sources.pcm import Encoding, whole_numbers

Audio = NDArray[np.float32]  # [samples, channels], -1 to 1

CONTAINERS = {  # suffix: libsndfile's container, and its sample type where the suffix says it
    ".wav": ("WAV", ""), ".wave": ("WAV", ""), ".flac": ("FLAC", ""), ".ogg": ("OGG", ""),
    ".oga": ("OGG", ""), ".opus": ("OGG", "OPUS"), ".mp3": ("MP3", ""), ".aiff": ("AIFF", ""),
    ".aif": ("AIFF", ""), ".caf": ("CAF", ""), ".au": ("AU", ""), ".snd": ("AU", ""),
    ".w64": ("W64", ""), ".rf64": ("RF64", ""),
}  # fmt: skip
LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
INSTEAD = {  # in place of a sample type that a container does not have: the first that it has
    "PCM_S8": ("PCM_U8", "PCM_16"),
    "PCM_U8": ("PCM_S8", "PCM_16"),
    "PCM_32": ("PCM_24",),
    "ALAC_20": ("PCM_24",),
    "ALAC_24": ("PCM_24",),
    "ALAC_32": ("PCM_32", "PCM_24"),
    "FLOAT": ("PCM_24",),
    "DOUBLE": ("FLOAT", "PCM_24"),
}
FULL = "the system takes no more"
BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
WAV_BYTES = (1 << 32) - (1 << 16)  # sound that a WAV has room for, with its header
SUBTYPES = {
    "s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT", "f64": "DOUBLE",
    "u8": "PCM_U8",
}  # fmt: skip


class Kind(msgspec.Struct, frozen=True):
    """What the input is, and the output is to be.

    Args:
        rate: Hz.
        channels: channels.
        container: libsndfile's name; empty for raw PCM.
        subtype: libsndfile's name of the sample type.
        frames: samples that are expected; 0 is not known.
    """

    rate: int
    channels: int
    container: str
    subtype: str
    frames: int = 0


class Sink(Protocol):
    """Takes gated sound."""

    def write(self, block: Audio) -> None:
        """Take the next samples, float32 [n, channels]."""
        ...

    def close(self, complete: bool) -> None:
        """No more. Not `complete`: leave what was there before."""
        ...


def open_sink(path: str, kind: Kind, encoding: Encoding) -> Sink:
    """Open what the command line names.

    Args:
        path: a sound file; "-" for stdout; a named pipe, a device, .raw or .pcm for raw PCM.
        kind: of the input.
        encoding: of raw PCM.

    Raises:
        UsageError: a suffix that names no kind of file, or stdout is a terminal.
        OutputError: the file cannot be made, or its kind cannot hold such sound.
    """
    if is_raw(path):
        return RawSink(path, encoding)
    container, subtype = container_of(path, kind)
    return FileSink(path, msgspec.structs.replace(kind, container=container, subtype=subtype))


def container_of(path: str, kind: Kind) -> tuple[str, str]:
    """Container and sample type of an output file.

    Args:
        path: its name; without a suffix it gets the input's container.
        kind: of the input.

    Raises:
        UsageError: a suffix that is not known.
    """
    import soundfile

    suffix = Path(path).suffix.lower()
    if suffix and suffix not in CONTAINERS:
        raise UsageError(
            f"{path}: no sound file is called {suffix}", f"use {', '.join(CONTAINERS)}"
        )
    container, subtype = CONTAINERS.get(suffix, (kind.container or "WAV", ""))
    if not subtype:
        wanted = [*INSTEAD.get(kind.subtype, ()), soundfile.default_subtype(container)]
        # MP3 in a WAV is possible, and not what anybody means
        if kind.subtype not in LOSSY or container in ("OGG", "MP3"):
            wanted.insert(0, kind.subtype)
        subtype = next(s for s in wanted if soundfile.check_format(container, s))
    width = BITS.get(subtype, 64 if subtype == "DOUBLE" else 32) // 8
    if container == "WAV" and kind.frames * kind.channels * width > WAV_BYTES:
        container = "RF64"  # a WAV whose sizes have 64 bits
    return container, subtype


class FileSink:
    """A sound file; a `Sink`.

    Args:
        path: the file.
        kind: what it is to be.

    Raises:
        OutputError: it cannot be made, or its kind cannot hold such sound; later also when the
            disk is full.
    """

    def __init__(self, path: str, kind: Kind) -> None:
        import soundfile

        self._path = Path(path)
        self._kind = kind
        self._fault = (soundfile.SoundFileError, RuntimeError, AssertionError, OSError)
        self._bits = BITS.get(kind.subtype, 0)
        self._written = 0
        self._replacement = Replacement(path)
        try:
            self._file: Any = soundfile.SoundFile(
                native(self._replacement.temporary),
                "w",
                kind.rate,
                kind.channels,
                subtype=kind.subtype,
                format=kind.container,
            )
        except (*self._fault, ValueError, TypeError) as e:
            self._replacement.discard()
            if _reason(e) == FULL:  # the kind is right, and its first bytes find no room
                raise self._failed(e) from e
            raise OutputError(
                f"{path}: {kind.container} with {kind.subtype} cannot hold {kind.channels} "
                f"channels at {kind.rate} Hz ({_reason(e)})",
                "use .flac or .wav",
            ) from e

    def write(self, block: Audio) -> None:
        """Write the next samples."""
        if not len(block):
            return
        if self._kind.container == "WAV":
            self._refuse_too_long(len(block))
        try:
            self._file.write(self._numbers(block))
        except self._fault as e:
            raise self._failed(e) from e
        self._written += len(block)

    def close(self, complete: bool) -> None:
        """Give the file its name, or leave what was there."""
        try:
            self._file.close()
            if complete:
                self._look_again()
        except self._fault as e:
            self._replacement.discard()
            if complete:
                raise self._failed(e) from e
            return
        except OutputError:
            self._replacement.discard()
            raise
        if complete:
            self._replacement.commit()
        else:
            self._replacement.discard()

    def _numbers(self, block: Audio) -> NDArray[Any]:
        """Samples as libsndfile writes them without a scale of its own.

        It has a scale for floats that is not quite the one it reads with.
        """
        if not self._bits:
            return block
        if self._bits <= 16:
            return (whole_numbers(block, self._bits) << (16 - self._bits)).astype(np.int16)
        return whole_numbers(block, self._bits) << (32 - self._bits)

    def _refuse_too_long(self, more: int) -> None:
        width = BITS.get(self._kind.subtype, 64 if self._kind.subtype == "DOUBLE" else 32) // 8
        if (self._written + more) * self._kind.channels * width > WAV_BYTES:
            raise OutputError(
                f"{self._path}: a WAV ends at 4 GB, and the sound does not",
                "name the output .w64, .rf64 or .flac",
            )

    def _look_again(self) -> None:
        """A full disk may show first when a header is written, and nobody tells us then.

        Raises:
            OutputError: the file does not hold what was written.
        """
        import soundfile

        try:
            found = soundfile.info(native(self._replacement.temporary)).frames
        except self._fault:
            found = 0
        if found < self._written and self._kind.subtype not in LOSSY:
            raise OutputError(
                f"{self._path} cannot be written: {found} of {self._written} samples arrived",
                "is the disk full?",
            )

    def _failed(self, e: BaseException) -> OutputError:
        if isinstance(e, OSError):
            return fault(self._path, e)
        # libsndfile keeps the system's own words to itself
        return OutputError(f"{self._path} cannot be written: {_reason(e)}", "is the disk full?")


class RawSink:
    """Raw PCM to stdout, a named pipe or a file; a `Sink`. Every block is passed on at once.

    A reader that goes away is a BrokenPipeError.

    Args:
        path: "-" for stdout.
        encoding: of the samples.

    Raises:
        UsageError: stdout is a terminal.
        OutputError: the file cannot be made; later also when the disk is full.
    """

    def __init__(self, path: str, encoding: Encoding) -> None:
        self._encode = encoding.encode
        self._path = Path(path)
        self._replacement: Replacement | None = None
        if path == "-":
            if sys.stdout.isatty():
                raise UsageError(
                    "stdout is a terminal, and raw sound would go there",
                    "name a file, or pipe it on: rt-gate - - | aplay",
                )
            self._stream: BinaryIO = sys.stdout.buffer
            return
        self._replacement = Replacement(path)
        try:
            self._stream = self._replacement.temporary.open("wb")
        except OSError as e:
            self._replacement.discard()
            raise fault(self._path, e) from e

    def write(self, block: Audio) -> None:
        """Write the next samples."""
        if not len(block):
            return
        try:
            self._stream.write(self._encode(np.ascontiguousarray(block).reshape(-1)))
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as e:
            if self._replacement is None:
                raise
            raise fault(self._path, e) from e

    def close(self, complete: bool) -> None:
        """Give a file its name, or leave what was there."""
        if self._replacement is None:
            if complete:
                self._stream.flush()
            return
        self._replacement.end(self._stream, complete)


def _reason(e: BaseException) -> str:
    """The words of libsndfile, without its prefix and full stop."""
    text = getattr(e, "error_string", None) or str(e) or type(e).__name__
    text = str(text).splitlines()[0] if str(text) else ""
    text = text.removeprefix("Error : ").strip().rstrip(".")
    return FULL if text == "System error" else text
