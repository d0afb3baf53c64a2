"""`Child`: the gate's own process, started and minded by the panel.

The panel never gates sound itself: a slow picture, or a crash of the panel, cannot touch it.
The gate ends with the panel, also when the panel is killed.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from PyQt6.QtCore import QObject, QProcess, QTimer, pyqtSignal

from gui.wire import Address
from realtime.control import runfile
from realtime.errors import RtError
from realtime.fields import option_name

LOOK_MS = 50  # between two looks for its file while it starts
PATIENCE_S = 60.0  # for a busy machine
END_MS = 3000  # to fade out and end, before it is killed
AGAIN_MS = (500, 1000, 2000, 5000, 10_000)  # before another try, longer each time
STEADY_S = 30.0  # who has run so long may try at once again
MOST_WORDS = 4000  # of its log that are kept

# the kernel ends it with us (PR_SET_PDEATHSIG is 1)
LAUNCH = (
    "import ctypes, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGTERM); "
    "sys.argv[0] = 'rt-gate'; from realtime.commands.gate import main; sys.exit(main())"
)


class Child(QObject):
    """The gate of this machine.

    Signals:
        ready: it listens there.
        ended: it could not start, or ended by itself; why, as a sentence.
    """

    ready = pyqtSignal(object)
    ended = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._address: Address | None = None
        self._options: dict[str, Any] = {}
        self._log = ""
        self._began = 0.0
        self._tries = 0
        self._look = QTimer(self)
        self._look.setInterval(LOOK_MS)
        self._look.timeout.connect(self._find)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.timeout.connect(self._start)

    @property
    def pid(self) -> int:
        """Of the gate; 0 while there is none."""
        return int(self._process.processId()) if self._process is not None else 0

    def start(self, options: dict[str, Any]) -> None:
        """Start it with some of rt-gate's options; `ready` or `ended` tells how that went."""
        self._options, self._tries = options, 0
        self._start()

    def restart(self, options: dict[str, Any]) -> None:
        """Start it anew after a while, longer each time."""
        self._options = options
        at = min(self._tries, len(AGAIN_MS) - 1)
        self._tries += 1
        self._again.start(AGAIN_MS[at])

    def tell_again(self) -> None:
        """Emit `ready` once more, if the gate was ready and still runs."""
        if self._process is not None and self._address is not None:
            self.ready.emit(self._address)

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._look.stop()
        self._again.stop()
        process, self._process = self._process, None
        if process is None:
            return
        process.finished.disconnect()
        process.terminate()
        if not process.waitForFinished(END_MS):
            process.kill()
            process.waitForFinished()

    def _start(self) -> None:
        self.stop()
        self._log, self._began, self._address = "", time.monotonic(), None
        process = QProcess(self)
        process.setStandardOutputFile(QProcess.nullDevice())
        process.setStandardInputFile(QProcess.nullDevice())
        process.readyReadStandardError.connect(lambda: self._hear(process))
        process.finished.connect(lambda *_: self._end(process))
        self._process = process
        process.start(sys.executable, ["-P", "-c", LAUNCH, "--control", *flags(self._options)])
        self._look.start()

    def _find(self) -> None:
        """Look for the file that says where it listens."""
        try:
            found = runfile.read(runfile.folder() / f"gate-{self.pid}.json")
        except RtError:
            if time.monotonic() - self._began > PATIENCE_S:
                self.stop()
                self.ended.emit("the gate does not start")
            return
        self._look.stop()
        self._address = Address("127.0.0.1", found.port, found.token)
        self.ready.emit(self._address)

    def _hear(self, process: QProcess) -> None:
        text = bytes(process.readAllStandardError().data()).decode(errors="replace")
        if os.environ.get("RT_PANEL_LOG"):
            sys.stderr.write(text)
        self._log = (self._log + text)[-MOST_WORDS:]

    def _end(self, process: QProcess) -> None:
        self._hear(process)
        self._look.stop()
        self._process = None
        if time.monotonic() - self._began > STEADY_S:
            self._tries = 0
        lines = [line for line in self._log.splitlines() if "error: " in line]
        self.ended.emit(lines[-1].split("error: ", 1)[1] if lines else "the gate ended")


def flags(options: dict[str, Any]) -> list[str]:
    """Options of rt-gate as a command line; what nobody set is left out."""
    found = []
    for name, value in options.items():
        if value is True:
            found.append(option_name(name))
        elif value not in (None, False, ""):
            found.append(f"{option_name(name)}={value}")
    return found
