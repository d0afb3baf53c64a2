"""`Tagger`: realtime's engine in a thread of its own, for the tag page.

Every method returns at once. A new model is opened beside the one that runs, which goes on if
the new one cannot be used; a device that cannot be opened gives way to the one before.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from PyQt6.QtCore import QObject, pyqtBoundSignal, pyqtSignal

from gui.ear import Ear
from gui.gate_devices import open_input
from gui.i18n import tr
from gui.paced import PacedFile
from gui.plain import sentence
from realtime.card import Card
from realtime.engine import Engine
from realtime.errors import CardError, RtError
from realtime.library import find_model
from realtime.runners import Runner, open_runner
from realtime.sources import Source

END_S: Final = 0.9  # that the thread gets at the end; afterwards it dies with the process


class Wish(msgspec.Struct, frozen=True):
    """What shall listen to what.

    Args:
        model: a shipped name, or a file.
        device: name of an input device; empty is the default one.
        exactly: fail if there is no such device; otherwise the default one serves.
        path: a sound file in place of a device.
        thresholds: label to threshold, over the card's.
        speed: of a file.
    """

    model: str
    device: str = ""
    exactly: bool = True
    path: str = ""
    thresholds: dict[str, float] = {}
    speed: float = 1.0


class Session(msgspec.Struct, frozen=True):
    """What listens now.

    Attributes:
        wish: what was asked for.
        card: of the model.
        source: name of the device or file.
        ear: where results are.
    """

    wish: Wish
    card: Card
    source: str
    ear: Ear


class _Order(msgspec.Struct, frozen=True):
    wish: Wish
    runner: Runner
    ticket: int


class Tagger(QObject):
    """Listens, one thing at a time.

    Signals:
        opened: a `Session` began.
        failed: why something could not be opened, in one line; what ran before goes on.
        ended: the session is over; a sentence if it ended by itself.
    """

    opened = pyqtSignal(object)
    failed = pyqtSignal(str)
    ended = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._ticket = 0  # of the newest wish; older ones are void
        self._running = 0  # the ticket that the engine runs for
        self._engine: Engine | None = None
        self._ear: Ear | None = None
        self._thread: threading.Thread | None = None

    @property
    def listens(self) -> bool:
        """Whether a session is on, and nobody has stopped it."""
        with self._lock:
            return self._engine is not None and self._running == self._ticket

    def listen(self, wish: Wish) -> None:
        """Open a model and an input, and take the place of what runs if both can be used."""
        with self._lock:
            self._ticket += 1
            ticket = self._ticket
        threading.Thread(
            target=self._open, args=(wish, ticket), name="model", daemon=True
        ).start()

    def steer(self, thresholds: Mapping[str, float]) -> None:
        """Set the thresholds that are not the card's."""
        ear = self._ear
        if ear is not None:
            ear.steer(dict(thresholds))

    def stop(self) -> None:
        """End the session soon."""
        with self._lock:
            self._ticket += 1
            if self._engine is not None:
                self._engine.stop()

    def finish(self) -> bool:
        """End everything; whether it did in time."""
        self.stop()
        self._orders.put(None)
        if self._thread is None:
            return True
        self._thread.join(END_S)
        return not self._thread.is_alive()

    # --- threads --------------------------------------------------------------------------

    def _open(self, wish: Wish, ticket: int) -> None:
        """Open the model while the old one goes on; then ask the engine's thread to change."""
        try:
            path = find_model(wish.model)
            runner = open_runner(path)
            _require_tagger(runner.card)
        except RtError as e:
            self._refuse(sentence(e, wish.model), ticket)
            return
        except Exception as e:  # a model file may make a runtime raise anything
            why = tr("{file} cannot be used: {why}", file=Path(wish.model).name, why=e)
            self._refuse(why, ticket)
            return
        with self._lock:
            if ticket != self._ticket:
                return
            self._orders.put(_Order(wish, runner, ticket))
            if self._engine is not None:
                self._engine.stop()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="tagger", daemon=True)
                self._thread.start()

    def _refuse(self, why: str, ticket: int) -> None:
        """Say why not; what runs goes on as the newest."""
        with self._lock:
            if ticket == self._ticket:
                self._running = ticket
        self._tell(self.failed, why)

    def _work(self) -> None:
        """The engine's thread: one order after the other."""
        before: _Order | None = None
        while (order := self._orders.get()) is not None:
            source = self._source_of(order)
            if source is None and before is not None and self._is_newest(order):
                order = msgspec.structs.replace(before, ticket=order.ticket)
                source = self._source_of(order)
            if source is None:
                self._tell(self.ended, "")
                continue
            before = order
            self._run(order, source)

    def _source_of(self, order: _Order) -> Source | None:
        """The input of an order; None if it cannot be opened, which is said."""
        if not self._is_newest(order):
            return None
        wish = order.wish
        try:
            if wish.path:
                return PacedFile(wish.path, wish.speed)
            return open_input(wish.device, wish.exactly)
        except RtError as e:
            self._tell(self.failed, sentence(e, wish.path))
            return None

    def _run(self, order: _Order, source: Source) -> None:
        """Run the engine until it is stopped or its input ends."""
        card, wish = order.runner.card, order.wish
        ear = Ear(card.window_s)
        # a label that the model does not have came from another model of that name
        own = {k: v for k, v in wish.thresholds.items() if k in card.labels or k == "default"}
        engine = Engine(order.runner, [ear], thresholds=own)
        ear.decider = engine.decider
        with self._lock:
            if order.ticket == self._ticket:
                self._engine, self._ear, self._running = engine, ear, order.ticket
        if self._engine is not engine:  # something newer was asked for meanwhile
            source.close()
            self._tell(self.ended, "")
            return
        self._tell(self.opened, Session(wish, card, source.name, ear))
        said = ""
        try:
            report = engine.run(source)
            if not report.interrupted and wish.path:
                said = tr("{file} is over.", file=source.name)
        except RtError as e:
            said = sentence(e, wish.path)
        except Exception as e:  # a model may fail at its first window
            said = tr("The model failed: {why}", why=e)
        with self._lock:
            self._engine = None
        self._tell(self.ended, said)

    def _tell(self, signal: pyqtBoundSignal, what: object) -> None:
        """Emit from a thread that may outlive this object."""
        with contextlib.suppress(RuntimeError):
            signal.emit(what)

    def _is_newest(self, order: _Order) -> bool:
        with self._lock:
            return order.ticket == self._ticket


def _require_tagger(card: Card) -> None:
    """Refuse a gate.

    Raises:
        CardError: so.
    """
    if card.task == "gate":
        raise CardError(
            tr("{name} is a gate and names no sounds", name=card.name),
            tr("Choose it on the gate page."),
        )
