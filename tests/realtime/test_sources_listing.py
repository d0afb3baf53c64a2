"""Which devices there are, and which one a person means."""

import pytest

from realtime.errors import DeviceNotFound
from realtime.sources.listing import find_again, list_devices, pick
from realtime.sources.recorder import InputDevice


def test_outputs_are_no_microphones(hardware):
    hardware.plug(hardware.entry("speaker", channels=0), hardware.entry("mic"), default=1)
    (only,) = list_devices()
    assert (only.index, only.name, only.default) == (1, "mic", True)


def table(*names):
    return [
        InputDevice(index=i, name=n, api="ALSA", channels=1, rate=48_000, default=i == 1)
        for i, n in enumerate(names)
    ]


DEVICES = table(
    "HDA Intel PCH: ALC257 (hw:0,0)", "default", "USB Mic: Audio (hw:2,0)", "USB Cam"
)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 1),
        (2, 2),
        ("2", 2),
        (" 0 ", 0),
        ("default", 1),
        ("DEFAULT", 1),
        ("usb mic", 2),
        ("alc257", 0),
        ("usb cam, alsa", 3),
    ],
)
def test_picking_a_device(wanted, index):
    assert pick(DEVICES, wanted).index == index


@pytest.mark.parametrize(
    ("wanted", "says", "hint"),
    [
        ("usb", "could be any of 2 USB Mic", "give the index"),
        ("usb mik", "no device 'usb mik'", "did you mean 'USB Mic: Audio (hw:2,0)'?"),
        ("defualt", "no device 'defualt'", "did you mean 'default'?"),
        ("zoom", "no device 'zoom' among 0 HDA", "--list-devices"),
        ("", "no device ''", "--list-devices"),
        ("7", "index 7", "there are 0, 1, 2, 3"),
        (-1, "index -1", "there are 0"),
    ],
)
def test_names_that_do_not_fit(wanted, says, hint):
    with pytest.raises(DeviceNotFound) as caught:
        pick(DEVICES, wanted)
    assert says in str(caught.value)
    assert hint in caught.value.hint


def test_an_exact_name_wins_over_longer_ones():
    assert pick(table("mic", "mic 2"), "mic").index == 0


def test_a_replugged_card_may_have_another_number():
    lost = DEVICES[2]
    again = table("default", "USB Mic: Audio (hw:1,0)")
    assert find_again(again, lost).index == 1
    assert find_again(table("default"), lost) is None
    both = table("USB Mic: Audio (hw:1,0)", "USB Mic: Audio (hw:2,0)")
    assert find_again(both, lost).index == 1


def test_the_list(hardware):
    hardware.plug(
        hardware.entry("a", channels=2, rate=44_100), hardware.entry("b", api=1), default=1
    )
    first, second = list_devices()
    assert first == InputDevice(
        index=0, name="a", api="ALSA", channels=2, rate=44_100, default=False
    )
    assert second.default
    assert second.label() == "1 b (JACK)"
