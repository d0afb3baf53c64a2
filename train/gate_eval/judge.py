"""A model as people use it: mixtures go through `GateStream`, the path of `rt-gate`."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from realtime.commands.gate_file import BLOCK_S
from realtime.gate.ideal import HOPS_PER_S
from realtime.gate.settings import GateOptions, settle
from realtime.gate.stream import GateStream
from realtime.library import find_model
from realtime.outputs.gate import GateEvent, GateOpening, GateReading
from realtime.runners import open_runner
from train.gate_eval.contest import Heard

Array = NDArray[np.float32]


class Trace:
    """An output that keeps what `rt-gate --trace` writes: score and state of every hop.

    Args:
        hops: kept from 0 s on; a hop before the first decision is closed, with score 0.
    """

    def __init__(self, hops: int) -> None:
        self.score = np.zeros(hops, np.float32)
        self.opened = np.zeros(hops, np.bool_)

    def open(self, opening: GateOpening) -> None:
        """Nothing to prepare."""

    def sound(self, before: Array, after: Array) -> None:
        """The stream returns it."""

    def reading(self, reading: GateReading) -> None:
        """Keep a decision at the hop of its instant."""
        hop = round(reading.t * HOPS_PER_S)
        if hop < len(self.score):
            self.score[hop], self.opened[hop] = reading.score, reading.open

    def event(self, event: GateEvent) -> None:
        """Readings tell the same."""

    def end(self, t: float) -> None:
        """Nothing to end."""

    def close(self, complete: bool) -> None:
        """Nothing to close."""


class ModelGate:
    """A model at its own threshold, or at another.

    Args:
        model: a shipped name, or a file.
        lookahead_ms: of the gate.
        threshold: in place of the card's.
        card, runtime, threads: as for rt-gate.
        block_s: of sound at a time; as rt-gate reads files. It changes no figure but the
            processor time.

    Raises:
        CardError: the model is no gate.
    """

    def __init__(
        self,
        model: str,
        lookahead_ms: float,
        threshold: float | None = None,
        card: str | None = None,
        runtime: str | None = None,
        threads: int = 1,
        block_s: float = BLOCK_S,
    ) -> None:
        self._block_s = block_s
        self._streams: dict[int, GateStream] = {}
        self._runner = open_runner(find_model(model, runtime or ""), card, runtime, threads)
        options = GateOptions(lookahead_ms=lookahead_ms, threshold=threshold)
        self._settings, _ = settle(options, {}, self._runner.card)
        self.name = self._runner.card.name
        self.threshold: float | None = self._settings.threshold
        self.lookahead_ms = lookahead_ms

    def hear(self, mix: Array, rate: int) -> Heard:
        """Gate a mixture, block by block."""
        trace = Trace(-(-len(mix) * HOPS_PER_S // rate))
        stream = self._stream(rate)
        stream.outputs = [trace]
        stream.reset()
        block, sound = max(1, round(rate * self._block_s)), mix[:, None]
        began = time.process_time()
        parts = [stream.process(sound[at : at + block]) for at in range(0, len(mix), block)]
        parts.append(stream.flush())
        spent = time.process_time() - began
        return Heard(trace.score, trace.opened, np.concatenate(parts)[:, 0], spent)

    def _stream(self, rate: int) -> GateStream:
        """The gate for a rate, compiled if that can be, as rt-gate gates long files."""
        if rate not in self._streams:
            self._streams[rate] = GateStream(
                self._settings, rate, 1, self._runner, compiled=True
            )
        return self._streams[rate]
