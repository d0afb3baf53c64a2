"""The same work on a Ray cluster: Ray Data hands files to actors, each with a model.

Files are read where the actors run: every machine has rt-tag of the same version, and the
archive at the same path. What is done is told to the journal of the process that asked.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from realtime.archive.files import Entry
from realtime.archive.job import Job, Outcome, Tagger
from realtime.errors import MissingExtra, OutputError

BLOCKS = 8  # for each actor, at least: results come a block at a time
BLOCK = 32  # files in one, at most
QUIET = {  # its own errors come back as exceptions
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}


class Actor:
    """One worker of the cluster.

    Args:
        job: a `Job` as JSON.
    """

    def __init__(self, job: bytes) -> None:
        self._tagger = Tagger(msgspec.json.decode(job, type=Job))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Tag one file: {"entry": JSON} to {"outcome": JSON}."""
        outcome = self._tagger.tag(msgspec.json.decode(row["entry"], type=Entry))
        return {"outcome": msgspec.json.encode(outcome)}


class Cluster:
    """A Ray cluster for one job.

    Args:
        job: what to do.
        address: "local" starts one on this machine for the time being, "auto" takes the one
            that runs here, HOST:PORT that one.
        count: of actors; 0 is one for each processor.

    Attributes:
        count: of actors.

    Raises:
        MissingExtra: Ray is not installed.
        OutputError: no cluster answers.
    """

    def __init__(self, job: Job, address: str, count: int) -> None:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        try:
            import ray
            import ray.data
        except ImportError as e:
            raise MissingExtra(
                f"--ray needs the extra cluster ({e})", "pipx inject rt-tag 'ray[data]'"
            ) from e
        self._ray = ray
        self._job = msgspec.json.encode(job)
        options: dict[str, Any] = {"address": address}
        if address == "local":
            options |= {"num_cpus": count or None, "include_dashboard": False}
        try:
            ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)
        except Exception as e:  # Ray raises any kind
            raise OutputError(
                f"--ray {address}: no cluster answers: {e}", "ray status says what there is"
            ) from e
        self.count = count or max(1, int(ray.cluster_resources().get("CPU", 1)))

    def outcomes(self, entries: Sequence[Entry]) -> Iterator[Outcome]:
        """What becomes of files, a block at a time, as it is known.

        Raises:
            OutputError: the cluster gave up.
        """
        data = self._ray.data
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        actors = min(self.count, len(entries))
        blocks = max(min(len(entries), BLOCKS * actors), -(-len(entries) // BLOCK))
        rows = [{"entry": msgspec.json.encode(e)} for e in entries]
        done = data.from_items(rows, override_num_blocks=blocks).map(
            Actor,
            fn_constructor_args=(self._job,),
            compute=data.ActorPoolStrategy(size=actors),
            num_cpus=1,
        )
        try:
            for row in done.iter_rows():
                yield msgspec.json.decode(row["outcome"], type=Outcome)
        except self._ray.exceptions.RayError as e:
            raise OutputError(
                f"the cluster gave up: {str(e).strip().splitlines()[-1]}",
                "the same command goes on with what is left",
            ) from e

    def stop(self) -> None:
        """Nothing: Ctrl-C raises where results are waited for."""

    def close(self) -> None:
        """Let go of the cluster; a local one ends."""
        with contextlib.suppress(Exception):  # whatever is left of it
            self._ray.shutdown()
