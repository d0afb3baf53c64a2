"""Which devices the gate hears and plays to, and whether they share a clock.

Names are chosen as in `realtime.sources.listing`, for the input and the output alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import msgspec

from realtime.errors import DeviceNotFound
from realtime.sources.listing import find_again, pick
from realtime.sources.recorder import InputDevice

LIST = "rt-gate --list-devices shows what there is"


class SoundDevice(msgspec.Struct, frozen=True):
    """A device that can record, play, or both.

    Args:
        index: PortAudio's number of it; changes when devices come and go.
        name: its name.
        api: host API: "ALSA", "JACK Audio Connection Kit", ...
        inputs: the most channels it records.
        outputs: the most it plays.
        rate: its own rate in Hz.
        default_in: whether it is used when no input is named.
        default_out: likewise for outputs.
        api_in: whether it is the default input of its host API.
        api_out: likewise for outputs.
    """

    index: int
    name: str
    api: str
    inputs: int
    outputs: int
    rate: int
    default_in: bool
    default_out: bool
    api_in: bool
    api_out: bool

    def label(self) -> str:
        """How it is named in messages."""
        return f"{self.index} {self.name} ({self.api})"


def pick_pair(
    devices: Sequence[SoundDevice],
    source: str | int | None,
    sink: str | int | Sequence[str] | None,
) -> tuple[SoundDevice, SoundDevice]:
    """The devices to hear and to play to.

    Where only one is named, the other is the default of the same host API: who hears through
    JACK plays through JACK.

    Args:
        devices: those there are.
        source: what is to be heard: as `pick` takes it.
        sink: likewise, or names, of which the first that there is is meant.

    Raises:
        DeviceNotFound: none, or several; the message names the near ones.
    """
    able = [d for d in devices if d.outputs]
    if not able:
        raise DeviceNotFound("no sound device to play to", "plug one in, or name a file")
    if source is None and isinstance(sink, (str, int)):
        plays = _pick_output(able, sink)
        beside = [d for d in devices if d.api_in and d.api == plays.api and d.inputs]
        return (beside or [pick_input(devices, None)])[0], plays
    hears = pick_input(devices, source)
    if sink is None:
        beside = [d for d in able if d.api_out and d.api == hears.api]
        own = next((d for d in able if d.default_out), able[0])
        return hears, beside[0] if beside and source is not None else own
    return hears, _pick_output(able, sink)


def pick_input(devices: Sequence[SoundDevice], wanted: str | int | None) -> SoundDevice:
    """The device to hear.

    Args:
        devices: those there are.
        wanted: what is to be heard: as `pick` takes it.

    Raises:
        DeviceNotFound: none, or several.
    """
    found = pick([_as_input(d) for d in devices if d.inputs], wanted)
    return next(d for d in devices if d.index == found.index)


def _pick_output(able: Sequence[SoundDevice], wanted: str | int | Sequence[str]) -> SoundDevice:
    if not isinstance(wanted, (str, int)):
        named = {d.name: d for d in reversed(able)}
        return next((named[n] for n in wanted if n in named), None) or _refuse(wanted)
    if isinstance(wanted, int) or wanted.strip().isdecimal():
        for d in able:
            if d.index == int(wanted):
                return d
        indices = ", ".join(str(d.index) for d in able)
        raise DeviceNotFound(f"no device to play to has index {wanted}", f"there are {indices}")
    try:
        found = pick([_as_output(d) for d in able], wanted)
    except DeviceNotFound as e:
        e.hint = LIST if "rt-tag" in e.hint else e.hint
        raise
    return next(d for d in able if d.index == found.index)


def again(devices: Sequence[SoundDevice], lost: SoundDevice) -> SoundDevice | None:
    """A device that was lost, by name; it has to record and play what it did."""
    able = [
        d for d in devices if (not lost.inputs or d.inputs) and (not lost.outputs or d.outputs)
    ]
    found = find_again([_as_input(d) for d in able], _as_input(lost))
    return None if found is None else next(d for d in able if d.index == found.index)


def share_clock(source: SoundDevice, sink: SoundDevice) -> bool:
    """Whether one stream can serve both: input and output are one device.

    ALSA's names for sound servers ("pulse", "default") stand for an input and an output that
    need not be the same device, and PortAudio's stream over both drops and repeats blocks.
    """
    if source.index != sink.index:
        return False
    return source.api != "ALSA" or "(hw:" in source.name


def _refuse(wanted: Sequence[str]) -> NoReturn:
    raise DeviceNotFound(
        f"PortAudio sees no device {' or '.join(wanted)} to play into the sound server with",
        "sudo apt install libasound2-plugins, or pipewire-alsa",
    )


def _as_input(d: SoundDevice) -> InputDevice:
    return InputDevice(d.index, d.name, d.api, d.inputs, d.rate, d.default_in)


def _as_output(d: SoundDevice) -> InputDevice:
    return InputDevice(d.index, d.name, d.api, d.outputs, d.rate, d.default_out)
