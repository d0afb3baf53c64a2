"""`Server`: the control socket. One thread that never waits for a client, nor for the gate.

What takes longer than a look at memory, `desk.py` does elsewhere and hands over with `post`.
The sound runs in another process; the worker that decides shares the interpreter with this
thread, so a flood of requests is taken slowly (`peer.py`).
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import secrets
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from realtime.control import protocol
from realtime.control.peer import Peer
from realtime.errors import RtError, UsageError

MOST_PEERS = 8
MOST_STRANGERS = 8  # connections that have not said the token yet
GREETING_S = 2.0  # in which they have to
BREATH_S = 0.005  # between two turns while requests queue up
IDLE_S = 0.5
END_S = 1.0  # for the last lines at the end
SHORTEST_TOKEN = 16

log = logging.getLogger("rt.realtime.control")

Answer = Callable[[dict[str, Any] | RtError], None]


class Desk(Protocol):
    """Who answers requests; the server's thread calls all methods, and they return at once."""

    def greeting(self) -> dict[str, Any]:
        """What a client is told that knows the token."""
        ...

    def ask(self, peer: Peer, name: str, asked: dict[str, Any], answer: Answer) -> None:
        """Do what a request says; `answer` once, from any thread, now or later.

        Raises:
            RtError: it is refused.
        """
        ...

    def meters(self, peer: Peer) -> dict[str, Any]:
        """What the meters show, with the hops that the client has not got yet."""
        ...

    def tick(self) -> float:
        """Called every turn; in how many seconds to call it again."""
        ...

    def left(self, peer: Peer) -> None:
        """A client is gone."""
        ...


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
        if token and len(token) < SHORTEST_TOKEN:
            raise UsageError(
                f"the control token has {len(token)} characters",
                f"use {SHORTEST_TOKEN} or more, as of: openssl rand -hex 16",
            )
        self.token = token or secrets.token_urlsafe(24)
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
        self.port: int = self._door.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._peers: list[Peer] = []
        self._posted: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()  # of `_wake`
        self._ending = False

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
        for key, _ in self._selector.select(self._pause()):
            if key.fileobj is self._door:
                self._admit()
            elif key.fileobj == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
        for _ in range(len(self._posted)):
            self._posted.popleft()()
        now = time.monotonic()
        for peer in list(self._peers):
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
                self._selector.register(peer.socket, wanted)
        elif not wanted:
            self._selector.unregister(peer.socket)
        elif registered.events != wanted:
            self._selector.modify(peer.socket, wanted)

    def _admit(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._door.accept()
            if sum(not peer.known for peer in self._peers) >= MOST_STRANGERS:
                connection.close()
                return
            self._peers.append(Peer(connection))

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
        if not peer.known and not peer.closing and now - peer.since > GREETING_S:
            self._refuse(peer, f"no token within {GREETING_S:g} s")
        try:
            for line in peer.lines(now):
                self._take(peer, line)
        except ValueError:
            self._refuse(peer, f"a line has more than {protocol.MOST_LINE} bytes")
        if peer.every_s and now >= peer.next_s:
            peer.next_s = max(peer.next_s + peer.every_s, now)
            self._show(peer)

    def _show(self, peer: Peer) -> None:
        what = self._desk.meters(peer) | {"lost": peer.lost_meters}
        if peer.push(protocol.encode({"meters": what})):
            peer.lost_meters = 0
        else:
            peer.lost_meters += 1

    def _take(self, peer: Peer, line: bytes) -> None:
        if peer.closing:
            return
        try:
            asked = protocol.parse(line)
        except UsageError as e:
            if peer.known:
                peer.send(protocol.refusal(None, e))
            else:
                self._refuse(peer, str(e))
            return
        if peer.known:
            self._answer(peer, asked)
        else:
            self._greet(peer, asked)

    def _greet(self, peer: Peer, asked: dict[str, Any]) -> None:
        said = asked.get("token")
        right = isinstance(said, str) and hmac.compare_digest(
            said.encode(errors="replace"), self.token.encode()
        )
        if not right:
            self._refuse(
                peer, "wrong token" if "token" in asked else "the first line is no token"
            )
        elif sum(other.known for other in self._peers) >= MOST_PEERS:
            self._refuse(peer, f"{MOST_PEERS} programs are connected already")
        else:
            peer.known = True
            peer.send(protocol.encode({"ok": self._desk.greeting()}))

    def _refuse(self, peer: Peer, why: str) -> None:
        """Say why, and end."""
        peer.send(protocol.encode({"error": why, "hint": "see docs/control.md"}))
        peer.closing = True

    def _answer(self, peer: Peer, asked: dict[str, Any]) -> None:
        number, name = asked.get("id"), asked.get("do")
        peer.asked += 1

        def give(what: dict[str, Any] | RtError) -> None:
            peer.asked -= 1
            if peer.ended:
                return
            if isinstance(what, RtError):
                peer.send(protocol.refusal(number, what))
            else:
                peer.send(protocol.reply(number, what))

        def answer(what: dict[str, Any] | RtError) -> None:
            if threading.current_thread() is self:
                give(what)
            else:
                self.post(lambda: give(what))

        try:
            if not isinstance(name, str):
                raise UsageError(f"do is {name!r}", 'a request is {"id": 1, "do": "state"}')
            self._desk.ask(peer, name, asked, answer)
        except RtError as e:
            give(e)
        except Exception:
            log.exception("the request %s failed", name)
            give(RtError(f"{name} failed: a fault of the program", "its log says more"))
