"""`--on LABEL COMMAND`: run a program for each event; an `Output`.

One program runs at a time, in the order of events; the next one waits, and if too many wait the
oldest is dropped and counted. No shell reads a command unless that was asked for, and even then
labels reach it as variables only: a label comes with a model, and a model may come from anyone.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import string
import subprocess
import sys
from collections.abc import Mapping

from realtime.errors import UsageError
from realtime.fields import variable_name
from realtime.outputs import Event, Opening, Reading, Start
from realtime.outputs.delivery import Delivery, Undelivered
from realtime.outputs.message import message_of
from realtime.service_fields import SECRET

ANY = "any"  # in place of a label
NAMES = ("label", "score", "t", "time", "source", "model")
LIMIT_S = 30.0  # a program that runs longer is ended
WAITING = 50
PATIENCE_S = 5.0  # at the end, for those that still run

Job = tuple[list[str], dict[str, str]]


class Commands:
    """Runs programs when labels start.

    Args:
        commands: label, or "any", to a command with `{label}`, `{score}`, `{t}`, `{time}`,
            `{source}`, `{model}`; the same are in the environment as RT_EVENT_LABEL and so on.
        shell: give the command to /bin/sh.
        limit_s: seconds that a program may run.

    Raises:
        UsageError: a command that cannot be read or found.
    """

    def __init__(
        self, commands: Mapping[str, str], *, shell: bool = False, limit_s: float = LIMIT_S
    ) -> None:
        self._limit_s = limit_s
        self._shell = shell
        self._words = {label: self._parse(label, text) for label, text in commands.items()}
        self._opening: Opening | None = None
        self._running: subprocess.Popen[bytes] | None = None
        self.delivery: Delivery[Job] = Delivery("command", self._run, capacity=WAITING)

    def open(self, opening: Opening) -> None:
        """A new input starts."""
        self._opening = opening

    def reading(self, reading: Reading) -> None:
        """Readings run nothing."""

    def event(self, event: Event) -> None:
        """A start runs its label's program, and that of "any"."""
        if not isinstance(event, Start) or self._opening is None:
            return
        message = message_of(event, self._opening.source, self._opening.model)
        values = {name: str(message[name]) for name in NAMES}
        variables = {f"RT_EVENT_{name.upper()}": value for name, value in values.items()}
        for label in (event.label, ANY):
            if label in self._words:
                words = self._words[label]
                if not self._shell:
                    words = [word.format_map(values) for word in words]
                self.delivery.put((words, variables))

    def end(self, t: float) -> None:
        """An input's end runs nothing."""

    def close(self, complete: bool) -> None:
        """Let those that were asked for run, for a while."""
        self.delivery.close(PATIENCE_S)
        running = self._running
        if running is not None:
            _end(running)

    def counts(self) -> str:
        """How many ran and how many did not."""
        return self.delivery.counts()

    def _parse(self, label: str, text: str) -> list[str]:
        """A command's words, with placeholders still in them."""
        where = f"--on {label}"
        try:
            fields = [
                name for _, name, _, _ in string.Formatter().parse(text) if name is not None
            ]
            words = shlex.split(text)
        except ValueError as e:
            raise UsageError(f"{where}: {text!r}: {e}", "write braces as {{ and }}") from e
        for name in fields:
            if name not in NAMES:
                known = ", ".join(f"{{{n}}}" for n in NAMES)
                raise UsageError(f"{where}: there is no {{{name}}}", f"there is {known}")
        if not words:
            raise UsageError(f"{where}: no command", "name a program")
        if self._shell:
            variables = {name: f"${{RT_EVENT_{name.upper()}}}" for name in NAMES}
            return ["/bin/sh", "-c", text.format_map(variables)]
        if shutil.which(words[0]) is None:
            raise UsageError(f"{where}: no program {words[0]}", "give its path, or install it")
        return words

    def _run(self, job: Job) -> None:
        """Run one program to its end. In the delivery's thread."""
        words, variables = job
        # stdout is for results, and Ctrl-C is for us
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__ or subprocess.DEVNULL,
                env=_harmless(os.environ) | variables,
                start_new_session=True,
            )
        except (OSError, ValueError) as e:  # ValueError: a NUL in a label
            raise Undelivered(f"{words[0]}: {e}", again=False) from e
        self._running = process
        try:
            status = process.wait(self._limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            raise Undelivered(
                f"{words[0]}: still ran after {self._limit_s:g} s and was ended", again=False
            ) from None
        finally:
            self._running = None
        if status:
            raise Undelivered(f"{words[0]}: exit status {status}", again=False)


def _harmless(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without our passwords: a program has no need of them."""
    secret = {variable_name(key) for key in SECRET}
    return {name: value for name, value in environ.items() if name not in secret}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
