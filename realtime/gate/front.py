"""`GateFront`: blocks of sound at any rate in, the frames of decisions out.

Used by `realtime.gate.scorer`. The arithmetic is that of `realtime.spectrum`, and at the rate
of the model the frames are those of `realtime.frontend.FrontEnd`, bit for bit. What differs is
when they are due: `FrontEnd` begins its first frame at sample 0 and has hops of equal length.
Here a frame *ends* where its decision is due, with zeros before the start, and the hops of some
rates differ by a sample.

Long blocks, as files give them, are computed many frames at a time, in half the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from realtime.errors import CardError
from realtime.features import FeatureSpec
from realtime.gate.grid import PER_SECOND, decided, due
from realtime.spectrum import Chain

Samples = NDArray[np.float32]  # [samples], -1 to 1
GROUP = 32  # decisions between two moves of the buffer, and at most computed at once


class GateFront:
    """The front end of one stream.

    Args:
        spec: the model's front end.
        rate: Hz of the sound.

    Attributes:
        spec: the front end at this rate.
        buffer: the newest samples, float64, scaled as the model wants them.

    Raises:
        CardError: a front end that cannot serve a gate.
    """

    def __init__(self, spec: FeatureSpec, rate: int) -> None:
        _refuse(spec)
        self.spec = spec = spec.at_rate(rate)
        self.rate = rate
        self._chain = Chain(spec)
        self._even = rate % PER_SECOND == 0  # all hops are equal
        self._lead = spec.frame + 1  # a compiled one reads the sample before the frame, too
        hop = -(-rate // PER_SECOND)
        self.buffer = np.zeros(self._lead + GROUP * hop)
        rows = sliding_window_view(self.buffer[1 + hop :], spec.frame)
        self._rows = rows[::hop]  # where frames end if hops are equal, float64 [GROUP, frame]
        self._frames = np.zeros((GROUP, spec.width), np.float32)
        self._scale = np.float64(spec.scale)
        mean, std = np.float32(spec.mean), np.float32(spec.std)
        self._affine = (mean, std) if mean != 0.0 or std != 1.0 else None
        self.reset()

    def reset(self) -> None:
        """Forget the stream: the next sample is the first, after silence."""
        self.buffer[: self._lead] = 0.0
        self._at = 0  # samples taken
        self._next = 0  # decision
        self._begin = 0  # sample at the buffer's `_lead`

    def advance(self, block: Samples) -> Iterator[tuple[int, list[int]]]:
        """Take a block, and stop where decisions have all their sound.

        Args:
            block: float32 [n], any n. It is taken in only as far as the iterator is read.

        Yields:
            The number of the first decision, and where it and those after it are due, samples
            from the start: `GROUP` of them at most, and at least one.
        """
        taken = 0
        while True:
            group_end = due(self._next // GROUP * GROUP + GROUP - 1, self.rate)
            taken += self._take(block[taken : taken + group_end - self._at])
            first, ends = self._next, self._ready()
            if ends:
                self._next += len(ends)
                yield first, ends
            if self._at < group_end:
                return
            # by the number of decisions, so that it does not depend on the blocks
            fill = self._lead + self._at - self._begin
            self.buffer[: self._lead] = self.buffer[fill - self._lead : fill].copy()
            self._begin = self._at

    def _take(self, part: Samples) -> int:
        begin = self._lead + self._at - self._begin
        end = begin + len(part)
        if self.spec.scale == 1.0:
            self.buffer[begin:end] = part
        else:
            np.multiply(part, self._scale, self.buffer[begin:end])
        self._at += len(part)
        return len(part)

    def _ready(self) -> list[int]:
        """Where the decisions are due that have all their samples and no frame yet."""
        first = self._next
        last = min(first + GROUP, decided(self._at, self.rate))
        return [due(k, self.rate) for k in range(first, last)]

    def begins(self, ends: Sequence[int]) -> NDArray[np.int64]:
        """Where the frames of the last decisions begin in `buffer`."""
        return np.array(ends) + (self._lead - self._begin - self.spec.frame)

    def frames(self, first: int, ends: Sequence[int]) -> Samples:
        """Compute the frames of the last decisions, as `advance` gave them.

        Returns:
            float32 [decisions, spec.width]; overwritten later.
        """
        row = first % GROUP
        out = self._frames[row : row + len(ends)]
        chain = self._chain
        if len(ends) > 1 and self._even:
            raw = self._rows[row : row + len(ends)]
            chain.run(raw, raw, out)
        else:
            for i, begin in enumerate(self.begins(ends).tolist()):
                raw = self.buffer[begin : begin + self.spec.frame]
                if chain.lone_is_equal:
                    chain.run_lone(raw[1:], raw, out[i : i + 1])
                else:
                    chain.run(raw[None], raw[None], out[i : i + 1])
        if self._affine is not None:
            np.subtract(out, self._affine[0], out)
            np.divide(out, self._affine[1], out)
        return out


def _refuse(spec: FeatureSpec) -> None:
    """Refuse what cannot be computed one frame at a time at any rate.

    Raises:
        CardError: so.
    """
    for bad, what in (
        (spec.kind == "waveform", "kind is waveform"),
        (spec.center, "center is true: a frame would hear what comes after its decision"),
        (spec.window_mean, "window_mean is true: a gate has no window"),
        (spec.preemphasis != 0.0, "preemphasis is not 0: it differs with the rate"),
        (spec.hop * PER_SECOND != spec.rate, f"hop is {spec.hop}, not 10 ms"),
    ):
        if bad:
            raise CardError(
                f"card field input.features.{what}", "a gate takes plain mel or mfcc frames"
            )
