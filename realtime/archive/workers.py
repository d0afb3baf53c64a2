"""Processes of this machine that tag files, each with a model of its own.

A worker is a fresh interpreter at the other end of a pipe. It hears one file after the other
until the pipe is closed, which also happens when the process that started it is killed. A
worker that dies (a decoder that a broken file leads astray, memory that is gone) is replaced,
and its file tried once more; if that kills the next one too, it is a fault of the file.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

import msgspec

from realtime.archive.files import Entry
from realtime.archive.job import Job, Outcome, Tagger
from realtime.errors import ModelError, RtError

AHEAD = 2  # files that a worker has at once: the next one waits for no answer
TRIES = 2
PATIENCE_S = 2.0  # for workers to end

Failure = tuple[str, str]  # message and hint of what a worker could not begin with


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """So many workers for one job.

    Args:
        job: what to do.
        count: of workers.
    """

    def __init__(self, job: Job, count: int) -> None:
        self._job = msgspec.json.encode(job)
        self._level = logging.getLogger("rt").getEffectiveLevel()
        self._tries: Counter[str] = Counter()
        self._stopped = False
        self._workers = [self._start() for _ in range(count)]

    def outcomes(self, entries: Sequence[Entry]) -> Iterator[Outcome]:
        """What becomes of files, as it is known, until all are done or `stop`.

        Raises:
            ModelError: a worker cannot open the model.
        """
        waiting = deque(entries)
        while not self._stopped and (waiting or any(w.has for w in self._workers)):
            for worker in self._workers:
                while waiting and len(worker.has) < (AHEAD if worker.ready else 1):
                    worker.give(waiting.popleft())
            busy = {w.pipe: w for w in self._workers if w.has}
            for pipe in wait(list(busy), timeout=1.0):
                outcome = self._hear(busy[pipe], waiting)  # type: ignore[index]
                if outcome is not None:
                    yield outcome

    def stop(self) -> None:
        """End `outcomes` soon; what workers have in hand is not done."""
        self._stopped = True

    def close(self) -> None:
        """End the workers, those that are at work too."""
        for worker in self._workers:
            worker.pipe.close()
            if worker.has:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(PATIENCE_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _hear(self, worker: _Worker, waiting: deque[Entry]) -> Outcome | None:
        try:
            said = worker.pipe.recv_bytes()
        except (EOFError, ConnectionResetError):
            return self._bury(worker, waiting)
        if not worker.ready:
            failure = msgspec.json.decode(said, type=Failure | None)
            if failure is not None:
                raise ModelError(*failure)
            worker.ready = True
            return None
        worker.has.popleft()
        return msgspec.json.decode(said, type=Outcome)

    def _bury(self, worker: _Worker, waiting: deque[Entry]) -> Outcome | None:
        """Replace a worker that died; the outcome of the file that it died of, if it did."""
        worker.process.join()
        why = _end_of(worker.process.exitcode)
        if not worker.ready:
            raise ModelError(f"a worker {why} while it opened the model", "use fewer --jobs")
        first, *rest = worker.has
        self._tries[first.name] += 1
        given_up = self._tries[first.name] >= TRIES
        waiting.extendleft(reversed(rest if given_up else [*rest, first]))
        self._workers[self._workers.index(worker)] = self._start()
        worker.pipe.close()
        if not given_up:
            return None
        return Outcome(
            first.name, first.size, first.changed, 0.0, (), f"the worker that heard it {why}"
        )

    def _start(self) -> _Worker:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(
            target=_serve,
            args=(theirs, self._job, self._level),
            daemon=True,
            name="rt-tag worker",
        )
        process.start()
        theirs.close()  # so that its end is ours to notice
        return _Worker(process, ours)


class _Worker:
    """One worker as its owner sees it."""

    def __init__(self, process: Any, pipe: Connection[bytes, bytes]) -> None:
        self.process = process
        self.pipe = pipe
        self.ready = False
        self.has: deque[Entry] = deque()

    def give(self, entry: Entry) -> None:
        self.has.append(entry)
        try:
            self.pipe.send_bytes(msgspec.json.encode(entry))
        except (BrokenPipeError, ConnectionResetError):
            return  # it died: reading says so


def _serve(pipe: Connection[bytes, bytes], job: bytes, level: int) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    logging.addLevelName(logging.WARNING, "warning")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.getLogger("rt").addHandler(handler)
    logging.getLogger("rt").setLevel(level)
    try:
        try:
            tagger = Tagger(msgspec.json.decode(job, type=Job))
        except RtError as e:
            pipe.send_bytes(msgspec.json.encode((str(e), e.hint)))
            return
        pipe.send_bytes(b"null")
        while True:
            entry = msgspec.json.decode(pipe.recv_bytes(), type=Entry)
            pipe.send_bytes(msgspec.json.encode(tagger.tag(entry)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody is there any more


def _end_of(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by signal {-code}"
    return f"ended with status {code}"
