"""Which devices the gate has, for pages that record and play by themselves.

A gate of another machine has devices that may not be here: `open_input` then takes the default.
"""

from __future__ import annotations

from gui.driver import GateDriver
from gui.gate_source import GateSource
from realtime.errors import AudioError, DeviceNotFound, RtError
from realtime.sources import Source, open_source


def gate_input(driver: GateDriver) -> str:
    """Name of the gate's microphone; empty if that is not known."""
    return str(driver.settings.get("device") or _started(driver).get("input") or "")


def gate_output(driver: GateDriver) -> str:
    """Name of what the gate plays to; empty if not known, or if others record from it."""
    if driver.settings.get("virtual_mic"):
        return ""
    return str(driver.settings.get("output_device") or _started(driver).get("output") or "")


def open_input(device: str, exactly: bool) -> Source:
    """Open a microphone; one channel of it.

    Args:
        device: its name; empty is the default one.
        exactly: raise if it cannot be opened. Otherwise the default one serves if there is
            none of that name; and if it is there and busy, the gate, which has it, gives what
            it hears.

    Raises:
        AudioError: it cannot be opened.
    """
    try:
        return open_source(device=device or None)
    except DeviceNotFound:
        if exactly or not device:
            raise
        return open_source()
    except AudioError as e:
        if exactly:
            raise
        try:
            return GateSource()
        except RtError:
            raise e from None


def _started(driver: GateDriver) -> dict[str, object]:
    return driver.hello.get("started") or {}
