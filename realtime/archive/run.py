"""THE PAGE: list the files, tag what is left to do, write the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from realtime.archive.files import Entry
from realtime.archive.job import Job, Outcome
from realtime.archive.journal import Journal
from realtime.archive.progress import Progress
from realtime.archive.table import Row, open_table
from realtime.errors import AudioError


class Crew(Protocol):
    """Who tags files: `workers.Workers` or `cluster.Cluster`."""

    def outcomes(self, entries: Sequence[Entry]) -> Iterator[Outcome]:
        """What becomes of files, in any order."""
        ...

    def stop(self) -> None:
        """End `outcomes` soon."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Summary(msgspec.Struct):
    """How a run went.

    Args:
        files: in the archive.
        before: of them done by runs before this one.
        rows: of the table.
        hours: of sound in the archive.
        heard_hours: of it in this run.
        spent_s: seconds of this run, models loaded and table written.
        unreadable: file and reason, of those that could not be read, or not to their end.
        complete: whether the table was written; else the journal waits for the next run.
    """

    files: int
    before: int
    rows: int = 0
    hours: float = 0.0
    heard_hours: float = 0.0
    spent_s: float = 0.0
    unreadable: list[tuple[str, str]] = msgspec.field(default_factory=list)
    complete: bool = False


def journal_of(out: Path) -> Path:
    """Where the journal of a table lies."""
    return out.with_name(f"{out.name}.journal")


def run(
    job: Job, entries: Sequence[Entry], out: Path, crew: Callable[[int], Crew],
    say: Callable[[str], None], working: Callable[[Crew | None], None],
) -> Summary:  # fmt: skip
    """Tag an archive, or go on with it.

    Args:
        job: how.
        entries: its files, in the order that the table will have.
        out: the table; its suffix says which kind.
        crew: starts who does it, for so many files.
        say: writes a line for a person.
        working: told who is at work, and None when it is done.

    Raises:
        UsageError: a kind of table that is not written, or a journal of another job.
        AudioError: not one file could be read.
        MissingExtra, ModelError, OutputError: as they come.
    """
    save = open_table(out)
    journal = Journal(journal_of(out), job.key())
    complete = False
    try:
        left = journal.left(entries)
        summary = Summary(len(entries), len(entries) - len(left))
        progress = Progress(len(entries), summary.before, say)
        if summary.before:
            say(f"{summary.before} of {len(entries)} files were done before")
        try:
            # the longest first, so that at the end no processor waits for one of them
            _work(journal, sorted(left, key=lambda e: -e.size), crew, progress, working)
        finally:
            progress.close()
        summary.heard_hours = progress.seconds / 3600
        if not journal.left_over(entries):
            try:
                _finish(journal, entries, save, summary)
            except AudioError:
                complete = True  # and nothing of it was any good
                raise
            complete = True
        summary.spent_s = progress.spent
        summary.complete = complete
        return summary
    finally:
        journal.close(complete)


def _work(
    journal: Journal, left: Sequence[Entry], crew: Callable[[int], Crew], progress: Progress,
    working: Callable[[Crew | None], None],
) -> None:  # fmt: skip
    if not left:
        return
    hands = crew(len(left))
    try:
        working(hands)
        for outcome in hands.outcomes(left):
            journal.add(outcome)
            progress.add(outcome.seconds)
    finally:
        working(None)
        hands.close()


def _finish(
    journal: Journal, entries: Sequence[Entry], save: Callable[[Iterator[Row]], int],
    summary: Summary,
) -> None:  # fmt: skip
    read = 0

    def rows() -> Iterator[Row]:
        nonlocal read
        for outcome in journal.outcomes(entries):
            if outcome.fault:
                summary.unreadable.append((outcome.name, outcome.fault))
            read += bool(outcome.seconds) or not outcome.fault
            summary.hours += outcome.seconds / 3600
            for tag in outcome.tags:
                yield (outcome.name, tag.label, tag.start, tag.stop, tag.peak)
        if not read:
            name, fault = summary.unreadable[0]
            raise AudioError(
                f"none of {len(entries)} files could be read; {name}: {fault}",
                "check the folder",
            )

    summary.rows = save(rows())
