"""`Lesson`: learning in processes of its own, and trying the new gate on what was held back.

`rt-gate learn` makes the gate in a temporary folder and leaves a held-back part of the examples
there; `rt-gate` gates that, once for each gate to compare. Whatever is stopped or fails leaves
nothing; the gate has no name before the person keeps it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PyQt6.QtCore import QObject, QProcess, QTimer, pyqtSignal

from gui.child import LAUNCH
from gui.i18n import tr
from gui.plain import spoken
from gui.trial import (
    Outcome,
    Task,
    Trial,
    level_options,
    level_settings,
    read_wav,
    spans_of,
)
from realtime.control.lesson import progress_of
from realtime.gate.settings import DEFAULT_GATE

END_MS: Final = 300  # to end in good order, before it is killed: it leaves nothing either way
LAST: Final = 0.95  # of the progress, when the gates are tried


class Lesson(QObject):
    """One lesson at a time.

    Signals:
        progress: 0 to 1, and what is being done.
        done: an `Outcome`.
        failed: why not, in plain words; "" if it was stopped.

    Attributes:
        model: the gate whose network a new gate gets.
    """

    progress = pyqtSignal(float, str)
    done = pyqtSignal(object)
    failed = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.model = DEFAULT_GATE
        self._process: QProcess | None = None
        self._folder: Path | None = None
        self._stopped = False

    @property
    def runs(self) -> bool:
        """Whether it learns now."""
        return self._process is not None

    def start(self, task: Task) -> None:
        """Begin a lesson."""
        if self.runs:
            raise ValueError("a lesson runs")
        self.discard()
        self._stopped, self._task = False, task
        self._folder = Path(tempfile.mkdtemp(prefix="rt-lesson-"))
        self._report: dict[str, Any] = {}
        self._trials: list[tuple[str, list[str]]] = []
        self._found: list[Trial] = []
        line = ["learn", "--progress", "-o", self._path("new.gate")]
        line += ["--audition", self._path("held.wav")]
        for option, paths in (("--open", task.opens), ("--closed", task.closeds)):
            line += [option, *map(str, paths)] if paths else []
        line += ["--from", str(task.base)] if task.base else ["--model", self.model]
        self.progress.emit(0.0, tr("Reading the recordings"))
        self._run(line, self._learned)

    def stop(self) -> None:
        """End the lesson soon; nothing of it stays."""
        process = self._process
        if process is not None and not self._stopped:
            self._stopped = True
            process.terminate()
            late = QTimer(process)
            late.setSingleShot(True)
            late.timeout.connect(process.kill)
            late.start(END_MS)

    def finish(self) -> None:
        """End it now, and leave nothing."""
        process = self._process
        self.stop()
        if process is not None and not process.waitForFinished(END_MS):
            process.kill()
            process.waitForFinished()
        self.discard()

    def discard(self) -> None:
        """Remove what the last lesson made and nobody kept."""
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    # --- processes ------------------------------------------------------------------------

    def _path(self, name: str) -> str:
        assert self._folder is not None
        return str(self._folder / name)

    def _run(self, line: Sequence[str], then: Any) -> None:
        """Run rt-gate at a low priority; `then` when it has done its work."""
        process = QProcess(self)
        self._process, self._said = process, b""
        process.readyReadStandardOutput.connect(lambda: self._read(process))
        process.finished.connect(lambda *_: self._ended(process, then))
        process.errorOccurred.connect(lambda *_: self._ended(process, then))
        process.start(sys.executable, ["-P", "-c", f"import os; os.nice(10); {LAUNCH}", *line])

    def _read(self, process: QProcess) -> None:
        self._said += bytes(process.readAllStandardOutput().data())
        *lines, self._said = self._said.split(b"\n")
        for line in lines:
            self._hear(json.loads(line))

    def _ended(self, process: QProcess, then: Any) -> None:
        if process is not self._process:
            return
        if process.state() != QProcess.ProcessState.NotRunning:
            return  # an error that is not its end
        self._read(process)
        self._process = None
        process.deleteLater()
        words = bytes(process.readAllStandardError().data()).decode(errors="replace")
        clean = process.exitStatus() == QProcess.ExitStatus.NormalExit
        clean = clean and process.error() != QProcess.ProcessError.FailedToStart
        if self._stopped:
            self.discard()
            self.failed.emit("")
        elif not clean or process.exitCode():
            self.discard()
            errors = [s for s in words.splitlines() if "error: " in s]
            self.failed.emit(
                spoken(errors[-1]) if errors else tr("Learning ended unexpectedly.")
            )
        else:
            then()

    def _hear(self, said: dict[str, Any]) -> None:
        """A line of JSON: how far it is, the report, or an event of a gate on trial."""
        if "stage" in said:
            names = {
                "reading": tr("Reading the recordings"),
                "listening": tr("Listening to mixtures of them"),
                "learning": tr("Learning"),
                "tuning the level gate": tr("Tuning a level gate, to compare"),
            }
            share = float(progress_of(said)["progress"])
            self.progress.emit(LAST * share, names.get(said["stage"], said["stage"]))
        elif "event" in said:
            self._events.append(said)
        else:
            self._report = said

    # --- trying ---------------------------------------------------------------------------

    def _learned(self) -> None:
        """Try the gates on what was held back, one after the other."""
        trials = [("learned", ["--model", self._path("new.gate")])]
        if self._task.base is not None:
            trials.insert(0, ("before", ["--model", str(self._task.base)]))
        settings = level_settings(self._report)
        if settings:
            options = level_options(settings)
            trials.append(("level", ["--level", *options]))
        self._trials = trials
        self._try_next()

    def _try_next(self) -> None:
        self._events: list[dict[str, Any]] = []
        if not self._trials:
            self._compare()
            return
        self.progress.emit(LAST, tr("Trying it on what was held back"))
        name, options = self._trials[0]
        line = [self._path("held.wav"), self._path(f"{name}.wav"), "--json", *options]
        self._run(line, self._tried)

    def _tried(self) -> None:
        name, _ = self._trials.pop(0)
        audio, rate = read_wav(self._path(f"{name}.wav"))
        self._found.append(Trial(name, audio, spans_of(self._events, len(audio) / rate)))
        self._try_next()

    def _compare(self) -> None:
        audio, rate = read_wav(self._path("held.wav"))
        wanted = tuple((a, b) for a, b in self._report["audition"]["open"])
        gate = Path(self._path("new.gate"))
        outcome = Outcome(
            self._task, gate, self._report, audio, rate, wanted, tuple(self._found)
        )
        self.progress.emit(1.0, tr("Done"))
        self.done.emit(outcome)
