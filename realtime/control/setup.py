"""`Setup`: what a gate is started with, and how it differs from another. For `host.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from realtime.duplex import BLOCK
from realtime.duplex.key import key_channels
from realtime.duplex.live import BLOCKS, STEERED
from realtime.duplex.state import LiveState
from realtime.errors import UsageError
from realtime.fields import check, fields_of, nearest
from realtime.gate.ramp import SILENCE_DB
from realtime.gate.settings import GATE, GateOptions, GateSettings, agree, require_gate, settle
from realtime.library import find_model
from realtime.runners import Runner, open_runner
from realtime.sources.device import MOST_CHANNELS, RATES

MOST_THREADS: Final = 64
MODEL: Final = ("model", "card", "runtime", "threads", "level")
ENDS: Final = (
    *("device", "output_device", "virtual_mic", "rate", "channels", "output_channels"),
    "key",  # a device, too
)
FIXED: Final = {  # of the options, those that no request changes
    "format": "it is for raw PCM",
    "control": "it is what you are talking to",
    "control_token_file": "it is read once",
}
CHANGED: Final = tuple(name for name in fields_of(GateOptions) if name not in FIXED)
RESTARTS: Final = tuple(name for name in CHANGED if name not in STEERED)
USUAL: Final[dict[str, tuple[float, float]]] = {  # 0 is the usual
    "threads": (1, MOST_THREADS),
    "rate": RATES,
    "block": BLOCKS,
    "channels": (1, MOST_CHANNELS),
    "output_channels": (1, MOST_CHANNELS),
}
RANGES: Final = GATE.ranges | USUAL


class Setup(msgspec.Struct, frozen=True):
    """What one gate is started with.

    Args:
        options: what was said, by the command line or a client since.
        settings: what that comes to with the model's card.
        runner: the model, opened; None for the level gate.
    """

    options: GateOptions
    settings: GateSettings
    runner: Runner | None

    def changed(self, said: Mapping[str, Any]) -> Setup:
        """The same with other settings, and with another model, opened, if they name one.

        Args:
            said: fields of `GateOptions`; null is "nobody spoke": the card's, or the default.

        Raises:
            UsageError: no setting, one that cannot be changed, a wrong value, a contradiction.
            ModelError: the model cannot be used.
        """
        options = msgspec.structs.replace(self.options, **checked(said))
        agree(options, {name: name for name in CHANGED})
        runner = self.runner
        if any(getattr(options, name) != getattr(self.options, name) for name in MODEL):
            runner = None if options.level else open_model(options)
        card = None if runner is None else runner.card
        settings, _ = settle(options, {}, card)
        setup = Setup(options, settings, runner)
        require_live(setup)
        return setup

    def differs(self, other: Setup, names: Iterable[str] = RESTARTS) -> bool:
        """Whether one of some options, those that take a new start, is another."""
        return any(getattr(self.options, n) != getattr(other.options, n) for n in names)

    def in_force(self) -> dict[str, Any]:
        """Every setting that a client can change, as it is in force."""
        said: dict[str, Any] = msgspec.to_builtins(self.options)
        settled: dict[str, Any] = msgspec.to_builtins(self.settings)
        return {name: said[name] for name in CHANGED} | settled

    def resting(self, switches: Mapping[str, bool]) -> LiveState:
        """The state of a gate that has not begun."""
        own = self.settings
        numbers: dict[str, Any] = {
            name: 0 if kind == "int" else 0.0
            for name, kind in LiveState.__annotations__.items()
            if kind in ("int", "float")
        }
        levels = dict.fromkeys(("input_db", "output_db", "gain_db"), SILENCE_DB)
        threshold = own.threshold_db if own.level else own.threshold
        rest = {"threshold": threshold, "running": False, "score": None, "open": False}
        return LiveState(**(numbers | levels | rest | {"overloaded": False} | dict(switches)))

    def steered(self) -> dict[str, Any]:
        """The settings that may change while it runs."""
        return {name: getattr(self.settings, name) for name in STEERED}

    def wanted(self) -> dict[str, Any]:
        """What `LiveGate` is told beside its settings."""
        own = self.options
        return {
            "device": own.device or None,
            "output_device": own.output_device or None,
            "rate": own.rate or None,
            "block": own.block or BLOCK,
            "channels": own.channels or None,
            "output_channels": own.output_channels or None,
        }


def require_live(setup: Setup) -> None:
    """Refuse what no live gate can be.

    Raises:
        UsageError: so.
    """
    own = setup.options
    if own.virtual_mic and own.output_device:
        raise UsageError(
            "virtual_mic and output_device are two outputs", "leave one of them out"
        )
    key_channels(setup.settings.key_channels)
    for name in USUAL:
        if getattr(own, name):
            _in_range(name, getattr(own, name))


def checked(said: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in their own types.

    Raises:
        UsageError: no setting, one that cannot be changed, or a wrong value.
    """
    found = {}
    for name, value in said.items():
        if name in FIXED:
            raise UsageError(f"{name} cannot be changed", FIXED[name])
        if name not in CHANGED:
            raise UsageError(f"there is no setting {name}", nearest(name, CHANGED))
        if value is None:
            found[name] = getattr(GateOptions(), name)
            continue
        value = check(name, value, name, GATE)
        if name in USUAL and value:
            _in_range(name, value)
        found[name] = value
    return found


def open_model(options: GateOptions) -> Runner:
    """The model of some options.

    Raises:
        UsageError: there is none of that name, or it is no plain file.
        ModelError: it cannot be used, or is no gate.
    """
    path = find_model(options.model, options.runtime)
    for file in (path, *map(Path, filter(None, (options.card,)))):
        if file.exists() and not file.is_file():  # who reads a pipe waits
            raise UsageError(f"{file} is no file", "give the path of one")
    runner = open_runner(path, options.card or None, options.runtime or None, options.threads)
    require_gate(runner.card)
    return runner


def _in_range(name: str, value: float) -> None:
    low, high = USUAL[name]
    if not low <= value <= high:
        raise UsageError(f"{name} is {value:g}", f"use {low:g} to {high:g}")
