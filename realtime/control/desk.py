"""`Desk`: what each request of the control socket does. Called by `server.py`.

Requests that look or switch are answered at once, `set` by the host's thread and the rest by
one of the desk's own, both one request after the other.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from realtime.control import protocol
from realtime.control.host import Host
from realtime.control.peer import Peer
from realtime.control.server import Answer
from realtime.control.setup import CHANGED, RANGES, RESTARTS
from realtime.duplex.live import STEERED
from realtime.errors import RtError, UsageError
from realtime.fields import nearest

FASTEST = 60.0  # meters in a second

Asked = dict[str, Any]


class Desk:
    """Answers requests.

    Args:
        host: who keeps the gate.
        version: of rt-gate.
        stop: ends the program.
    """

    def __init__(self, host: Host, version: str, stop: Callable[[], None]) -> None:
        self._host, self._version, self._stop = host, version, stop
        self._errands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._cpu = (time.monotonic(), 0.0, 0.0)
        self._quick: dict[str, Callable[[Peer, Asked], Asked]] = {
            "state": lambda _peer, _asked: self.state(),
            "settings": lambda _peer, _asked: self._settings(),
            "bypass": self._switch,
            "mute": self._switch,
            "meters": self._meters,
            "events": self._events,
            "stop": self._end,
        }
        self._slow: dict[str, Callable[[Asked], Asked]] = {"hello": self._hello}
        threading.Thread(target=self._run, name="control desk", daemon=True).start()

    # --- for the server -----------------------------------------------------------------------

    def greeting(self) -> dict[str, Any]:
        """What a client is told that knows the token."""
        return {
            "program": "rt-gate",
            "version": self._version,
            "protocol": protocol.PROTOCOL,
            "pid": os.getpid(),
        }

    def ask(self, peer: Peer, name: str, asked: Asked, answer: Answer) -> None:
        """Do what a request says.

        Raises:
            RtError: it is refused.
        """
        if name in self._quick:
            answer(self._quick[name](peer, asked))
        elif name == "set":
            said = asked.get("settings")
            if not isinstance(said, dict):
                raise UsageError("settings is no object", '{"settings": {"threshold": 0.6}}')
            self._host.change(said, answer)
        elif name in self._slow:
            self._errands.put(lambda: self._do(name, asked, answer))
        else:
            known = sorted([*self._quick, *self._slow, "set"])
            raise UsageError(f"there is no request {name}", nearest(name, known))

    def meters(self, peer: Peer) -> dict[str, Any]:
        """What the meters show, with the hops that the client has not got yet."""
        state = self._host.state()
        what = protocol.rounded(msgspec.to_builtins(state))
        level = what["input_db"]
        return what | {
            "phase": self._host.phase,
            "hops": [[what["t"], level, what["score"], what["gain_db"]]],
        }

    def tick(self) -> float:
        """Nothing is to be done between requests."""
        return 1.0

    def left(self, peer: Peer) -> None:
        """A client is gone."""

    # --- what is asked ------------------------------------------------------------------------

    def state(self) -> Asked:
        """The gate's state, and the program's."""
        host = self._host
        state = protocol.rounded(msgspec.to_builtins(host.state()))
        started, trouble = host.started, host.trouble
        return state | {
            "phase": host.phase,
            "trouble": str(trouble) if trouble is not None else "",
            "hint": trouble.hint if trouble is not None else "",
            "input": started.input if started is not None else "",
            "output": started.output if started is not None else "",
            "restarts": host.restarts,
        }

    def _settings(self) -> Asked:
        setup = self._host.setup
        options = msgspec.to_builtins(setup.options)
        return {
            "settings": msgspec.to_builtins(setup.settings),
            "options": {name: options[name] for name in CHANGED},
        }

    def _switch(self, _peer: Peer, asked: Asked) -> Asked:
        name, on = asked["do"], protocol.switch(asked)
        self._host.switch(**{name: on})
        return {name: on}

    def _meters(self, peer: Peer, asked: Asked) -> Asked:
        rate = protocol.number(asked, "rate", 30.0, 0.0, FASTEST)
        peer.every_s = 1.0 / rate if rate else 0.0
        peer.next_s = time.monotonic()
        return {"rate": rate}

    def _events(self, peer: Peer, asked: Asked) -> Asked:
        peer.events = protocol.switch(asked)
        return {"events": peer.events}

    def _end(self, _peer: Peer, _asked: Asked) -> Asked:
        self._stop()
        return {}

    def _hello(self, _asked: Asked) -> Asked:
        setup = self._host.setup
        card = setup.runner.card if setup.runner is not None else None
        model = None
        if card is not None:
            model = {
                "name": card.name,
                "task": card.task,
                "labels": list(card.labels),
                "lookahead_ms": list(card.lookahead_ms),
                "rate": card.rate,
                "licence": card.licence,
                "threshold": card.threshold(card.labels[setup.settings.score]),
                "hysteresis": card.decision.hysteresis,
            }
        started = self._host.started
        return self.greeting() | {
            "model": model,
            "started": msgspec.to_builtins(started) if started is not None else None,
            **self._settings(),
            "steered": list(STEERED),
            "restarts": list(RESTARTS),
            "ranges": {name: list(RANGES[name]) for name in RANGES if name in CHANGED},
            "state": self.state(),
        }

    # --- errands ------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._errands.get()()

    def _do(self, name: str, asked: Asked, answer: Answer) -> None:
        try:
            answer(self._slow[name](asked))
        except RtError as e:
            answer(e)
        except Exception as e:
            answer(RtError(f"{name} failed: {e!r}", "a fault of the program"))
