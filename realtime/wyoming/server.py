"""`--wyoming URI`: the wake service. An `Output` of the own microphone's engine, and a server.

A client that says `detect` is told what the own microphone hears. One that sends sound is told
what is in it, by an engine of its own, until `audio-stop`; that ends with `not-detected` if
nothing was. Each connection has a thread; how many there may be, and how many may send sound,
is bounded. What the own microphone hears goes through a `Delivery`: a client that does not read
is let go, and nothing waits for it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from realtime.engine import Engine
from realtime.errors import RtError
from realtime.outputs import Event, Opening, Output, Reading, Start
from realtime.outputs.delivery import Delivery
from realtime.service_fields import WyomingSettings
from realtime.wyoming.address import listen
from realtime.wyoming.satellite import Detections, Satellite, detection
from realtime.wyoming.wire import Gone, Message, Wire, WyomingError

WAITING = 100
PATIENCE_S = 2.0

MakeEngine = Callable[[Sequence[Output]], Engine]

log = logging.getLogger("rt.realtime.wyoming")


class WyomingService:
    """Listens, answers and tells.

    Args:
        settings: where, and how many.
        make_engine: makes an engine, with a model of its own, for a satellite's sound.
        labels: that can be detected.
        model: name of the model, and its description.
        version: ours.

    Attributes:
        streams: of satellites, that were heard to their end or went on until now.

    Raises:
        UsageError: the address is none.
        OutputError: it is taken.
    """

    def __init__(
        self,
        settings: WyomingSettings,
        make_engine: MakeEngine,
        labels: Sequence[str],
        model: str,
        version: str = "",
    ) -> None:
        self._settings, self._make_engine = settings, make_engine
        self.labels = tuple(labels)
        self.info = _info(self.labels, model, version)
        self.streams = 0
        self.seats = threading.BoundedSemaphore(settings.streams)
        self._connections: set[_Connection] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._socket, self.shown, self._forget = listen(settings.uri)
        self.delivery: Delivery[tuple[str, int, float]] = Delivery(
            f"wyoming {self.shown}", self._tell, capacity=WAITING
        )
        threading.Thread(target=self._accept, name="wyoming", daemon=True).start()

    # --- the own microphone's output ------------------------------------------------------

    def open(self, opening: Opening) -> None:
        """Times are milliseconds since the first sample that the microphone gave."""

    def reading(self, reading: Reading) -> None:
        """Readings are not told."""

    def event(self, event: Event) -> None:
        """A start is told to those who said `detect`."""
        if isinstance(event, Start):
            self.delivery.put((event.label, 0, event.t))

    def end(self, t: float) -> None:
        """The microphone ended; satellites go on until `close`."""

    def close(self, complete: bool) -> None:
        """Stop listening and let everyone go."""
        self.delivery.close(PATIENCE_S)
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._forget()
        with self._lock:
            there = list(self._connections)
        for connection in there:
            connection.wire.close()
        until = time.monotonic() + PATIENCE_S
        for connection in there:
            connection.join(max(0.0, until - time.monotonic()))

    def counts(self) -> str:
        """What was told, and how many streams were heard."""
        return f"{self.delivery.counts()}, {self.streams} streams of satellites heard"

    def _tell(self, what: tuple[str, int, float]) -> bool:
        """Tell one detection to everyone who wants it. In the delivery's thread."""
        with self._lock:
            there = [c for c in self._connections if c.wants(what[0])]
        told = 0
        for connection in there:
            try:
                connection.wire.write("detection", detection(*what))
                told += 1
            except Gone as e:
                log.warning("%s: %s: let go", connection.name, e)
                self.delivery.lost += 1
                connection.wire.close()
        return told > 0

    # --- the server -----------------------------------------------------------------------

    def engine(self, outputs: Sequence[Output]) -> Engine:
        """An engine for one satellite."""
        return self._make_engine(outputs)

    def left(self, connection: _Connection) -> None:
        """A connection is over."""
        with self._lock:
            self._connections.discard(connection)

    def _accept(self) -> None:
        while not self._closed:
            try:
                sock, peer = self._socket.accept()
            except OSError as e:
                if not self._closed:
                    log.warning("wyoming %s: %s", self.shown, e)  # too many open files
                    time.sleep(1.0)
                continue
            with self._lock:
                full = len(self._connections) >= self._settings.connections
                if not full:
                    connection = _Connection(self, sock, str(peer[0] if peer else "local"))
                    self._connections.add(connection)
            if full:
                log.warning("wyoming %s: full, a connection was refused", self.shown)
                sock.close()
            else:
                connection.start()


class _Connection(threading.Thread):
    """One client."""

    def __init__(self, service: WyomingService, sock: socket.socket, peer: str) -> None:
        super().__init__(name=f"wyoming client {peer}", daemon=True)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # not of a unix socket
        self.wire = Wire(sock)
        self._service = service
        self._names: frozenset[str] | None = None  # that it wants; None is any
        self._detect = self._streaming = False

    def wants(self, label: str) -> bool:
        """Whether it wants to be told of the own microphone."""
        named = self._names is None or label in self._names
        return self._detect and not self._streaming and named

    def run(self) -> None:
        """Answer until it goes."""
        try:
            while (message := self.wire.read()) is not None:
                if message.type in ("audio-start", "audio-chunk"):
                    self._stream(message)
                else:
                    self._answer(message)
        except WyomingError as e:
            log.warning("%s: %s", self.name, e)
            with contextlib.suppress(Gone):
                self.wire.write("error", {"text": str(e), "code": "bad-message"})
        except Gone as e:
            log.info("%s: %s", self.name, e)
        except Exception:
            log.exception("%s: fault", self.name)
        finally:
            self._service.left(self)
            self.wire.end()

    def _answer(self, message: Message) -> None:
        """What is no sound. Unknown messages are dropped, as the protocol asks."""
        if message.type == "describe":
            self.wire.write("info", self._service.info)
        elif message.type == "ping":
            self.wire.write("pong", {"text": message.data.get("text")})
        elif message.type == "detect":
            self._choose(message.data.get("names"))

    def _choose(self, names: Any) -> None:
        """Remember which labels it wants."""
        if names is not None and not (
            isinstance(names, list) and all(isinstance(n, str) for n in names)
        ):
            raise WyomingError("names is no list of names")
        known = frozenset(names or ()) & set(self._service.labels)
        if names and not known:
            raise WyomingError(f"no such names; there is {', '.join(self._service.labels)}")
        self._names = known or None
        self._detect = True

    def _stream(self, first: Message) -> None:
        """Hear its sound to the end."""
        service = self._service
        satellite = Satellite(self.wire, first, self._answer)
        if not service.seats.acquire(blocking=False):
            raise WyomingError("too many satellites send sound: raise wyoming.streams")
        self._streaming = True
        try:
            detections = Detections(self.wire, satellite, lambda: self._names)
            service.engine([detections]).run(satellite)
            service.streams += 1
        except RtError as e:
            raise WyomingError(e.line()) from e
        finally:
            self._streaming = False
            service.seats.release()
        if not detections.count:
            self.wire.write("not-detected")


def _info(labels: Sequence[str], model: str, version: str) -> dict[str, Any]:
    """The data of `info`."""
    about = {
        "attribution": {"name": "rt-tag", "url": ""},
        "installed": True,
        "version": version or None,
    }
    models = [
        {
            "name": label,
            "description": f"{label} ({model})",
            "phrase": label.replace("_", " "),
            "languages": [],
            **about,
        }
        for label in labels
    ]
    program = {"name": "rt-tag", "description": "Sounds and words", "models": models, **about}
    return {"wake": [program]}
