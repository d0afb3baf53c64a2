"""`Recording`: sound from an input device into a file, in a thread; Qt never waits for it."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtBoundSignal, pyqtSignal

from gui.gate_devices import open_input
from gui.i18n import tr
from gui.plain import sentence
from realtime.errors import AudioError, RtError
from realtime.outputs.audio import FileSink, Kind
from realtime.sources import Block, DeviceChange, Source

LONGEST_S: Final = 120.0  # then it stops by itself
PEAKS_PER_S: Final = 20  # for the eye
QUEUE: Final = 200  # peaks that wait for a page that does not draw
END_S: Final = 0.9


class Recording(QObject):
    """One recording.

    Args:
        path: the file; whole or not there when it is over.
        device: name of an input device; empty is the default one.
        exactly: fail if there is no such device; otherwise the default one serves.
        source: in place of a device.

    Signals:
        began: it records; name of the device.
        done: the file is there; how many seconds.
        failed: why not, in one line; there is no file.

    Attributes:
        peaks: largest sample of each twentieth of a second; take them from the left.
        path: the file.
    """

    began = pyqtSignal(str)
    done = pyqtSignal(float)
    failed = pyqtSignal(str)

    def __init__(
        self,
        path: Path,
        device: str = "",
        exactly: bool = True,
        source: Source | None = None,
    ) -> None:
        super().__init__()
        self.path = path
        self.peaks: deque[float] = deque(maxlen=QUEUE)
        self._device, self._exactly = device, exactly
        self._source = source
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="recording", daemon=True)

    def start(self) -> None:
        """Begin soon; `began` says when."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; `done` says when."""
        self._stopped.set()
        with self._lock:
            if self._source is not None:
                self._source.close()

    def finish(self) -> None:
        """End now."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(END_S)

    def _work(self) -> None:
        try:
            source = self._source or open_input(self._device, self._exactly)
            with self._lock:
                self._source = source
            if self._stopped.is_set():
                source.close()
            seconds = self._record(source)
        except RtError as e:
            self.path.unlink(missing_ok=True)
            self._tell(self.failed, sentence(e, self.path))
        except OSError as e:
            self.path.unlink(missing_ok=True)
            self._tell(self.failed, tr("It cannot be written: {why}.", why=e.strerror))
        else:
            self._tell(self.done, seconds)

    def _record(self, source: Source) -> float:
        """Write blocks until `stop`; seconds.

        Raises:
            AudioError: nothing came, or the device was lost before anything did.
        """
        rate = source.rate
        sink = FileSink(str(self.path), Kind(rate, 1, "WAV", "PCM_24"))
        meter, frames, lost = _Meter(rate, self.peaks), 0, False
        self._tell(self.began, source.name)
        try:
            for block in source.blocks():
                if isinstance(block, DeviceChange):
                    lost = block.state == "lost"
                    if lost:  # what was recorded so far is kept
                        source.close()
                    continue
                mono = _mono(block)
                meter.hear(mono)
                sink.write(mono[:, None])
                frames += len(mono)
                if frames >= LONGEST_S * rate:
                    source.close()
        except BaseException:
            sink.close(complete=False)
            source.close()
            raise
        sink.close(complete=frames > 0)
        if not frames:
            name = source.name
            raise AudioError(
                tr("{name} is gone", name=name)
                if lost
                else tr("{name} gave nothing", name=name)
            )
        return frames / rate

    def _tell(self, signal: pyqtBoundSignal, what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the page is gone
            signal.emit(what)


class _Meter:
    """The largest sample of each twentieth of a second."""

    def __init__(self, rate: int, peaks: deque[float]) -> None:
        self._size = max(1, rate // PEAKS_PER_S)
        self._peaks = peaks
        self._peak, self._count = 0.0, 0

    def hear(self, mono: NDArray[np.float32]) -> None:
        while len(mono):
            part = mono[: self._size - self._count]
            self._peak = max(self._peak, float(np.abs(part).max()))
            self._count += len(part)
            mono = mono[len(part) :]
            if self._count == self._size:
                self._peaks.append(self._peak)
                self._peak, self._count = 0.0, 0


def _mono(block: Block) -> NDArray[np.float32]:
    audio = np.nan_to_num(block.audio, nan=0.0, posinf=0.0, neginf=0.0)
    mean: NDArray[np.float32] = audio.mean(axis=1, dtype=np.float32)
    return np.clip(mean, -1.0, 1.0)
