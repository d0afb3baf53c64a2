"""`Desk`: what each request of the control socket does. Called by `server.py`.

Requests that look, switch or steer are answered at once, those that take a new start by the
host's thread, and the rest by one of the desk's own, one after the other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import msgspec

from realtime.control import listing, protocol
from realtime.control.clip import LONGEST_S, save_clip
from realtime.control.errands import Errands, Work
from realtime.control.host import Host
from realtime.control.lesson import Lessons
from realtime.control.peer import Peer
from realtime.control.reception import Answer
from realtime.control.setup import CHANGED, RANGES, RESTARTS
from realtime.duplex.history import History
from realtime.duplex.live import STEERED
from realtime.errors import AudioError, UsageError
from realtime.fields import nearest

FASTEST = 60.0  # meters in a second
HOP_S = 0.01
SHARE_S = 1.0  # over which the share of the processor is taken

Asked = dict[str, Any]


class Desk:
    """Answers requests.

    Args:
        host: who keeps the gate.
        version: of rt-gate.
        push: tells all clients that want events.
        stop: ends the program.
    """

    def __init__(
        self,
        host: Host,
        version: str,
        push: Callable[[dict[str, Any]], None],
        stop: Callable[[], None],
    ) -> None:
        self._host, self._version, self._stop = host, version, stop
        self._lessons = Lessons(lambda what: push({"learn": what}))
        self._gates = listing.Gates()
        self._errands = Errands("control desk")
        self._looking = Errands("control devices")  # a sound server may hang
        self._spent = (time.monotonic(), time.process_time(), 0.0)
        self._cpu_pct = 0.0
        self._seen: dict[Peer, tuple[History | None, int]] = {}  # by who wants meters
        self._quick: dict[str, Callable[[Peer, Asked], Asked]] = {
            "state": lambda _peer, _asked: self.state(),
            "settings": lambda _peer, _asked: self._host.setup.in_force(),
            "bypass": self._switch,
            "mute": self._switch,
            "meters": self._meters,
            "events": self._events,
            "stop": self._end,
        }
        self._slow: dict[str, Callable[[Asked], Asked]] = {
            "hello": self._hello,
            "models": self._models,
            "learn": self._lessons.begin,
            "learn_stop": lambda _asked: {"stopped": self._lessons.stop()},
        }

    # --- for the server -----------------------------------------------------------------------

    def greeting(self) -> dict[str, Any]:
        """What a client is told that knows the token."""
        return {
            "program": "rt-gate",
            "version": self._version,
            "protocol": protocol.PROTOCOL,
            "pid": os.getpid(),
        }

    def ask(self, peer: Peer, name: str, asked: Asked, later: Answer) -> Asked | None:
        """Do what a request says, now or later.

        Raises:
            RtError: it is refused.
        """
        if name in self._quick:
            return self._quick[name](peer, asked)
        if name == "set":
            said = asked.get("settings")
            if not isinstance(said, dict):
                raise UsageError(
                    f"settings is {said!r}", 'give an object: {"settings": {"threshold": 0.6}}'
                )
            return self._host.change(said, later)
        if name == "devices":
            self._looking.add(lambda: dict(listing.list_devices()), later)
            return None
        if name == "clip":
            self._errands.add(self._clip(asked), later)
            return None
        if name in self._slow:
            self._errands.add(lambda: self._slow[name](asked), later)
            return None
        known = sorted([*self._quick, *self._slow, "set", "devices", "clip"])
        raise UsageError(f"there is no request {name}", nearest(name, known))

    def meters(self, peer: Peer) -> dict[str, Any]:
        """What the meters show, with the hops that the client has not got yet."""
        history, last = self._seen.get(peer, (None, 0))
        now = self._host.history
        if history is not now:
            history, last = now, 0
        hops: list[list[float | None]] = []
        if now is not None:
            last, new = now.hops(last)
            hops = [[_short(x) for x in msgspec.structs.astuple(hop)] for hop in new]
        self._seen[peer] = (history, last)
        return self._state() | {"hops": hops}

    def tick(self) -> float:
        """Note what nobody else does; in how many seconds to do so again."""
        self._count()
        if not self._seen:
            return SHARE_S
        history = self._host.history
        if history is None or not history.look():
            return SHARE_S
        return HOP_S

    def left(self, peer: Peer) -> None:
        """A client is gone."""
        self._seen.pop(peer, None)

    def close(self) -> None:
        """End what still runs."""
        self._lessons.stop()

    # --- what is asked ------------------------------------------------------------------------

    def state(self) -> Asked:
        """The gate's state, and the program's."""
        host = self._host
        started, trouble = host.started, host.trouble
        return self._state() | {
            "trouble": str(trouble) if trouble is not None else "",
            "hint": trouble.hint if trouble is not None else "",
            "input": started.input if started is not None else "",
            "output": started.output if started is not None else "",
            "restarts": host.restarts,
            "learning": self._lessons.runs,
        }

    def _state(self) -> Asked:
        state = protocol.rounded(msgspec.to_builtins(self._host.state()))
        return state | {"phase": self._host.phase, "cpu_pct": self._cpu_pct}

    def _switch(self, _peer: Peer, asked: Asked) -> Asked:
        name, on = asked["do"], protocol.switch(asked)
        self._host.switch(**{name: on})
        return {name: on}

    def _meters(self, peer: Peer, asked: Asked) -> Asked:
        rate = protocol.number(asked, "rate", 30.0, 0.0, FASTEST)
        past = protocol.number(asked, "past", 0.0, 0.0, LONGEST_S)
        peer.every_s = 1.0 / rate if rate else 0.0
        peer.next_s = time.monotonic()
        history = self._host.history
        if not rate:
            self._seen.pop(peer, None)
        elif past or peer not in self._seen:
            last = history.newest if history is not None else 0
            self._seen[peer] = (history, max(0, last - round(past / HOP_S)))
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
        started = self._host.started
        return self.greeting() | {
            "model": listing.describe(card) if card is not None else None,
            "started": msgspec.to_builtins(started) if started is not None else None,
            "settings": setup.in_force(),
            "steered": list(STEERED),
            "restarts": list(RESTARTS),
            "ranges": {name: list(RANGES[name]) for name in RANGES if name in CHANGED},
            "state": self.state(),
            "gates": self._gates.learned(),
        }

    def _models(self, _asked: Asked) -> Asked:
        folder = listing.data_folder("gates")
        return {"models": self._gates.all(), "folder": str(folder)}

    def _clip(self, asked: Asked) -> Work:
        """Take the sound at once; what writes it."""
        seconds = protocol.number(asked, "seconds", LONGEST_S, 0.1, LONGEST_S)
        to = asked.get("to")
        if to is not None and (not isinstance(to, str) or not to):
            raise UsageError(f"to is {to!r}", "give a path, or leave it out")
        history, started = self._host.history, self._host.started
        if history is None or started is None:
            raise AudioError("nothing was heard yet", "it waits for a device")
        t0, sound = history.recent(seconds)
        return lambda: save_clip(sound, t0, started.rate, to)

    # --- what it costs ------------------------------------------------------------------------

    def _count(self) -> None:
        """Take the share of one core that all of rt-gate had lately."""
        now = time.monotonic()
        when, own, sound = self._spent
        if now - when < SHARE_S:
            return
        spent = (now, time.process_time(), self._host.state().sound_cpu_s)
        self._spent = spent
        busy = spent[1] - own + max(0.0, spent[2] - sound)
        self._cpu_pct = round(100.0 * busy / (now - when), 1)


def _short(value: float | None) -> float | None:
    return value if value is None else round(value, protocol.DECIMALS)
