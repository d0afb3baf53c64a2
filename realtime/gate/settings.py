"""The gate's settings: what people may say, and what a gate runs with.

`GateOptions` is what the command line, the environment, a file say; None is "nobody spoke".
`settle` fills in the model's card and the defaults of the kind of gate, and gives
`GateSettings`: plain numbers, checked, all that `realtime.gate.stream` and `realtime.duplex`
need. The merging itself is `realtime.settings`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from realtime.card import Card
from realtime.errors import CardError, UsageError
from realtime.features import HIGHEST_RATE
from realtime.fields import Schema, fields_of, option_name, toml_of
from realtime.settings import merge

DEFAULT_GATE = "voice"
LOWEST_DB = -144.0  # beneath 24 bits
LONGEST_LOOKAHEAD_MS = 20.0
LONGEST_MS = 10_000.0
CLOSE_UNDER_DB = 6.0  # a level gate closes so far under its threshold unless told


class GateOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said about a run of rt-gate; None leaves it to the card, or to the default.

    Args:
        model: shipped name, or path.
        card: path of a card, for a model that carries none; empty is none.
        runtime: "onnx", "litert", or empty for the model file's own.
        threads: threads of the model; 0 leaves it to the runtime.
        level: the classical gate, by level and without a model.
        threshold: score at which the learned gate opens.
        hysteresis: it closes when the score is so much under the threshold.
        confirm_score: it opens at once at this score, and otherwise when two decisions in a row
            are over the threshold; 0, or what is under the threshold, is off.
        range_db: gain of the closed gate, dB.
        lookahead_ms: how long before a decision it takes effect, milliseconds.
        attack_ms: from closed to open, milliseconds.
        hold_ms: open for so long after the sound last asked for it, milliseconds.
        release_ms: from open to closed, milliseconds.
        threshold_db: level at which the level gate opens, dBFS.
        close_db: level under which it closes.
        key_highpass: the key, the sound that decides, loses what is under so many Hz; 0 is off.
        key_lowpass: likewise what is over so many Hz.
        key_slope: steepness of both, dB per octave.
        key: a file or device whose sound decides, in place of the input's; empty is the input.
        key_channels: of a live key, as "3" or "3-4": its channels, or, where no device is
            named, those of the input; empty is the first two of the device.
        listen: give the key, as the gate hears it, in place of the gated sound.
        duck: the other way round: what opens a gate turns the sound down.
        unlink: the level gate treats each channel by its own level.
        device: name, part of one, or index of an input device; empty is the default one.
        output_device: output likewise.
        rate: sampling rate in Hz of raw PCM or to open devices with; 0 is the source's own.
        channels: channels likewise; 0 is the source's own.
        output_channels: channels to play; 0 is as many as there are.
        format: of raw PCM; empty is s16.
        block: samples that a sound card hands on at a time; 0 is the usual.
        virtual_mic: name of a virtual microphone to play into; empty is none.
        control: port of the control socket; 0 is any that is free, None is no socket.
        control_token_file: file of the token that its clients have to say; empty makes one.
    """

    model: str = DEFAULT_GATE
    card: str = ""
    runtime: Literal["", "onnx", "litert"] = ""
    threads: int = 1
    level: bool = False
    threshold: float | None = None
    hysteresis: float | None = None
    confirm_score: float | None = None
    range_db: float = -60.0
    lookahead_ms: float = 0.0
    attack_ms: float | None = None
    hold_ms: float | None = None
    release_ms: float | None = None
    threshold_db: float = -40.0
    close_db: float | None = None
    key_highpass: float = 0.0
    key_lowpass: float = 0.0
    key_slope: Literal[12, 24] = 12
    key: str = ""
    key_channels: str = ""
    listen: bool = False
    duck: bool = False
    unlink: bool = False
    device: str = ""
    output_device: str = ""
    rate: int = 0
    channels: int = 0
    output_channels: int = 0
    format: Literal["", "s16", "s24", "s32", "f32"] = ""
    block: int = 0
    virtual_mic: str = ""
    control: int | None = None
    control_token_file: str = ""


class GateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate runs with: every value is there.

    Fields as in `GateOptions`, and these:

    Args:
        min_open_ms: an opening of the learned gate lasts at least so long, milliseconds.
        score: which of the model's scores decides, by its place.
        link: the level gate treats all channels alike.
    """

    level: bool = False
    threshold: float = 0.5
    hysteresis: float = 0.1
    confirm_score: float = 0.0
    min_open_ms: float = 0.0
    score: int = 0
    range_db: float = -60.0
    lookahead_ms: float = 0.0
    attack_ms: float = 2.0
    hold_ms: float = 0.0
    release_ms: float = 30.0
    threshold_db: float = -40.0
    close_db: float = -46.0
    key_highpass: float = 0.0
    key_lowpass: float = 0.0
    key_slope: Literal[12, 24] = 12
    key: str = ""
    key_channels: str = ""
    listen: bool = False
    duck: bool = False
    link: bool = True

    def lookahead(self, rate: int) -> int:
        """The look-ahead in samples."""
        return round(self.lookahead_ms * rate / 1000)


OF_SCORES = {  # options that the level gate has no use for: what to use there
    "threshold": "use --threshold-db",
    "hysteresis": "use --close-db",
    "confirm_score": "leave it out",
}
OF_MODELS = dict.fromkeys(("model", "card", "runtime", "threads"), "leave one of them out")
LEARNED = {"attack_ms": 2.0, "hold_ms": 0.0, "release_ms": 30.0}
LEVEL = {"attack_ms": 1.0, "hold_ms": 100.0, "release_ms": 100.0}

_LEVELS = (LOWEST_DB, 0.0)
_TIMES = (0.0, LONGEST_MS)
GATE = Schema(
    command="rt-gate",
    file="rt-gate.toml",
    root=GateOptions,
    tables={},
    ranges={
        "threshold": (0.0, 1.0),
        "hysteresis": (0.0, 1.0),
        "confirm_score": (0.0, 1.0),
        "range_db": _LEVELS,
        "lookahead_ms": (0.0, LONGEST_LOOKAHEAD_MS),
        "attack_ms": _TIMES,
        "hold_ms": _TIMES,
        "release_ms": _TIMES,
        "threshold_db": _LEVELS,
        "close_db": _LEVELS,
        "key_highpass": (0.0, 20_000.0),
        "key_lowpass": (0.0, 96_000.0),
        "control": (0, 65_535),
        "rate": (0, HIGHEST_RATE),
    },
)


def load_options(
    flags: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    config: str | Path | None = None,
) -> tuple[GateOptions, dict[str, str]]:
    """Merge the command line, the environment and a settings file for rt-gate.

    Args:
        flags: field to value, only those that were given.
        environ: the environment.
        config: a settings file that must exist; None is the user's, if there is one.

    Returns:
        The options, and field to origin as in `realtime.settings.merge`.

    Raises:
        UsageError: an unknown key, a wrong value, a file that cannot be read, or settings that
            contradict each other.
    """
    flat, origins = merge(GATE, flags, environ, config)
    options = GateOptions(**flat)
    agree(options, origins)
    return options, origins


def settle(
    options: GateOptions, origins: Mapping[str, str], card: Card | None
) -> tuple[GateSettings, list[tuple[str, str, str]]]:
    """The card, and the defaults of the kind of gate, fill in what nobody said.

    Args:
        options: what was said.
        origins: where.
        card: the model's; None for the level gate.

    Returns:
        The settings, and (field, value, origin) of every option.

    Raises:
        CardError: the card is no gate's.
    """
    kind = LEVEL if options.level else LEARNED
    found: dict[str, Any] = {
        name: value if (value := getattr(options, name)) is not None else kind[name]
        for name in ("attack_ms", "hold_ms", "release_ms")
    }
    close_db = options.close_db
    if close_db is None:
        close_db = max(LOWEST_DB, options.threshold_db - CLOSE_UNDER_DB)
    found["close_db"] = close_db
    said_by_card: dict[str, float] = {}
    if card is not None:
        require_gate(card)
        found["score"] = score_for(card, options.lookahead_ms)
        found["min_open_ms"] = card.decision.min_duration_s * 1000
        said_by_card = {
            "threshold": card.threshold(card.labels[found["score"]]),
            "hysteresis": card.decision.hysteresis,
            "confirm_score": card.decision.confirm_score,
        }
        for name, value in said_by_card.items():
            own = getattr(options, name)
            found[name] = value if own is None else own
    for name in fields_of(GateSettings):
        if name not in found and name in fields_of(GateOptions):
            value = getattr(options, name)
            if value is not None:
                found[name] = value
    settings = GateSettings(**found, link=not options.unlink)
    rows = []
    for name in fields_of(GateOptions):
        if card is None and name in OF_SCORES:
            continue
        value = getattr(settings if name in fields_of(GateSettings) else options, name)
        if value is None:
            continue
        silent = f"card {card.name}" if card is not None and name in said_by_card else "default"
        rows.append((name, toml_of(value), origins.get(name, silent)))
    return settings, rows


def require_gate(card: Card) -> None:
    """Refuse a model that is no gate.

    Raises:
        CardError: so.
    """
    if card.task == "gate":
        return
    if card.task == "tag":
        raise CardError(
            f"model {card.name} names sounds and opens no gate",
            f"use rt-tag --model {card.name}, or leave --model out for the gate {DEFAULT_GATE}",
        )
    raise CardError(
        f"model {card.name} is for task {card.task}, not gate",
        f"leave --model out for the gate {DEFAULT_GATE}",
    )


def score_for(card: Card, lookahead_ms: float) -> int:
    """Which score decides: the one for the longest look-ahead that there is time for."""
    fitting = [i for i, ms in enumerate(card.lookahead_ms) if ms <= lookahead_ms + 1e-9]
    return fitting[-1] if fitting else 0


def agree(options: GateOptions, origins: Mapping[str, str]) -> None:
    """Refuse settings that contradict each other.

    Args:
        options: what was said.
        origins: where, of those that were.

    Raises:
        UsageError: so.
    """
    if options.close_db is not None and options.close_db > options.threshold_db:
        raise UsageError(
            f"{origins['close_db']}: close_db is {options.close_db:g} and threshold_db "
            f"{options.threshold_db:g}",
            "a gate closes at or under its threshold",
        )
    if 0 < options.key_lowpass <= options.key_highpass:
        raise UsageError(
            f"{origins['key_lowpass']}: key_lowpass is {options.key_lowpass:g} and "
            f"key_highpass {options.key_highpass:g}: nothing is left between them",
            "the low-pass is the higher frequency",
        )
    if options.level:
        for name, hint in (OF_SCORES | OF_MODELS).items():
            if origins.get(name) == option_name(name):
                raise UsageError(
                    f"{option_name(name)} belongs to the learned gate, and --level asks for "
                    "the other",
                    hint,
                )
