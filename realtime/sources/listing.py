"""Which input devices there are, and which one a person means.

Used by `rt-tag --list-devices` and by `device.py`, also to find a device again after it was
lost.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from realtime.errors import DeviceNotFound
from realtime.sources.recorder import LIST, InputDevice, Recorder


def list_devices() -> list[InputDevice]:
    """Every device that can record, in PortAudio's order.

    Raises:
        AudioError: PortAudio is missing or does not start.
    """
    recorder = Recorder()
    try:
        return recorder.devices
    finally:
        recorder.end()


def pick(devices: Sequence[InputDevice], wanted: str | int | None) -> InputDevice:
    """The device that `wanted` means.

    Args:
        devices: those there are.
        wanted: None for the default, an index, a name, or a part of one that only one device
            has; upper and lower case are the same. The host API may follow: "mic, alsa".

    Raises:
        DeviceNotFound: none, or several; the message names the near ones.
    """
    if not devices:
        raise DeviceNotFound("no sound device to record from", "plug one in, or name a file")
    if wanted is None:
        return next((d for d in devices if d.default), devices[0])
    if isinstance(wanted, int) or wanted.strip().isdecimal():
        return _by_index(devices, int(wanted))
    query = wanted.strip().lower()
    full = {d.index: f"{d.name}, {d.api}".lower() for d in devices}
    exact = [d for d in devices if query in (d.name.lower(), full[d.index])]
    found = exact or [d for d in devices if query and query in full[d.index]]
    if len(found) == 1:
        return found[0]
    if found:
        these = "; ".join(d.label() for d in found)
        raise DeviceNotFound(
            f"device {wanted!r} could be any of {these}", "give the index or more of the name"
        )
    near = query and _nearest(query, [d.name for d in devices])
    if near:
        raise DeviceNotFound(f"no device {wanted!r}", f"did you mean {near!r}?")
    raise DeviceNotFound(
        f"no device {wanted!r} among {'; '.join(d.label() for d in devices)}", LIST
    )


def find_again(devices: Sequence[InputDevice], lost: InputDevice) -> InputDevice | None:
    """The device that was lost, by name: its index, and ALSA's "(hw:1,0)", may have changed."""
    kin = [d for d in devices if (_plain(d.name), d.api) == (_plain(lost.name), lost.api)]
    same = [d for d in kin if d.name == lost.name]
    return next(iter(same + kin), None)


def _by_index(devices: Sequence[InputDevice], index: int) -> InputDevice:
    for d in devices:
        if d.index == index:
            return d
    there = ", ".join(str(d.index) for d in devices)
    raise DeviceNotFound(f"no device to record from has index {index}", f"there are {there}")


def _nearest(query: str, names: Sequence[str]) -> str:
    """The name most like `query`, also when only its beginning is; empty if none is near."""
    best, likeness = "", 0.6
    for name in names:
        low = name.lower()
        for part in (low, low[: len(query)], *low.split()):
            ratio = difflib.SequenceMatcher(None, query, part).ratio()
            if ratio > likeness:
                best, likeness = name, ratio
    return best


def _plain(name: str) -> str:
    return re.sub(r" *\(hw:\d+,\d+\)", "", name)
