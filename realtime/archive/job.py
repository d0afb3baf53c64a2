"""`Job`: all that a worker needs to know. `Tagger`: a model, and what it hears in a file."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import msgspec

from realtime.archive.files import Entry
from realtime.card import Card, Decision
from realtime.engine import Engine
from realtime.errors import AudioError, ModelError
from realtime.library import find_model
from realtime.outputs import Event, Opening, Reading, Start, Stop
from realtime.outputs.message import DECIMALS
from realtime.places import shown
from realtime.runners import open_runner
from realtime.sources import open_source

log = logging.getLogger("rt.realtime.archive")


class Job(msgspec.Struct, frozen=True):
    """How files are tagged. Two runs with equal jobs give equal rows.

    Args:
        model: a shipped name, or a file's absolute path.
        digest: SHA-256 of the model's file.
        card: in place of the model's own.
        runtime: which of a shipped name's files; "" is any.
        threads: inside one run of the model.
        decision: how scores become events.
        thresholds: of each label.
        hop_s: seconds between decisions; None is the card's.
        rate: of raw PCM, Hz.
        channels: of raw PCM.
        format: of raw PCM.
    """

    model: str
    digest: str
    card: Card | None
    runtime: str
    threads: int
    decision: Decision
    thresholds: dict[str, float]
    hop_s: float | None = None
    rate: int | None = None
    channels: int | None = None
    format: str | None = None

    def key(self) -> str:
        """The same for equal jobs only, whichever way the model was named."""
        plain = msgspec.structs.replace(self, model="", runtime="", threads=1)
        return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()[:32]


class Tag(msgspec.Struct, frozen=True, array_like=True):
    """One event: a label, its start and stop in seconds of the file, and its best score."""

    label: str
    start: float
    stop: float
    peak: float


class Outcome(msgspec.Struct, frozen=True):
    """What became of a file.

    Args:
        name: of the entry.
        size: of the file when it was listed.
        changed: when it had been changed by then, nanoseconds.
        seconds: of sound that were heard.
        tags: in the order of their starts.
        fault: why it could not be read, or not to its end; "" for nothing.
    """

    name: str
    size: int
    changed: int
    seconds: float
    tags: tuple[Tag, ...]
    fault: str = ""


class Tagger:
    """A model, ready for one file after another.

    Args:
        job: what to do.

    Raises:
        ModelError: the model cannot be opened, or is another one here.
    """

    def __init__(self, job: Job) -> None:
        path = find_model(job.model, job.runtime)
        if digest_of(path) != job.digest:
            raise ModelError(
                f"{path} is not the model that this run began with",
                "install the same version everywhere",
            )
        runner = open_runner(path, job.card, job.runtime or None, job.threads)
        self._job = job
        self._heard = _Heard()
        self._engine = Engine(
            runner,
            [self._heard],
            decision=job.decision,
            thresholds=job.thresholds,
            hop_s=job.hop_s,
        )

    def tag(self, entry: Entry) -> Outcome:
        """Hear one file. What is wrong with it is told in the outcome, never raised."""
        job, fault = self._job, ""
        self._heard.clear()
        try:
            source = open_source(
                os.fsdecode(entry.path), rate=job.rate, channels=job.channels, format=job.format
            )
            self._engine.run(source)
        except AudioError as e:
            fault = _plain(e.line(), entry)
        except Exception as e:  # one file of a million must not end the night's work
            log.debug("%s", entry.name, exc_info=True)
            fault = f"a fault of this program: {type(e).__name__}: {e}"
        return Outcome(
            name=entry.name,
            size=entry.size,
            changed=entry.changed,
            seconds=round(self._heard.seconds, DECIMALS),
            tags=tuple(sorted(self._heard.tags, key=lambda t: (t.start, t.stop, t.label))),
            fault=fault,
        )


def digest_of(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise ModelError(f"{path}: {e.strerror}", "give the same model to all workers") from e


class _Heard:
    """An output that pairs starts and stops."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget the last file."""
        self.tags: list[Tag] = []
        self.seconds = 0.0
        self._open: dict[str, float] = {}

    def open(self, opening: Opening) -> None:
        """Nothing to prepare."""

    def reading(self, reading: Reading) -> None:
        """Scores are not kept."""
        self.seconds = reading.t

    def event(self, event: Event) -> None:
        """Keep what has a beginning and an end."""
        if isinstance(event, Start):
            self._open[event.label] = event.t
        elif isinstance(event, Stop):
            start, stop = self._open.pop(event.label), event.t
            self.tags.append(
                Tag(
                    event.label,
                    round(start, DECIMALS),
                    round(stop, DECIMALS),
                    round(event.peak, DECIMALS),
                )
            )

    def end(self, t: float) -> None:
        """Length of the file."""
        self.seconds = t

    def close(self, complete: bool) -> None:
        """Nothing to close."""


def _plain(line: str, entry: Entry) -> str:
    """An error's line without the file's name, which stands beside it, and as text."""
    text = line.encode("utf-8", "backslashreplace").decode()
    name = " ".join(shown(os.fsdecode(entry.path)).split())  # as `RtError.line` has it
    return text.removeprefix(f"{name}: ")
