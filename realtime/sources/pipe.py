"""`PipeSource`: raw PCM from stdin or a named pipe, as it arrives.

Opened by `open_source` for `arecord ... | rt-tag -` and `ffmpeg ... -f s16le - | rt-tag -`. It
never waits for a full block: what the writer has written is passed on at once. Nothing is
dropped; a writer that is too fast waits. A WAV header in front (`ffmpeg -f wav -`) is
recognised and gives rate, channels and format; options that contradict it are an error.
Compressed sound on stdin is refused instead of being heard as noise.
"""

from __future__ import annotations

import logging
import os
import select
import stat
from collections.abc import Iterator

from realtime.errors import AudioError, FormatError, UsageError
from realtime.places import shown
from realtime.sources import Audio, Block
from realtime.sources.closing import Closing
from realtime.sources.pcm import (
    ENCODINGS,
    Encoding,
    WavHeader,
    compressed_kind,
    read_wav_header,
)

DEFAULT_RATE, DEFAULT_CHANNELS, DEFAULT_FORMAT = (
    16_000,
    1,
    "s16",
)  # as arecord -f S16_LE -r 16000
MAGIC = 12  # bytes that tell a RIFF header from raw PCM

_log = logging.getLogger("rt.realtime.pipe")


class PipeSource:
    """Raw PCM from a stream. Opening waits for the first bytes: a WAV header may be in them.

    Args:
        path: "-" for stdin, or a named pipe, or a file of raw PCM.
        rate: Hz of the raw PCM; default 16000, or the WAV header's.
        channels: interleaved channels; default 1, or the WAV header's.
        format: "s16", "s24" (3 bytes a sample), "s32" or "f32", little endian; default s16, or
            the WAV header's.
        block_s: longest block in seconds.

    Attributes:
        encoding: how its samples are written.

    Raises:
        UsageError: stdin is a terminal or closed, or an option contradicts the WAV header.
        AudioError: the pipe cannot be opened.
        FormatError: the stream is compressed, or a WAV of a kind that is not read here.
    """

    def __init__(
        self,
        path: str = "-",
        *,
        rate: int | None = None,
        channels: int | None = None,
        format: str | None = None,  # noqa: A002  the name of the option
        block_s: float = 0.05,
    ) -> None:
        if format is not None and format not in ENCODINGS:
            raise UsageError(f"--format {format} is unknown", f"use {', '.join(ENCODINGS)}")
        self.name = "stdin" if path == "-" else shown(path)
        self._fd = _open(path)
        self._closing = Closing(self._close_pipe)
        self._ahead = bytearray()  # read, but not yet passed on
        self._left: int | None = None  # bytes left of a WAV's data; None: to the end
        try:
            self.live = not stat.S_ISREG(os.fstat(self._fd).st_mode)
            header = self._sniff()
            asked = {"rate": rate, "channels": channels, "format": format}
            if header is None:
                self.rate, self.channels = rate or DEFAULT_RATE, channels or DEFAULT_CHANNELS
                self.encoding: Encoding = ENCODINGS[format or DEFAULT_FORMAT]
            else:
                _agree(self.name, header, asked)
                self.rate, self.channels = header.rate, header.channels
                self.encoding, self._left = header.encoding, header.data_bytes
        except BaseException:
            self._closing.release()
            raise
        self._announced = self._left
        self._frame = self.encoding.width * self.channels
        self._size = max(1, round(block_s * self.rate)) * self._frame

    def blocks(self) -> Iterator[Block]:
        """Blocks of what is there, up to `block_s` each, until the stream ends or `close`.

        Raises:
            FormatError: the stream ends without a single sample.
            AudioError: reading fails.
        """
        self._closing.reading = True
        position = 0
        try:
            more = True
            while more:
                more = self._fill()
                whole = len(self._ahead) // self._frame * self._frame
                if whole:
                    audio = self._decode(bytes(self._ahead[:whole]))
                    del self._ahead[:whole]
                    yield Block(audio=audio, position=position)
                    position += len(audio)
            if not self._closing.closed:
                self._end(position)
        finally:
            self._closing.release()

    def close(self) -> None:
        """Stop `blocks`, also while it waits for the writer."""
        self._closing.close()

    def _decode(self, data: bytes) -> Audio:
        """Interleaved bytes as float32 [samples, channels]."""
        return self.encoding.decode(data).reshape(-1, self.channels)

    def _fill(self) -> bool:
        """Wait for bytes and put them behind those there are; False when no more come."""
        want = max(1, self._size - len(self._ahead))
        if self._left is not None:
            want = min(want, self._left)
        data = self._read(want) if want else b""
        if self._left is not None:
            self._left -= len(data)
        self._ahead += data
        return bool(data)

    def _read(self, most: int) -> bytes:
        """What is there, up to `most` bytes; empty at the end or after `close`."""
        if self._closing.closed:
            return b""
        try:
            ready, _, _ = select.select([self._fd, self._closing.fd], [], [])
            if self._closing.fd in ready:
                return b""
            return os.read(self._fd, most)
        except OSError as e:
            raise AudioError(
                f"{self.name}: cannot be read: {e.strerror}", "pipe sound in, or name a file"
            ) from e

    def _exactly(self, count: int) -> bytes:
        """`count` bytes, fewer only at the end."""
        while len(self._ahead) < count:
            data = self._read(count - len(self._ahead))
            if not data:
                break
            self._ahead += data
        taken = bytes(self._ahead[:count])
        del self._ahead[:count]
        return taken

    def _sniff(self) -> WavHeader | None:
        """Take a WAV header off the front, if there is one."""
        head = self._exactly(MAGIC)
        if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
            return read_wav_header(self._exactly, self.name)
        kind = compressed_kind(head)
        if kind:
            raise FormatError(
                f"{self.name}: holds {kind}, not raw PCM",
                "give the file's name, or decode it: ffmpeg -i INPUT -f wav - | rt-tag -",
            )
        self._ahead[:0] = head
        return None

    def _end(self, position: int) -> None:
        """Say what is odd about the end of the stream."""
        if position == 0:
            raise FormatError(
                f"{self.name}: ended before a single sample came",
                "does the command before the pipe work?",
            )
        if self._ahead:
            _log.warning(
                "%s: ends with %d bytes of %d: is --format or --channels wrong?",
                self.name,
                len(self._ahead),
                self._frame,
            )
        if self._left and self._announced:
            _log.warning(
                "%s: the header announces %.3f seconds, %.3f came",
                self.name,
                self._announced / self._frame / self.rate,
                position / self.rate,
            )

    def _close_pipe(self) -> None:
        if self._fd > 0:  # stdin is not ours to close
            os.close(self._fd)
        self._fd = -1


def _open(path: str) -> int:
    """The file descriptor, once it is clear that it is no terminal."""
    try:
        fd = 0 if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.fstat(fd)
    except OSError as e:
        if path == "-":
            raise UsageError("stdin is closed", "pipe sound in, or name a file") from e
        raise AudioError(f"{path}: cannot be read: {e.strerror}", "check the path") from e
    if os.isatty(fd):
        if fd > 0:
            os.close(fd)
        raise UsageError(
            "stdin is a terminal" if path == "-" else f"{path}: is a terminal",
            "pipe sound in: arecord -f S16_LE -r 16000 | rt-tag -",
        )
    return fd


def _agree(name: str, header: WavHeader, asked: dict[str, int | str | None]) -> None:
    """Refuse an option that says something else than the header."""
    says = {"rate": header.rate, "channels": header.channels, "format": header.encoding.name}
    for option, value in asked.items():
        if value is not None and value != says[option]:
            raise UsageError(
                f"--{option} is {value}, but {name} is a WAV with {option} {says[option]}",
                f"leave --{option} out",
            )
