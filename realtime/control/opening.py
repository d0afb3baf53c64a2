"""`Opener`: makes gates as a setup wants them, with the virtual microphone. For `host.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from realtime.control.listing import find_devices
from realtime.control.setup import Setup
from realtime.duplex.devices import pick_input, pick_pair
from realtime.duplex.events import LiveEvent
from realtime.duplex.live import LiveGate
from realtime.duplex.virtual_mic import VirtualMic

KEPT_S = 12.0  # of input: ten seconds and some to spare


class Opener:
    """Makes gates."""

    def __init__(self) -> None:
        self._mic: VirtualMic | None = None

    def make(
        self,
        setup: Setup,
        switches: Mapping[str, bool],
        on_event: Callable[[LiveEvent], None],
    ) -> LiveGate:
        """A gate that has not started.

        Args:
            setup: what it is to be; a virtual microphone of the same name goes on.
            switches: "bypass" and "mute".
            on_event: called with its events.

        Raises:
            UsageError: options that make no sense.
            AudioError: there is no sound server for a virtual microphone.
            MissingExtra: no tool to make one with.
        """
        wanted = setup.wanted()
        name = setup.options.virtual_mic
        if self._mic is not None and self._mic.name != name:
            self.close()
        if name:
            self._mic = self._mic or VirtualMic(name)
            wanted["output_device"] = self._mic.outputs
            wanted["environment"] = self._mic.environment
        return LiveGate(
            setup.settings,
            setup.runner,
            **wanted,
            bypass=switches["bypass"],
            mute=switches["mute"],
            kept_s=KEPT_S,
            on_event=on_event,
        )

    def close(self) -> None:
        """Take the virtual microphone away."""
        mic, self._mic = self._mic, None
        if mic is not None:
            mic.close()


def look_for(setup: Setup) -> None:
    """Whether there are the devices that a setup wants.

    Raises:
        DeviceNotFound: no.
        AudioError: PortAudio is missing or does not start.
    """
    wanted = setup.wanted()
    played = None if setup.options.virtual_mic else wanted["output_device"]
    devices = find_devices()
    pick_pair(devices, wanted["device"], played)
    if setup.options.key:
        pick_input(devices, setup.options.key)
