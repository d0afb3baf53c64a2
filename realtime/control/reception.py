"""`Reception`: takes the lines of clients: the token first, then requests. For `server.py`."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from realtime.control import protocol
from realtime.control.peer import Peer
from realtime.errors import RtError, UsageError

SHORTEST_TOKEN = 16
MOST_PEERS = 8

Answer = Callable[[dict[str, Any] | RtError], None]

log = logging.getLogger("rt.realtime.control")


class Desk(Protocol):
    """Who answers requests; the server's thread calls all methods, and they return at once."""

    def greeting(self) -> dict[str, Any]:
        """What a client is told that knows the token."""
        ...

    def ask(
        self, peer: Peer, name: str, asked: dict[str, Any], later: Answer
    ) -> dict[str, Any] | None:
        """Do what a request says.

        Args:
            peer: who asks.
            name: of the request.
            asked: all of it.
            later: called with the answer, from any thread, if there is none now.

        Returns:
            The answer; None if it comes later.

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


class Reception:
    """Takes lines; all methods are called by the server's thread.

    Args:
        desk: who answers.
        token: what a client has to say first; empty makes one.
        post: lets the server's thread do something soon; from any thread.

    Attributes:
        token: the one in force.

    Raises:
        UsageError: the token is too short.
    """

    def __init__(
        self, desk: Desk, token: str, post: Callable[[Callable[[], None]], None]
    ) -> None:
        if token and len(token) < SHORTEST_TOKEN:
            raise UsageError(
                f"the control token has {len(token)} characters",
                f"use {SHORTEST_TOKEN} or more, as of: openssl rand -hex 16",
            )
        self.token = token or secrets.token_urlsafe(24)
        self._desk, self._post = desk, post

    def take(self, peer: Peer, line: bytes, full: bool) -> None:
        """Do what a line says.

        Args:
            peer: whose.
            line: without its end.
            full: there is no place for one client more.
        """
        if peer.closing:
            return
        try:
            asked = protocol.parse(line)
        except UsageError as e:
            if peer.known:
                peer.send(protocol.refusal(None, e))
            else:
                self.refuse(peer, str(e))
            return
        if peer.known:
            self._answer(peer, asked)
        else:
            self._greet(peer, asked, full)

    def refuse(self, peer: Peer, why: str) -> None:
        """Say why, and end."""
        peer.send(protocol.encode({"error": why, "hint": "see docs/control.md"}))
        peer.closing = True

    def _greet(self, peer: Peer, asked: dict[str, Any], full: bool) -> None:
        said = asked.get("token")
        right = isinstance(said, str) and hmac.compare_digest(
            said.encode(errors="replace"), self.token.encode()
        )
        if not right:
            why = "wrong token" if "token" in asked else "the first line is no token"
            self.refuse(peer, why)
        elif full:
            self.refuse(peer, f"{MOST_PEERS} programs are connected already")
        else:
            peer.known = True
            peer.send(protocol.encode({"ok": self._desk.greeting()}))

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

        try:
            if not isinstance(name, str):
                raise UsageError(f"do is {name!r}", 'a request is {"id": 1, "do": "state"}')
            now = self._desk.ask(peer, name, asked, lambda what: self._post(lambda: give(what)))
        except RtError as e:
            give(e)
        except Exception:
            log.exception("the request %s failed", name)
            give(RtError(f"{name} failed: a fault of the program", "its log says more"))
        else:
            if now is not None:
                give(now)
