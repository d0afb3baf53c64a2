"""`ControlClient`: the other side of the control socket, for scripts, tests and the panel.

    with ControlClient.find() as gate:
        gate.request("set", settings={"threshold": 0.6})
        gate.request("events", on=True)
        for line in gate.pushes():
            print(line)

Any thread may ask. A thread of its own reads: it hands replies to who waits for them and keeps
the other lines, the newest MOST_PUSHES of them.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import socket
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from realtime.control import protocol, runfile
from realtime.errors import RtError, UsageError

CONNECT_S = 5.0
GREET_S = 30.0  # the gate may be busy with devices, or its machine with something else
REPLY_S = 60.0  # opening devices may take long
MOST_PUSHES = 4096


class ControlError(RtError):
    """A gate refuses a request, or is gone."""


class ControlClient:
    """A connection to a gate.

    Args:
        port: where it listens.
        token: what it wants to hear.
        host: of a tunnel that does not end on this machine's loopback.

    Attributes:
        greeting: what the gate said of itself: "version", "protocol", "pid".
        lost: pushes that nobody fetched in time.

    Raises:
        ControlError: no gate listens there, or the token is wrong.
    """

    def __init__(self, port: int, token: str, host: str = protocol.HOST) -> None:
        try:
            self._socket = socket.create_connection((host, port), CONNECT_S)
        except OSError as e:
            raise ControlError(
                f"no gate listens at {host}:{port}: {e.strerror or e}",
                "start rt-gate --control",
            ) from e
        self._socket.settimeout(GREET_S)
        self._file = self._socket.makefile("rb")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lock = threading.Lock()  # of sending
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._pushed: deque[dict[str, Any]] = deque()
        self._news = threading.Condition()
        self._gone = False
        self.lost = 0
        try:
            self._send({"token": token})
            self.greeting = self._greet()
        except BaseException:
            self._socket.close()
            raise
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, name="control client", daemon=True)
        self._reader.start()

    @classmethod
    def find(cls, path: str | Path | None = None) -> Self:
        """Connect to the gate of a run file, or to the one of this user that runs.

        Raises:
            UsageError: the file is none; or no gate runs, or several do.
            ControlError: as the class.
        """
        if path is not None:
            one = runfile.read(path)
            return cls(one.port, one.token)
        found = runfile.listening()
        if len(found) != 1:
            several = ", ".join(f"gate-{one.pid}.json" for one in found)
            raise UsageError(
                f"{len(found)} gates run with --control{': ' if several else ''}{several}",
                f"name one of the files in {runfile.folder()}" if found else "start one",
            )
        return cls(found[0].port, found[0].token)

    def __enter__(self) -> Self:
        """It is connected already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave."""
        self.close()

    def request(self, do: str, *, timeout_s: float = REPLY_S, **fields: Any) -> dict[str, Any]:
        """Ask, and wait for the answer.

        Args:
            do: name of the request; docs/control.md has them.
            timeout_s: how long to wait.
            fields: of the request.

        Raises:
            ControlError: the gate refuses, does not answer, or is gone.
        """
        number = next(self._numbers)
        answer: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._waiting[number] = answer
        try:
            if self._gone:
                raise _gone()
            self._send({"id": number, "do": do, **fields})
            found = answer.get(timeout=timeout_s)
        except queue.Empty:
            raise ControlError(f"no answer to {do} within {timeout_s:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in found:
            raise ControlError(found["error"], found.get("hint", ""))
        ok: dict[str, Any] = found["ok"]
        return ok

    def pushes(self, timeout_s: float | None = None) -> Iterator[dict[str, Any]]:
        """Lines that nobody asked for, as they come, until the gate ends.

        Args:
            timeout_s: end, too, when none comes for so long.
        """
        while True:
            with self._news:
                self._news.wait_for(lambda: self._pushed or self._gone, timeout_s)
                if not self._pushed:
                    return
                line = self._pushed.popleft()
            yield line

    def close(self) -> None:
        """Leave; the gate goes on."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(CONNECT_S)
        self._file.close()
        self._socket.close()

    def _greet(self) -> dict[str, Any]:
        try:
            line = self._file.readline()
        except OSError as e:
            raise ControlError("what listens there does not answer", "is it a gate?") from e
        try:
            said = protocol.parse(line)
        except UsageError as e:
            raise ControlError("what listens there is no gate") from e
        if "error" in said:
            raise ControlError(str(said["error"]), str(said.get("hint", "")))
        hello: dict[str, Any] = said.get("ok", {})
        return hello

    def _send(self, what: dict[str, Any]) -> None:
        line = protocol.encode(what)
        if len(line) > protocol.MOST_LINE:
            raise ControlError("the request is too long for a line")
        try:
            with self._lock:
                self._socket.sendall(line)
        except OSError as e:
            raise _gone() from e

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, UsageError):
            for line in self._file:
                self._take(protocol.parse(line))
        self._gone = True
        for answer in list(self._waiting.values()):
            answer.put({"error": str(_gone())})
        with self._news:
            self._news.notify_all()

    def _take(self, said: dict[str, Any]) -> None:
        if "id" in said:
            answer = self._waiting.get(said["id"])
            if answer is not None:
                answer.put(said)
            return
        with self._news:
            if len(self._pushed) == MOST_PUSHES:
                self._pushed.popleft()
                self.lost += 1
            self._pushed.append(said)
            self._news.notify()


def _gone() -> ControlError:
    return ControlError("the gate is gone")
