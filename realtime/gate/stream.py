"""The page of the gate: how sound becomes gated sound. `GateStream` takes blocks, gives blocks.

    block ─▶ clean ─▶ key filter ─▶ mono ─▶ scorer ─▶ judge ─▶ ramp ──┐ gain
      │               (or an external key)                            ▼
      └──────────────▶ delay by the look-ahead ─────────────────────▶ × ─▶ gated block

With `level` the level gate takes the place of scorer, judge and ramp. Files, pipes and tests
walk this path; live sound has the same parts in two processes (`realtime.duplex`).

**Time.** Decision k hears the samples before e(k) and holds in the output from input sample
e(k) - look-ahead on (docs/adr/0002-gate.md). The delay line makes both the same place of the
same block: the gain of a decision begins where its e(k) lies. Aligned, the first look-ahead
samples of the line, which are silence, are left out, and `flush` gives the last ones.

However the sound is cut into blocks, output, readings and events are the same, bit for bit.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from realtime.engine import LOUDEST
from realtime.errors import UsageError
from realtime.gate.key import KeyFilter
from realtime.gate.meter import Meter
from realtime.gate.paths import ByLevel, ByScore, Gains, Path, mono
from realtime.gate.ramp import SILENCE_DB, Delay
from realtime.gate.settings import GateSettings
from realtime.outputs.gate import (
    Closed,
    GateEvent,
    GateOpening,
    GateOutput,
    GateReading,
    Opened,
)
from realtime.runners import Runner

Audio = NDArray[np.float32]  # [samples, channels]

log = logging.getLogger("rt.realtime.gate")


class GateStream:
    """One gate on one stream of sound.

    Args:
        settings: the gate.
        rate: Hz of the sound, and of the key.
        channels: of the sound.
        runner: the model, for the learned gate.
        key_channels: channels of an external key; 0 is none: the sound is its own key.
        outputs: who is told; the caller opens, ends and closes them.
        aligned: leave the look-ahead out of the output. Otherwise it comes as a delay.
        compiled: use numba if it is installed; scores differ in the last bits. It takes a
            while to load, and longer to compile what it has not compiled before.

    Attributes:
        latency: samples by which the output is late: 0 if aligned.
        position: samples of sound taken.
        openings, open_samples: how often it opened, and for how long, by the output's clock.
        cleaned: samples that were NaN, infinite or absurd, and were taken as silence.
        bad_scores: decisions whose scores were no numbers.

    Raises:
        UsageError: settings that the sound has no room for.
        CardError: a model that cannot serve a gate.
    """

    def __init__(
        self,
        settings: GateSettings,
        rate: int,
        channels: int,
        runner: Runner | None = None,
        *,
        key_channels: int = 0,
        outputs: Sequence[GateOutput] = (),
        aligned: bool = True,
        compiled: bool = False,
    ) -> None:
        heard = key_channels or channels
        check_fit(settings, rate, channels, heard)
        self.settings = settings
        self.rate, self.channels, self.key_channels = rate, channels, key_channels
        self.outputs = outputs
        self._ahead = settings.lookahead(rate)
        self.latency = 0 if aligned else self._ahead
        self._filter = KeyFilter(
            rate,
            heard,
            settings.key_highpass,
            settings.key_lowpass,
            settings.key_slope,
            compiled,
        )
        self._path: Path
        if settings.level:
            self._path = ByLevel(settings, rate, heard, compiled)
        elif runner is not None:
            self._path = ByScore(settings, rate, runner, compiled)
        else:
            raise ValueError("the learned gate needs a model")
        self._delay = Delay(self._ahead, channels)
        self._key_delay = Delay(self._ahead, heard)
        self._meter = Meter(rate)
        self.cleaned = 0
        self._model = runner.card.name if runner is not None and not settings.level else ""
        self.reset()

    def reset(self) -> None:
        """Start anew: the next sample is the first. Counts go on."""
        self.position = 0
        self.openings = self.open_samples = 0
        self._skip = self._ahead - self.latency  # output samples that are left out
        self._opened: int | None = None  # instant of the present opening, in input samples
        self._score = 0.0
        # decisions that wait for a gain: instant, score, open, RMS, peak
        self._late: list[tuple[int, float, bool, float, float]] = []
        for part in (self._filter, self._path, self._delay, self._key_delay, self._meter):
            part.reset()

    @property
    def bad_scores(self) -> int:
        """Decisions whose scores were no numbers."""
        return self._path.bad_scores

    def opening(self, source: str, live: bool = False) -> GateOpening:
        """What the outputs are told of an input."""
        own = self.settings
        return GateOpening(
            source=source,
            model=self._model,
            rate=self.rate,
            channels=self.channels,
            threshold=own.threshold_db if own.level else own.threshold,
            close_under=own.close_db if own.level else self._path.close_under,
            range_db=own.range_db,
            lookahead_s=self._ahead / self.rate,
            duck=own.duck,
            live=live,
        )

    def process(self, block: Audio, key: Audio | None = None) -> Audio:
        """Gate the next block.

        Args:
            block: float32 [n, channels]; any n. NaN and infinity are taken as silence.
            key: float32 [n, key_channels], with an external key only.

        Returns:
            float32 [m, channels]: m is n, or less while the look-ahead fills an aligned line.
        """
        if block.ndim != 2 or block.shape[1] != self.channels:
            raise ValueError(f"a block has shape {block.shape}, expected (n, {self.channels})")
        if (key is not None) != bool(self.key_channels):
            raise ValueError("a key is given" if key is not None else "the key is missing")
        block = self._clean(block)
        heard = block if key is None else self._clean(key)
        if len(heard) != len(block):
            raise ValueError(f"a key of {len(heard)} samples for a block of {len(block)}")
        out = self._run(block, heard)
        self.position += len(block)
        return out

    def flush(self) -> Audio:
        """End the stream: what is still in the line, gated; an open gate closes.

        Returns:
            float32 [m, channels]: as many samples as `process` left out.
        """
        rest = np.zeros((self._ahead, self.channels), np.float32)
        heard = np.zeros((self._ahead, self.key_channels or self.channels), np.float32)
        out = self._run(rest, heard) if self._ahead else rest
        self._read_late(np.full(1, self._path.gain, np.float32), self.position + self._ahead)
        if self._opened is not None:
            self._turn(self.position + self._ahead, False, self._score, "")
        return out

    def _run(self, block: Audio, heard: Audio) -> Audio:
        """Gate a block that is clean."""
        begin = self._path.position
        heard = self._filter.process(heard)
        gains, found = self._path.process(heard)
        before = self._delay.process(block)
        if self.settings.listen:
            after = _fitted(self._key_delay.process(heard), self.channels)
        else:
            after = _gained(before, gains)
        if self._skip:
            left_out = min(self._skip, len(before))
            self._skip -= left_out
            before, after = before[left_out:], after[left_out:]
        self._read_late(gains, begin)
        for at, is_open, score, why in found.turns:
            self._turn(at, is_open, score, why)
        if self.outputs:
            levels = self._meter.process(mono(heard))
            self._late += [
                (*decision, *level)
                for decision, level in zip(found.decisions, levels, strict=True)
            ]
            self._read_late(gains, begin)
            for output in self.outputs:
                output.sound(before, after)
        if found.decisions:
            self._score = found.decisions[-1][1]
        return after

    def _clean(self, audio: Audio) -> Audio:
        if not len(audio):
            return audio
        # max passes NaN on, so one comparison finds all three
        if float(np.abs(audio).max()) <= LOUDEST:
            return audio
        bad = ~(np.abs(audio) <= LOUDEST)
        if not self.cleaned:
            log.warning(
                "samples that are NaN, infinite or beyond all sound, the first at %.3f s; they "
                "are taken as silence",
                (self.position + int(bad.any(axis=1).argmax())) / self.rate,
            )
        self.cleaned += int(bad.sum())
        return np.where(bad, np.float32(0), audio)

    def _turn(self, at: int, is_open: bool, score: float, why: str) -> None:
        """The gate opens or closes from input sample `at` on, by the delayed clock."""
        at = max(0, at - self._ahead)
        event: GateEvent
        if is_open:
            self.openings += 1
            self._opened = at
            event = Opened(t=at / self.rate, score=score, reason=why)
        else:
            self.open_samples += at - (at if self._opened is None else self._opened)
            self._opened = None
            event = Closed(t=at / self.rate, score=score)
        for output in self.outputs:
            output.event(event)

    def _read_late(self, gains: Gains, begin: int) -> None:
        """Give the readings whose instants lie in a block.

        Args:
            gains: of the block.
            begin: its first sample, by the delayed clock.
        """
        until = begin + len(gains)
        given = next((i for i, late in enumerate(self._late) if late[0] >= until), None)
        ready, self._late = self._late[:given], [] if given is None else self._late[given:]
        ready = [late for late in ready if late[0] >= self._ahead]
        if not ready:
            return
        amounts = gains[np.array([late[0] for late in ready]) - begin]
        if amounts.ndim == 2:
            amounts = amounts.max(axis=1)
        for (at, score, is_open, level, peak), gain in zip(
            ready, amounts.tolist(), strict=True
        ):
            reading = GateReading(
                t=(at - self._ahead) / self.rate,
                score=score,
                open=is_open,
                gain_db=max(SILENCE_DB, 20 * math.log10(gain)) if gain > 0 else SILENCE_DB,
                level_db=level,
                peak_db=peak,
            )
            for output in self.outputs:
                output.reading(reading)


def check_fit(settings: GateSettings, rate: int, channels: int, key_channels: int) -> None:
    """Refuse settings that a sound has no room for.

    Raises:
        UsageError: so.
    """
    if settings.key_highpass >= rate / 2:
        raise UsageError(
            f"--key-highpass {settings.key_highpass:g} leaves nothing of a sound of {rate} Hz",
            f"use less than {rate / 2:g}",
        )
    if not settings.link and key_channels != channels:
        raise UsageError(
            f"--unlink: the key has {key_channels} channels and the sound {channels}",
            "leave --unlink out",
        )


def _gained(audio: Audio, gains: Gains) -> Audio:
    """A block times its gains; where one is for all, channel by channel, in half the time."""
    if gains.ndim == 2:
        return audio * gains
    out: Audio = np.empty_like(audio)
    for c in range(audio.shape[1]):
        np.multiply(audio[:, c], gains, out[:, c])
    return out


def _fitted(audio: Audio, channels: int) -> Audio:
    """A key in another number of channels: its mean in each."""
    if audio.shape[1] == channels:
        return audio
    return np.repeat(mono(audio)[:, None], channels, axis=1)
