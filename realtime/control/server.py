"""`Server`: the control socket. One thread that never waits for a client, nor for the gate.

What takes longer than a look at memory, `desk.py` does elsewhere and hands over with `post`.
The sound runs in another process; the worker that decides shares the interpreter with this
thread, so a flood of requests is taken slowly (`peer.py`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from realtime.control import protocol
from realtime.control.peer import Peer
from realtime.control.reception import MOST_PEERS, Desk, Reception
from realtime.errors import UsageError

MOST_STRANGERS = 8  # connections that have not said the token yet
GREETING_S = 2.0  # in which they have to
BREATH_S = 0.005  # between two turns while requests queue up
IDLE_S = 0.5
END_S = 1.0  # for the last lines at the end

log = logging.getLogger("rt.realtime.control")


class Server(threading.Thread):
    """The control socket.

    Args:
        desk: who answers.
        token: what a client has to say first; empty makes one.
        port: of 127.0.0.1; 0 is any that is free.

    Attributes:
        port: the one it has.
        token: the one in force.

    Raises:
        UsageError: the port is taken, or the token too short.
    """

    def __init__(self, desk: Desk, token: str = "", port: int = 0) -> None:
        super().__init__(name="control", daemon=True)
        self._reception = Reception(desk, token, self.post)
        self._desk = desk
        self._door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._door.bind((protocol.HOST, port))
            self._door.listen(16)
        except OSError as e:
            self._door.close()
            raise UsageError(
                f"--control {port}: {e.strerror}", "another port, or --control 0 for any"
            ) from e
        self._door.setblocking(False)
        self.token = self._reception.token
        self.port: int = self._door.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._peers: list[Peer] = []
        self._posted: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()  # of `_wake`
        self._ending = False
        self._round = 0.0  # the next instant to look at every client

    # --- from any thread ----------------------------------------------------------------------

    def post(self, do: Callable[[], None]) -> None:
        """Let the server's thread do something soon."""
        self._posted.append(do)
        with self._lock:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def push(self, what: dict[str, Any]) -> None:
        """Tell those who want events."""
        line = protocol.encode(what)

        def tell() -> None:
            for peer in self._peers:
                if peer.events:
                    peer.push(line)

        self.post(tell)

    def stop(self) -> None:
        """Send what there is to be sent, and end."""
        self._ending = True
        self.post(lambda: None)
        if self.is_alive():
            self.join(2 * END_S)

    # --- the thread ---------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop`."""
        try:
            until = None
            while until is None or (time.monotonic() < until and self._unsent()):
                self._turn()
                if self._ending and until is None:
                    until = time.monotonic() + END_S
        except BaseException:
            log.exception("the control socket failed: the gate goes on without it")
        finally:
            for peer in list(self._peers):
                self._leave(peer)
            self._door.close()
            self._selector.close()
            with self._lock:
                os.close(self._wake)
                self._wake = -1

    def _unsent(self) -> bool:
        return bool(self._posted) or any(peer.writes for peer in self._peers)

    def _turn(self) -> None:
        ready = set()
        for key, _ in self._selector.select(self._pause()):
            if key.fileobj is self._door:
                self._admit()
            elif key.fileobj == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
            else:
                ready.add(key.data)
        posted = len(self._posted)
        for _ in range(posted):
            self._posted.popleft()()
        now = time.monotonic()
        idle = now >= self._round
        if idle:
            self._round = now + IDLE_S
        for peer in list(self._peers):
            due = peer.every_s and now >= peer.next_s
            if not (posted or idle or due or peer in ready or peer.waits):
                continue
            self._serve(peer, now)
            if peer.over or peer.stuck(now):
                self._leave(peer)
            else:
                self._watch(peer)

    def _pause(self) -> float:
        now, pause = time.monotonic(), min(IDLE_S, self._desk.tick())
        for peer in self._peers:
            if peer.waits:
                pause = min(pause, BREATH_S)
            if peer.every_s:
                pause = min(pause, max(0.0, peer.next_s - now))
        return pause

    def _watch(self, peer: Peer) -> None:
        """Wait for what the client may do next."""
        wanted = selectors.EVENT_READ * peer.reads | selectors.EVENT_WRITE * peer.writes
        registered = self._selector.get_map().get(peer.socket)
        if registered is None:
            if wanted:
                self._selector.register(peer.socket, wanted, peer)
        elif not wanted:
            self._selector.unregister(peer.socket)
        elif registered.events != wanted:
            self._selector.modify(peer.socket, wanted, peer)

    def _admit(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._door.accept()
            strangers = [peer for peer in self._peers if not peer.known]
            if len(strangers) >= MOST_STRANGERS:
                self._leave(strangers[0])
            self._peers.append(Peer(connection))
            self._watch(self._peers[-1])

    def _leave(self, peer: Peer) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(peer.socket)
        peer.close()
        self._peers.remove(peer)
        self._desk.left(peer)

    def _serve(self, peer: Peer, now: float) -> None:
        """Read, answer, push and write what can be."""
        if peer.writes:
            peer.flush()
        if peer.reads:
            peer.receive()
        try:
            for line in peer.lines(now):
                full = sum(other.known for other in self._peers) >= MOST_PEERS
                self._reception.take(peer, line, full)
        except ValueError:
            self._reception.refuse(peer, f"a line has more than {protocol.MOST_LINE} bytes")
        # last: a token that came in time counts, however late we get to it
        if not peer.known and not peer.closing and now - peer.since > GREETING_S:
            self._reception.refuse(peer, f"no token within {GREETING_S:g} s")
        if peer.every_s and now >= peer.next_s:
            peer.next_s = max(peer.next_s + peer.every_s, now)
            self._show(peer)

    def _show(self, peer: Peer) -> None:
        if not peer.has_room:
            peer.lost_meters += 1
            return
        what = self._desk.meters(peer) | {"lost": peer.lost_meters}
        peer.lost_meters = 0
        peer.push(protocol.encode({"meters": what}))
