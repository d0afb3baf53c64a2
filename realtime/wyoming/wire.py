"""`Wire`: Wyoming messages on a socket, every length bounded, no wait without an end.

A message is one line of JSON (`type`, and optionally `data`, `data_length`, `payload_length`),
then `data_length` bytes of JSON that complete `data`, then `payload_length` bytes of payload.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from typing import Any

import msgspec

MOST_LINE = 64 << 10
MOST_DATA = 256 << 10
MOST_PAYLOAD = 4 << 20  # 20 s of 48 kHz stereo; satellites send a tenth of a second
INSIDE_S = 10.0  # for the rest of a message that has begun
WRITE_S = 5.0  # for a receiver that does not read
DRAIN_S = 1.0
PIECE = 1 << 16


class WyomingError(Exception):
    """What the other side sent is no message that can be used. The text is sent to it."""


class Gone(Exception):  # noqa: N818  says what happened
    """The other side closed, in the middle of a message, or does not read."""


class Message(msgspec.Struct):
    """One message.

    Args:
        type: of it: "describe", "audio-chunk", ...
        data: its fields.
        payload: its bytes.
    """

    type: str
    data: dict[str, Any] = {}
    payload: bytes = b""


class _Header(msgspec.Struct):
    type: str
    data: dict[str, Any] | None = None
    data_length: int | None = None
    payload_length: int | None = None


class Wire:
    """One connection.

    Args:
        sock: connected; this object's from now on.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._buffer = bytearray()
        self._writing = threading.Lock()
        self._closed = False

    def read(self) -> Message | None:
        """The next message; None when the other side has said all, or after `close`.

        Raises:
            WyomingError: no message.
            Gone: the end came in the middle of one.
        """
        if not self._buffer and not self._fill(None):
            return None
        until = time.monotonic() + INSIDE_S
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MOST_LINE:
                raise WyomingError(f"a header of more than {MOST_LINE} bytes")
            self._need(until)
        header = _decode(self._take(end + 1), _Header)
        data = dict(header.data or {})
        length = _bounded(header.data_length, MOST_DATA, "data_length")
        if length:
            data |= _decode(self._exactly(length, until), dict[str, Any])
        length = _bounded(header.payload_length, MOST_PAYLOAD, "payload_length")
        return Message(header.type, data, self._exactly(length, until) if length else b"")

    def write(self, kind: str, data: dict[str, Any] | None = None) -> None:
        """Send a message without payload.

        Raises:
            Gone: the other side closed, or does not read.
        """
        body = msgspec.json.encode(data) if data else b""
        header: dict[str, Any] = {"type": kind, "version": "1"}
        if body:
            header["data_length"] = len(body)
        rest = memoryview(msgspec.json.encode(header) + b"\n" + body)
        until = time.monotonic() + WRITE_S
        with self._writing:
            while rest:
                try:
                    rest = rest[self._sock.send(rest) :]
                except BlockingIOError:
                    self._wait(select.POLLOUT, until)
                except OSError as e:
                    raise Gone(str(e)) from e

    def end(self) -> None:
        """Say no more, let the other side read what was said, and close."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            until = time.monotonic() + DRAIN_S
            while time.monotonic() < until:
                try:
                    if not self._sock.recv(PIECE):
                        break
                except BlockingIOError:
                    with contextlib.suppress(Gone):
                        self._wait(select.POLLIN, until)
        self._sock.close()

    def close(self) -> None:
        """End the waits of `read` and `write`; from any thread."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _exactly(self, n: int, until: float) -> bytes:
        while len(self._buffer) < n:
            self._need(until)
        return self._take(n)

    def _take(self, n: int) -> bytes:
        piece = bytes(self._buffer[:n])
        del self._buffer[:n]
        return piece

    def _need(self, until: float) -> None:
        if not self._fill(until):
            raise Gone("half a message")

    def _fill(self, until: float | None) -> bool:
        """Read what there is; False at the end."""
        while not self._closed:
            try:
                piece = self._sock.recv(PIECE)
            except BlockingIOError:
                self._wait(select.POLLIN, until)
                continue
            except OSError:
                return False
            self._buffer += piece
            return bool(piece)
        return False

    def _wait(self, what: int, until: float | None) -> None:
        poll = select.poll()
        try:
            poll.register(self._sock, what)
        except ValueError as e:  # its other thread has closed it
            raise Gone("closed") from e
        left = None if until is None else 1e3 * max(0.0, until - time.monotonic())
        if not poll.poll(left):
            raise Gone("too slow")


def _decode(text: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise WyomingError(f"no Wyoming message: {e}") from e


def _bounded(length: int | None, most: int, name: str) -> int:
    if length is None:
        return 0
    if not 0 <= length <= most:
        raise WyomingError(f"{name} is {length}: use 0 to {most}")
    return length
