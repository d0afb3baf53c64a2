"""`--list-models` and `--list-devices`."""

from __future__ import annotations

import json
from typing import Any

from realtime.library import Shipped, shipped

COMMANDS = {"tag": "rt-tag", "gate": "rt-gate", "vad": "rt-tag"}  # what runs a task


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
        mark = "*" if device.default else " "
        plural = "" if device.channels == 1 else "s"
        print(
            f"{mark}{device.index:>3}  {device.name}  ({device.api}, {device.channels} "
            f"channel{plural}, {device.rate} Hz)"
        )
    return 0


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
