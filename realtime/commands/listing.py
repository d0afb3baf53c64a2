"""`--list-models`, `--list-devices` and `--print-config`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from realtime.library import Shipped, shipped

FACTS = ("index", "name", "api", "channels", "rate", "default")  # of a device
COMMANDS = {"tag": "rt-tag", "gate": "rt-gate", "vad": "rt-tag"}  # what runs a task


def print_list(args: argparse.Namespace, *, plays: bool = False) -> int:
    """Print the list that was asked for, of devices to play to as well; the exit status."""
    if not args.list_devices:
        return print_models(args.json)
    return (print_pairs if plays else print_devices)(args.json)


def print_models(as_json: bool) -> int:
    """Print the shipped models; the exit status."""
    found = list(shipped())
    if as_json:
        for model in found:
            print(json.dumps(_facts(model), ensure_ascii=False))
        return 0
    if not found:
        print("No model is shipped with this installation; give a file with --model.")
    for model in found:
        facts = _facts(model)
        files = ", ".join(f"{kind} {_size(n)}" for kind, n in facts["bytes"].items())
        if model.card is None:
            print(f"{model.name}\n    cannot be read here: {model.fault}")
            continue
        print(f"{model.name}  ({files})")
        print(f"    task      {facts['task']}  ({COMMANDS[facts['task']]})")
        print(f"    labels    {' '.join(facts['labels'])}")
        print(f"    rate      {facts['rate']} Hz")
        print(f"    licence   {facts['licence'] or 'not stated'}")
        for entry in facts["measured"]:
            data = f"  ({entry['data']})" if entry.get("data") else ""
            print(f"    measured  {entry.get('figure', entry)}{data}")
    return 0


def print_devices(as_json: bool) -> int:
    """Print the input devices; the exit status."""
    import msgspec

    from realtime.sources.listing import list_devices

    found = list_devices()
    if as_json:
        for device in found:
            print(json.dumps(msgspec.to_builtins(device), ensure_ascii=False))
        return 0
    if not found:
        print("No input device. Files and pipes work: rt-tag FILE, or ... | rt-tag -")
    for device in found:
        print(_row(msgspec.to_builtins(device)))
    return 0


def print_pairs(as_json: bool) -> int:
    """Print the devices that can record, and those that can play; the exit status."""
    from realtime.control.listing import list_devices

    for kind, devices in list_devices().items():
        if not as_json:
            print(f"{kind}:" if devices else f"{kind}: none. Files and pipes work: rt-gate - -")
        for device in devices:
            facts = {name: device[name] for name in FACTS}
            said = {"direction": kind.removesuffix("s"), **facts}
            print(json.dumps(said, ensure_ascii=False) if as_json else _row(facts))
    return 0


def _row(device: dict[str, Any]) -> str:
    mark, plural = "*" if device["default"] else " ", "" if device["channels"] == 1 else "s"
    return (
        f"{mark}{device['index']:>3}  {device['name']}  ({device['api']}, "
        f"{device['channels']} channel{plural}, {device['rate']} Hz)"
    )


def print_config(rows: Sequence[tuple[str, str, str]]) -> None:
    """The settings in force as a settings file, each with its origin."""
    table = ""
    for key, value, origin in rows:
        head, dot, name = key.partition(".")
        if not dot:
            head, name = "", key
        if head != table:
            table = head
            print(f"\n[{head}]")
        if not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
            name = json.dumps(name, ensure_ascii=False)
        print(f"{f'{name} = {value}':<40} # {origin}")


def _facts(model: Shipped) -> dict[str, Any]:
    card = model.card
    facts: dict[str, Any] = {
        "name": model.name,
        "bytes": {kind: path.stat().st_size for kind, path in model.files.items()},
    }
    if card is None:
        return facts | {"fault": model.fault}
    return facts | {
        "task": card.task,
        "labels": list(card.labels),
        "rate": card.rate,
        "licence": card.licence,
        "measured": list(card.measured),
    }


def _size(count: int) -> str:
    return f"{count / 1000:.0f} KB" if count < 10_000_000 else f"{count / 1e6:.1f} MB"
