"""`rt-tag -o`: the table of an archive. Options, and what is said about the run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.commands.common import Interrupts, say
from realtime.errors import UsageError
from realtime.start import INTERRUPTED

if TYPE_CHECKING:
    from realtime.archive.run import Crew, Summary
    from realtime.card import Decision
    from realtime.fields import EngineSettings

RESULTS = ("table", "scores", "plot")  # of single files; --json is the summary here


def add_archive(parser: argparse.ArgumentParser) -> None:
    """The options of archives."""
    group = parser.add_argument_group("archives")
    text = "a table of all events: .parquet, .csv or .jsonl"
    group.add_argument("-o", "--out", metavar="FILE", help=text)
    text = "take folders, with all that is in them"
    group.add_argument("-r", "--recursive", action="store_true", help=text)
    group.add_argument("--jobs", type=int, metavar="N", help="processes (one for each core)")
    group.add_argument("--ray", metavar="ADDRESS", help="a Ray cluster: local, auto, HOST:PORT")


def wanted(args: argparse.Namespace) -> bool:
    """Whether a table of an archive was asked for.

    Raises:
        UsageError: its options without it, or others that it cannot have.
    """
    if not args.out:
        for name in ("recursive", "jobs", "ray"):
            if getattr(args, name):
                raise UsageError(f"--{name} is for archives", "add -o tags.parquet")
        return False
    for name in RESULTS:
        if getattr(args, name):
            raise UsageError(f"--{name} and -o", "one or the other")
    if not args.inputs or "-" in args.inputs:
        raise UsageError("-o makes a table of files", "name files, or folders with --recursive")
    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs}", "give 1 or more")
    return True


def archive(
    args: argparse.Namespace,
    values: EngineSettings,
    path: Path,
    decision: Decision,
    thresholds: dict[str, float],
) -> int:
    """Tag an archive; the exit status.

    Args:
        args: the command line.
        values: the settings.
        path: the model's file.
        decision: how scores become events.
        thresholds: of each label.
    """
    from realtime.archive.files import list_files
    from realtime.archive.job import Job, digest_of
    from realtime.archive.run import journal_of, run
    from realtime.archive.workers import Workers, cores
    from realtime.card import read_card
    from realtime.library import WEIGHTS

    entries = list_files(args.inputs, args.recursive, raw=bool(values.rate))
    job = Job(
        # by name where it is shipped: another machine may have it elsewhere
        model=values.model
        if path == WEIGHTS / f"{values.model}{path.suffix}"
        else str(path.absolute()),
        digest=digest_of(path),
        card=read_card(Path(values.card)) if values.card else None,
        runtime=values.runtime,
        threads=values.threads,
        decision=decision,
        thresholds=thresholds,
        hop_s=values.hop_s or None,
        rate=values.rate or None,
        channels=values.channels or None,
        format=values.format or None,
    )

    def crew(files: int) -> Crew:
        if args.ray:
            from realtime.archive.cluster import Cluster

            return Cluster(job, args.ray, args.jobs or 0)
        jobs = args.jobs or max(1, cores() // max(1, values.threads))
        return Workers(job, min(jobs, files))

    at_work: list[Crew] = []
    with Interrupts(lambda: at_work[0].stop()) as signals:

        def working(hands: Crew | None) -> None:
            at_work[:] = [hands] if hands else []
            signals.running = (
                bool(hands) and not args.ray
            )  # Ray waits where nothing can be told

        out = Path(args.out)
        try:
            summary = run(job, entries, out, crew, say, working)
        except KeyboardInterrupt:
            say(f"{journal_of(out)} has what was done; the same command goes on")
            return INTERRUPTED
    _tell(summary, out, args.json)
    return 0 if summary.complete else INTERRUPTED


def _tell(summary: Summary, out: Path, json: bool) -> None:
    from realtime.archive.run import journal_of

    if json:
        import msgspec

        print(msgspec.json.encode(summary).decode())
    _list(summary.unreadable)
    if not summary.complete:
        say(f"{journal_of(out)} has what was done; the same command goes on")
        return
    pace = 60 * summary.heard_hours / max(summary.spent_s, 1e-3)
    say(
        f"{out}: {summary.files} files, {summary.hours:.2f} hours, {summary.rows} rows; "
        f"{summary.heard_hours:.2f} hours in {summary.spent_s:.1f} s, {pace:.1f} hours a minute"
    )


def _list(unreadable: Sequence[tuple[str, str]]) -> None:
    for name, fault in unreadable:
        say(f"not read: {name}: {fault}")
    if unreadable:
        say(f"{len(unreadable)} files could not be read, or not to their end")
