"""Sound from the audio callback to the worker: `Ring`, one writer and one reader.

The writer is the callback of a device: `write` takes no lock, waits for nothing and allocates
no buffer; when the ring is full it drops the new samples and counts them. The reader is the
worker: it gets every stored sample once and in order, and learns how many were lost exactly
where they were lost.

**Why this is safe without a lock.** Each counter has one owner: `_written` and the gap table's
head belong to the writer, `_read` and the table's tail to the reader, and the other side only
reads them. Data and gaps are stored before the counter that announces them. CPython's global
lock keeps that order between threads.

**Why a bare `threading.Lock` wakes the reader.** `Event.set` and `Semaphore.release` take a
lock that the reader may hold just then, so a callback could wait for the reader. Releasing a
bare lock is one post to a semaphore and never waits; here it is a flag, "something happened
since you last looked", that only the reader lowers.
"""

from __future__ import annotations

import threading
import time
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]  # [samples, channels], -1 to 1

GAPS: Final = 64  # losses not yet read that the ring can tell apart; beyond, it stays "full"


class Chunk(NamedTuple):
    """What a read gives.

    Attributes:
        audio: float32 [samples, channels], a copy.
        position: samples since the start, lost ones included, of the first sample.
        dropped: samples lost directly before it.
    """

    audio: Audio
    position: int
    dropped: int


class Ring:
    """A ring buffer of audio.

    Args:
        capacity: samples it holds.
        channels: channels of a sample.

    Attributes:
        capacity: the same.
        channels: the same.
        dropped: samples lost so far. Those lost at the very end, with nothing stored after
            them, appear here only.
    """

    def __init__(self, capacity: int, channels: int) -> None:
        if capacity < 1 or channels < 1:
            raise ValueError(f"a ring of {capacity} samples and {channels} channels")
        self.capacity = capacity
        self.channels = channels
        self.dropped = 0
        self._audio = np.zeros((capacity, channels), np.float32)
        # the writer's
        self._written = 0  # samples stored
        self._missing = 0  # samples lost since the last one stored
        self._gap_head = 0  # gaps announced
        # the reader's
        self._read = 0  # samples given
        self._lost = 0  # samples lost before the next one to give
        self._gap_tail = 0  # gaps given
        self._gap_at = [0] * GAPS  # stored samples before the gap
        self._gap_length = [0] * GAPS
        self._closed = False
        self._flag = threading.Lock()  # released: something happened
        self._flag.acquire()

    @property
    def available(self) -> int:
        """Samples that can be read now."""
        return self._written - self._read

    @property
    def closed(self) -> bool:
        """No more will be written."""
        return self._closed

    def write(self, audio: Audio) -> int:
        """Store samples, from the writer's thread; never waits.

        Args:
            audio: float32 [n, channels] (or [n] with one channel); it is copied.

        Returns:
            Samples stored; the rest of `n` is dropped and counted.
        """
        if audio.ndim == 1:
            audio = audio[:, np.newaxis]
        n = len(audio)
        stored = min(n, self.capacity - (self._written - self._read))
        if self._missing and stored and not self._announce_gap():
            stored = 0
        if stored:
            begin = self._written % self.capacity
            head = min(stored, self.capacity - begin)
            self._audio[begin : begin + head] = audio[:head]
            if head < stored:
                self._audio[: stored - head] = audio[head:stored]
            self._written += stored  # announces them
        if stored < n:
            self.lose(n - stored)
        self._wake()
        return stored

    def lose(self, samples: int) -> None:
        """Count samples that never came, from the writer's thread (the device says so)."""
        self._missing += samples
        self.dropped += samples

    def read(self, limit: int | None = None) -> Chunk | None:
        """Take samples, from the reader's thread; does not wait.

        Args:
            limit: most samples wanted; None for all there are up to the next loss.

        Returns:
            The next samples, or None if there are none.
        """
        written = self._written  # read before the gaps: see `_announce_gap`
        n = written - self._read
        if limit is not None:
            n = min(n, limit)
        if n < 1:
            return None
        dropped = 0
        while self._gap_tail < self._gap_head:
            slot = self._gap_tail % GAPS
            distance = self._gap_at[slot] - self._read
            if distance > 0:
                n = min(n, distance)
                break
            dropped += self._gap_length[slot]
            self._gap_tail += 1
        self._lost += dropped
        begin = self._read % self.capacity
        audio = np.empty((n, self.channels), np.float32)
        head = min(n, self.capacity - begin)
        audio[:head] = self._audio[begin : begin + head]
        audio[head:] = self._audio[: n - head]
        position = self._read + self._lost
        self._read += n  # frees their room
        return Chunk(audio, position, dropped)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, in the reader's thread, until there is something to read.

        Args:
            timeout: seconds at most; None for no limit.

        Returns:
            False if there is nothing: the time is over or the ring closed.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self.available:
            left = -1.0 if end is None else end - time.monotonic()
            if self._closed or (end is not None and left <= 0):
                break
            self._flag.acquire(timeout=left)
        return self.available > 0

    def close(self) -> None:
        """No more will be written; from any thread or a signal handler. Ends a `wait`."""
        self._closed = True
        self._wake()

    def _announce_gap(self) -> bool:
        """Store the pending loss for the reader; False if its table is full."""
        head = self._gap_head
        if head - self._gap_tail >= GAPS:
            return False
        self._gap_at[head % GAPS] = self._written
        self._gap_length[head % GAPS] = self._missing
        self._gap_head = head + 1  # before `_written` grows: no sample is seen without its gap
        self._missing = 0
        return True

    def _wake(self) -> None:
        if self._flag.locked():
            try:
                self._flag.release()
            except RuntimeError:  # `close`, from another thread, was faster
                return
