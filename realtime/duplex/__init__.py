"""Live sound through the gate: `run_live`, and `LiveGate` for whoever steers one.

The sound runs in a process of its own (`sound.py`), thought in this one (`worker.py`); they
share memory (`shared.py`) and nothing else. `docs/life-of-a-block.md` tells why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime.gate.settings import GateSettings
    from realtime.runners import Runner

BLOCK = 128  # samples that the sound card hands on at a time


def run_live(
    settings: GateSettings,
    runner: Runner | None,
    *,
    device: str | int | None = None,
    output_device: str | int | None = None,
    rate: int | None = None,
    block: int = BLOCK,
    channels: int | None = None,
    output_channels: int | None = None,
    virtual_mic: str | None = None,
    json: bool = False,
) -> int:
    """Gate an input device into an output device until Ctrl-C or SIGTERM.

    Args:
        settings: the gate, with the card's values already filled in.
        runner: the model, opened; None is the level gate alone.
        device: input: index, name or unique part of a name; None for the default.
        output_device: output, likewise; None for the same device if it can play, or the
            default.
        rate: Hz; None for the input's own.
        block: samples that the card hands on at a time.
        channels: input channels; None for one, or two where the output has two.
        output_channels: None for as many as the input has, or what the device needs.
        virtual_mic: make a virtual microphone of this name and play into it; None for none.
        json: JSON lines on stdout; otherwise a meter on a terminal, plain lines elsewhere.

    Returns:
        The exit status: 130, as nothing but an interrupt ends a live run.

    Raises:
        UsageError: options that make no sense.
        DeviceNotFound: no device, or none or several of that name.
        AudioError: PortAudio is missing, or a device cannot be opened.
        MissingExtra: neither PipeWire nor PulseAudio is there for a virtual microphone.
    """
    raise NotImplementedError
