"""Which devices, gates and folders there are, for those who choose. Used by `desk.py`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from realtime.card import Card
from realtime.duplex.devices import SoundDevice
from realtime.duplex.layout import Memory
from realtime.duplex.process import SoundProcess
from realtime.errors import RtError
from realtime.library import shipped
from realtime.runners import open_runner

FOLDER = "rt-tag"
SUFFIX = ".gate"


def data_folder(name: str) -> Path:
    """A folder of the user's for what rt-gate makes: "gates", "clips". It need not be there."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base else Path.home() / ".local/share") / FOLDER / name


def list_devices() -> dict[str, list[dict[str, Any]]]:
    """All devices as PortAudio finds them now, "inputs" and "outputs"; "device" is what to set.

    Raises:
        AudioError: PortAudio is missing or does not start.
    """
    found = find_devices()
    inputs = [_device(d, d.inputs, d.default_in) for d in found if d.inputs]
    outputs = [_device(d, d.outputs, d.default_out) for d in found if d.outputs]
    return {"inputs": told_apart(inputs), "outputs": told_apart(outputs)}


def told_apart(devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, each with what names it alone: its name, that with its API, or its index."""
    names = Counter(d["name"].lower() for d in devices)
    full = Counter(f"{d['name']}, {d['api']}".lower() for d in devices)
    for d in devices:
        long = f"{d['name']}, {d['api']}"
        d["device"] = d["name"] if names[d["name"].lower()] == 1 else long
        if full[long.lower()] > 1:
            d["device"] = str(d["index"])
    return devices


def find_devices() -> list[SoundDevice]:
    """All devices.

    Raises:
        AudioError: PortAudio is missing or does not start.
    """
    memory, wake = Memory(), os.eventfd(0)
    try:
        process = SoundProcess(memory, wake)
        process.end()
        return process.devices
    finally:
        os.close(wake)
        memory.close()


class Gates:
    """The shipped gates and those of the user's folder; cards are read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], dict[str, Any]] = {}
        self._shipped: list[dict[str, Any]] | None = None

    def all(self) -> list[dict[str, Any]]:
        """Every one; "model" is what to set, "fault" why it cannot be used."""
        if self._shipped is None:
            self._shipped = [
                _gate(one.name, one.card, one.fault, shipped=True)
                for one in shipped()
                if one.card is not None and one.card.task == "gate"
            ]
        return self._shipped + self.learned()

    def learned(self) -> list[dict[str, Any]]:
        """Those of the user's folder."""
        folder = data_folder("gates")
        found = []
        for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
            try:
                facts = path.stat()
            except OSError:
                continue
            key = (str(path), facts.st_mtime_ns, facts.st_size)
            if key not in self._known:
                self._known[key] = _read(path)
            found.append(self._known[key])
        return found


def _read(path: Path) -> dict[str, Any]:
    try:
        card = open_runner(path).card
    except RtError as e:
        return _gate(str(path), None, e.line())
    return _gate(str(path), card, "" if card.task == "gate" else f"is for task {card.task}")


def describe(card: Card) -> dict[str, Any]:
    """What a card says to who chooses."""
    return {
        "name": card.name,
        "task": card.task,
        "labels": list(card.labels),
        "lookahead_ms": list(card.lookahead_ms),
        "rate": card.rate,
        "licence": card.licence,
        "threshold": card.threshold(card.labels[0]),
        "thresholds": [card.threshold(label) for label in card.labels],
        "hysteresis": card.decision.hysteresis,
    }


def _gate(model: str, card: Card | None, fault: str, shipped: bool = False) -> dict[str, Any]:
    facts = {"name": Path(model).stem} if card is None else describe(card)
    return facts | {"model": model, "shipped": shipped, "fault": fault}


def _device(device: SoundDevice, channels: int, default: bool) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(device)
    own = {name: facts[name] for name in ("index", "name", "api", "rate")}
    return own | {"channels": channels, "default": default}
