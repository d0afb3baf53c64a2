"""How devices of the same name are told apart, so that setting one means that one."""

from realtime.control.listing import told_apart
from realtime.sources.listing import pick
from realtime.sources.recorder import InputDevice


def test_what_is_set_means_that_device():
    found = [
        *(("USB", "ALSA"), ("USB", "JACK"), ("usb", "OSS"), ("USB 2", "ALSA")),
        *(("Mic", "ALSA"), ("Mic", "ALSA"), ("Line", "ALSA")),
    ]
    devices = [
        InputDevice(i, name, api, 2, 48_000, False) for i, (name, api) in enumerate(found)
    ]
    listed = told_apart([{"index": d.index, "name": d.name, "api": d.api} for d in devices])
    for device, told in zip(devices, listed, strict=True):
        assert pick(devices, told["device"]) is device
    assert listed[3]["device"] == "USB 2"
    assert listed[6]["device"] == "Line"
