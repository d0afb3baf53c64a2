"""`Peer`: one client of the control socket, with all its bounds. Used by `server.py`.

- A line has at most MOST_LINE bytes; a longer one ends the connection.
- Who asks more often than RATE times a second waits, as does who has MOST_ASKED requests that
  are not answered yet: its lines stay in the socket.
- Who does not read is not read: with MOST_KEPT bytes on the way nothing is taken from it.
  Meters and events that it has no room for are lost, and counted. After STUCK_S it is left.
"""

from __future__ import annotations

import contextlib
import socket
import time

from realtime.control import protocol

RATE = 2000.0  # requests in a second
BURST = 200.0
MOST_ASKED = 32
MOST_KEPT = 256 * 1024  # bytes
ROOM_FOR_PUSHES = 64 * 1024
ROOM_IN_SOCKET = 64 * 1024  # so that meters are not seconds old
STUCK_S = 60.0
TURN = 32  # lines of one client, then others have their turn
PIECE = 64 * 1024


class Peer:
    """A client.

    Args:
        connection: its socket.

    Attributes:
        known: it has said the token.
        since: when it came, seconds of the monotonic clock.
        asked: requests that are not answered yet.
        events: it wants events.
        every_s: it wants meters so often; 0 is not at all.
        next_s: the instant of the next ones.
        hops: number of the first hop that it has not got yet.
        ended: no more is to be read or written.
        heard: it has closed its side: what it asked for is answered, and then it is over.
        closing: no more is to be read, and when all is written, it is over.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM_IN_SOCKET)
        self.socket = connection
        self.since = self._moved = self._filled = time.monotonic()
        self.known = self.events = False
        self.ended = self.heard = self.closing = False
        self.asked = 0
        self.every_s = self.next_s = 0.0
        self.hops = 0
        self.lost_meters = 0
        self._lost = 0
        self._bucket = BURST
        self._in = bytearray()
        self._out = bytearray()

    @property
    def writes(self) -> bool:
        """Whether there is something to write."""
        return bool(self._out)

    @property
    def reads(self) -> bool:
        """Whether more is to be taken from the socket."""
        return self._listens() and not self.heard and b"\n" not in self._in

    @property
    def waits(self) -> bool:
        """Whether a line is here that may be taken as soon as time has passed."""
        return self._listens() and b"\n" in self._in

    @property
    def over(self) -> bool:
        """Whether nothing more is to be expected, of it or for it."""
        if self.ended:
            return True
        if self._out or self.asked:
            return False
        return self.closing or (self.heard and b"\n" not in self._in)

    def stuck(self, now: float) -> bool:
        """Whether it has not read for long."""
        return bool(self._out) and now - self._moved > STUCK_S

    def receive(self) -> None:
        """Take what the socket has."""
        try:
            data = self.socket.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            self.ended = True
            return
        self.heard = not data
        self._in += data

    def lines(self, now: float) -> list[bytes]:
        """Lines that may be answered now; none for who asks too often.

        Raises:
            ValueError: a line is too long.
        """
        self._bucket = min(BURST, self._bucket + RATE * (now - self._filled))
        self._filled = now
        found: list[bytes] = []
        while len(found) < TURN and self._bucket >= 1.0 and self._listens(len(found)):
            end = self._in.find(b"\n", 0, protocol.MOST_LINE)
            if end < 0:
                if len(self._in) >= protocol.MOST_LINE:
                    raise ValueError
                break
            found.append(bytes(self._in[:end]))
            del self._in[: end + 1]
            self._bucket -= 1.0
        return found

    def send(self, line: bytes) -> None:
        """Send an answer; there is always room for it."""
        if not self._out:
            self._moved = time.monotonic()
        self._out += line
        self.flush()

    @property
    def has_room(self) -> bool:
        """Whether it reads what it did not ask for."""
        return len(self._out) <= ROOM_FOR_PUSHES

    def push(self, line: bytes) -> None:
        """Send what it did not ask for, if it reads."""
        if not self.has_room:
            self._lost += 1
            return
        if self._lost:
            self.send(protocol.encode({"lost": self._lost}))
            self._lost = 0
        self.send(line)

    def flush(self) -> None:
        """Write what the socket takes."""
        try:
            while self._out:
                sent = self.socket.send(self._out[:PIECE])
                del self._out[:sent]
                self._moved = time.monotonic()
        except BlockingIOError:
            return
        except OSError:
            self.ended = True
            self._out.clear()

    def close(self) -> None:
        """Leave it."""
        self.ended = True
        with contextlib.suppress(OSError):
            self.socket.close()

    def _listens(self, more: int = 0) -> bool:
        return (
            not (self.ended or self.closing)
            and self.asked + more < MOST_ASKED
            and len(self._out) < MOST_KEPT
        )
