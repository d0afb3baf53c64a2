"""`Delivery`: a bounded queue and a thread between the engine and a receiver that may be slow.

Used by the outputs that talk to something outside: MQTT, webhook, commands, Wyoming, clips.
`put` never waits, whatever the receiver does; what finds no room pushes out the oldest. An item
that could not be delivered is tried again while it is fresh. All that was not delivered is
counted, said in the log when it begins and once a minute, and told at the end by `counts`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 10.0
REMIND_S = 60.0  # between two log lines about the same trouble

Item = TypeVar("Item")

log = logging.getLogger("rt.realtime.outputs")


class Undelivered(Exception):  # noqa: N818  says what happened
    """The receiver did not take an item. The text says why, without secrets.

    Args:
        why: for the log.
        again: whether another try makes sense.
    """

    def __init__(self, why: str, *, again: bool = True) -> None:
        super().__init__(why)
        self.again = again


class Delivery(Generic[Item]):
    """One receiver's queue and thread.

    Args:
        name: of the receiver, for log lines; no secrets.
        deliver: gives one item to the receiver, in the thread; False if it need not be given.
            Raises `Undelivered`, or OSError, which is tried again.
        capacity: items that may wait.
        fresh_s: seconds after which an item is no longer tried again; 0 is one try.

    Attributes:
        delivered: items that arrived.
        lost: items that did not.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[Item], bool | None],
        *,
        capacity: int = 1000,
        fresh_s: float = 0.0,
    ) -> None:
        self.name = name
        self.delivered = self.lost = 0
        self._deliver = deliver
        self._capacity = capacity
        self._fresh_s = fresh_s
        self._items: deque[tuple[float, Item]] = deque()
        self._change = threading.Condition()
        self._busy = self._closing = False
        self._troubled = False
        self._kinds: set[str] = set()  # of trouble that the log has
        self._said = float("-inf")
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Leave an item; never waits for the receiver."""
        with self._change:
            full = len(self._items) >= self._capacity
            if full:
                self._items.popleft()
                self.lost += 1
            self._items.append((time.monotonic(), item))
            self._change.notify_all()
        if full:
            self._trouble(f"does not keep up, {self._capacity} wait")

    def counts(self) -> str:
        """How many were delivered and lost, as text."""
        lost = f", {self.lost} LOST" if self.lost else ""
        return f"{self.name}: {self.delivered} delivered{lost}"

    def close(self, patience_s: float = 5.0) -> None:
        """Deliver what waits, for so long at most; the rest is lost, and counted."""
        until = time.monotonic() + patience_s
        with self._change:
            while (self._items or self._busy) and time.monotonic() < until:
                self._change.wait(until - time.monotonic())
            self._closing = True
            self.lost += len(self._items)
            self._items.clear()
            self._change.notify_all()
        self._thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while True:
            with self._change:
                self._busy = False
                self._change.notify_all()
                while not self._items and not self._closing:
                    self._change.wait()
                if self._closing:
                    return
                born, item = self._items.popleft()
                self._busy = True
            self._try(born, item)

    def _try(self, born: float, item: Item) -> None:
        """Deliver one item, or count it as lost."""
        pause = FIRST_RETRY_S
        while True:
            try:
                needed = self._deliver(item) is not False
            except (OSError, Undelivered) as e:
                again = not isinstance(e, Undelivered) or e.again
                why = str(e) or type(e).__name__
                left = born + self._fresh_s - time.monotonic()
            except Exception as e:  # a fault of ours must not end the thread
                log.exception("%s: fault", self.name)
                again, why, left = False, str(e), 0.0
            else:
                self.delivered += needed
                if self._troubled and needed:
                    self._troubled = False
                    self._kinds.clear()
                    log.warning("%s: works again; %d lost so far", self.name, self.lost)
                return
            self._trouble(why)
            if not again or left <= 0 or not self._pause(min(pause, left)):
                self.lost += 1
                return
            pause = min(2 * pause, LAST_RETRY_S)

    def _pause(self, seconds: float) -> bool:
        """Wait; False if closed meanwhile."""
        until = time.monotonic() + seconds
        with self._change:
            while not self._closing and time.monotonic() < until:
                self._change.wait(until - time.monotonic())
            return not self._closing

    def _trouble(self, why: str) -> None:
        now, kind = time.monotonic(), why.partition(":")[0]
        if now - self._said > REMIND_S:
            self._kinds.clear()
        self._troubled = True
        if kind not in self._kinds:
            self._kinds.add(kind)
            self._said = now
            log.warning("%s: %s (%d lost so far)", self.name, why, self.lost)
