"""`Player`: plays clips through a process of its own (`gui.playback`); one at a time."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, QProcess, QTimer, pyqtSignal

from gui import playback
from gui.i18n import tr

END_MS: Final = 300
LATE_MS: Final = 1500

Sound = NDArray[np.float32] | NDArray[np.int16]


class Player(QObject):
    """Plays one clip, or several side by side of which one is heard.

    Signals:
        at: seconds of the clip that are heard now.
        ended: it is over, or was stopped.
        failed: why nothing is heard, in a sentence.

    Attributes:
        device: name of the output device; empty is the default one.
        what: whatever `play` was told that it plays; None while nothing plays.
    """

    at = pyqtSignal(float)
    ended = pyqtSignal()
    failed = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.device = ""
        self.what: Any = None
        self._process: QProcess | None = None
        self._buffer = b""

    def play(
        self, tracks: Sequence[Sound], rate: int, what: Any, track: int = 0, begin: float = 0.0
    ) -> None:
        """Play from the beginning, in place of what plays.

        Args:
            tracks: mono sounds of one length, float32 or int16 [samples].
            rate: Hz.
            what: for `what`, to know it again.
            track: which one is heard.
            begin: second from which on.
        """
        self.stop()
        sound = np.stack([_floats(t) for t in tracks], axis=1)
        if not len(sound):
            return
        ask = {
            "rate": rate, "frames": len(sound), "tracks": len(tracks), "track": track,
            "begin": begin, "device": self.device,
        }  # fmt: skip
        process = QProcess(self)
        process.setProcessChannelMode(QProcess.ProcessChannelMode.SeparateChannels)
        process.setStandardErrorFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(lambda *_: self._is_over(process))
        process.errorOccurred.connect(lambda *_: self._is_over(process))
        self._process, self._buffer, self.what = process, b"", what
        process.start(sys.executable, ["-P", playback.__file__])
        process.write(json.dumps(ask).encode() + b"\n" + sound.tobytes())

    def hear(self, track: int) -> None:
        """Hear another track from now on, at the same place."""
        self._ask(track=track)

    def seek(self, seconds: float) -> None:
        """Go on from another place."""
        self._ask(seek=seconds)

    def stop(self) -> None:
        """Be silent now."""
        process, self._process = self._process, None
        if process is None:
            return
        self.what = None
        _dismiss(process)
        self.ended.emit()

    def finish(self) -> None:
        """Be silent, and leave no process behind."""
        process = self._process
        self.stop()
        if process is not None and not process.waitForFinished(END_MS):
            process.kill()
            process.waitForFinished()

    def _ask(self, **what: Any) -> None:
        if self._process is not None:
            self._process.write(json.dumps(what).encode() + b"\n")

    def _read(self) -> None:
        process = self._process
        if process is None:
            return
        self._buffer += bytes(process.readAllStandardOutput().data())
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "at" in said:
                self.at.emit(said["at"])
            elif "error" in said:
                self.failed.emit(tr("Nothing can be played: {why}", why=said["error"]))
            elif "end" in said:
                self._is_over(process)

    def _is_over(self, process: QProcess) -> None:
        if process is not self._process:
            return
        self._process, self.what = None, None
        _dismiss(process)
        self.ended.emit()


def _dismiss(process: QProcess) -> None:
    """Let a process end by itself, as sound servers like it; kill it if it hangs."""
    process.finished.disconnect()
    process.errorOccurred.disconnect()
    if process.state() == QProcess.ProcessState.NotRunning:
        process.deleteLater()
        return
    process.finished.connect(process.deleteLater)
    process.closeWriteChannel()
    late = QTimer(process)
    late.setSingleShot(True)
    late.timeout.connect(process.kill)
    late.start(LATE_MS)


def _floats(sound: Sound) -> NDArray[np.float32]:
    if sound.dtype == np.int16:
        return (sound / np.float32(32768.0)).astype(np.float32)
    return sound.astype(np.float32, copy=False)
