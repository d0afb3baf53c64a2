"""The device source on real PortAudio streams: every sample, and a card that is lost."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from realtime.errors import DeviceNotFound
from realtime.sources import Block, DeviceChange, open_source
from realtime.sources.listing import list_devices

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live")]

CARD_RATE = 48_000
CARDS = Path("/proc/asound/cards")


def known_noise(seconds):
    """Noise without a zero sample on a 16-bit grid, in silence; and where it begins."""
    rng = np.random.default_rng(20)
    noise = rng.integers(1, 32767, int(CARD_RATE * seconds)).astype(np.float32) / 32768
    noise[1::2] *= -1
    return np.concatenate([np.zeros(CARD_RATE // 2), noise, np.zeros(CARD_RATE // 2)])


class Listener(threading.Thread):
    """Reads a source in the background."""

    def __init__(self, source):
        super().__init__(daemon=True)
        self.source, self.items = source, []
        self.behind = []  # for each block: the wall's clock less the source's at its end
        self.start()

    def run(self):
        for item in self.source.blocks():
            self.items.append(item)
            if isinstance(item, Block):
                end = (item.position + len(item.audio)) / self.source.rate
                self.behind.append(time.monotonic() - end)

    def states(self):
        return [x.state for x in self.items if isinstance(x, DeviceChange)]

    def wait_until(self, done, what, limit_s=60.0):
        until = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < until, f"{what}: not within {limit_s} s: {self.states()}"
            time.sleep(0.05)

    def wait_for(self, state):
        self.wait_until(lambda: state in self.states(), state)

    def stop(self):
        self.source.close()
        self.join(60)
        assert not self.is_alive()

    def audio(self):
        return np.concatenate([x.audio for x in self.items if isinstance(x, Block)])


def test_every_sample_of_a_stream_arrives_once_and_in_order(card):
    source = open_source(device=card.device, rate=CARD_RATE, block_s=0.02)
    assert (source.rate, source.channels, source.live) == (CARD_RATE, 1, True)
    listener = Listener(source)
    sound = known_noise(2)
    card.play(sound, CARD_RATE)
    noise = np.trim_zeros(sound)
    listener.wait_until(lambda: np.count_nonzero(listener.audio()) >= len(noise), "the noise")
    listener.stop()
    got = listener.audio()[:, 0]
    (first,) = np.flatnonzero(got)[:1]
    np.testing.assert_array_equal(got[first : first + len(noise)], noise)
    assert not any(b.dropped for b in listener.items if isinstance(b, Block))
    assert "lost" not in listener.states()


def test_the_list_names_the_card(card):
    (found,) = [d for d in list_devices() if d.name == card.device]
    assert found.channels >= 1
    assert 8_000 <= found.rate <= 192_000


def test_a_card_that_goes_and_comes_back(card, caplog):
    source = open_source(device=card.device.upper())
    listener = Listener(source)
    listener.wait_until(lambda: len(listener.behind) >= 20, "the first second")
    card.stop()
    listener.wait_for("lost")
    before = len(listener.behind)
    time.sleep(1.5)
    card.start()
    listener.wait_for("back")
    listener.wait_until(lambda: len(listener.behind) >= before + 20, "the last second")
    listener.stop()
    assert [s for s in listener.states() if s in ("lost", "back")] == ["lost", "back"]
    blocks = [x for x in listener.items if isinstance(x, Block)]
    (gap,) = [b for b in blocks if b.dropped]
    assert gap.dropped / source.rate > 1.5
    # the clock went on meanwhile; blocks come late on a busy machine, but not every one
    behind = listener.behind
    assert min(behind[before:]) == pytest.approx(min(behind[:before]), abs=0.75)
    assert "is lost" in caplog.text
    assert "is back" in caplog.text


def test_a_card_that_gives_only_zeros(jack, caplog):
    listener = Listener(open_source(device=jack.device))
    listener.wait_for("silent")
    jack.play(known_noise(0.5), CARD_RATE)
    listener.wait_for("sounding")
    listener.stop()
    (silent, sounding) = [x for x in listener.items if isinstance(x, DeviceChange)]
    assert silent.position / CARD_RATE == pytest.approx(3.0, abs=0.1)
    assert sounding.position > silent.position
    assert "is it muted?" in caplog.text


def test_a_name_that_is_almost_right(jack):
    with pytest.raises(DeviceNotFound) as caught:
        open_source(device="sytsem")
    assert caught.value.hint == "did you mean 'system'?"


@pytest.mark.skipif(
    "[" in (CARDS.read_text() if CARDS.exists() else ""), reason="this machine has a sound card"
)
def test_no_sound_card_at_all(no_card):
    assert list_devices() == []
    with pytest.raises(DeviceNotFound, match="no sound device"):
        open_source()
