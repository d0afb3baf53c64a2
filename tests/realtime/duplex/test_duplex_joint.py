"""Two clocks: what the joint does with rates, drift, bursts, and drivers that stall."""

import numpy as np
import pytest

from realtime.duplex import joint, prepare
from realtime.duplex import layout as at
from realtime.gate.settings import GateSettings

OPEN = GateSettings(level=True, threshold_db=-144, close_db=-144, range_db=0)


def tone(instants, hz=1000.0):
    return 0.5 * np.sin(2 * np.pi * hz * instants)


class Clocks:
    """An input and an output whose callbacks come when their clocks say so."""

    def __init__(self, made, in_rate, out_rate, in_block=128, out_block=128, hz=1000.0):
        self.made, self.hz = made, hz
        self.in_rate, self.out_rate = in_rate, out_rate
        self.in_block, self.out_block = in_block, out_block
        self.taken = self.given = 0
        self.late = 0  # blocks that a stalled input has not handed on
        self.out, self.reserves = [], []

    def run(self, until_s, takes=lambda t: True, gives=lambda t: True):
        """Let them run until a time; a driver stalls where `takes` or `gives` is false."""
        while True:
            next_in = (self.taken + self.late + 1) * self.in_block / self.in_rate
            next_out = (self.given + 1) * self.out_block / self.out_rate
            now = min(next_in, next_out)
            if now > until_s:
                return
            if next_in <= next_out:
                self.late += 1
                while self.late and takes(now):
                    self._take(now)
                    self.late -= 1
            else:
                if gives(now):
                    self._give(now)
                self.given += 1

    def _take(self, now):
        places = np.arange(self.taken * self.in_block, (self.taken + 1) * self.in_block)
        self.made.path.take(tone(places / self.in_rate, self.hz).astype(np.float32), now)
        self.taken += 1

    def _give(self, now):
        y = np.zeros(self.out_block, np.float32)
        self.made.path.pull(y, now)
        self.out.append(y)

    def sound(self):
        return np.concatenate(self.out)

    def delay_ms(self):
        ints, floats = self.made.ints, self.made.floats
        return 1000 * floats[at.DELAY] / ints[at.RATE]


def two_clocks(rig, form, rate=48_000, rate_out=48_000):
    return rig(form, OPEN, rate=rate, rate_out=rate_out, joined=False, block=128)


def noise_db(sound, rate, hz=1000.0):
    """What is left of a tone when it is taken away, in dB of it."""
    t = np.arange(len(sound)) / rate
    # the frequency of the output's own clock may be slightly off
    best = np.inf
    for ppm in np.linspace(-400, 400, 161):
        basis = np.exp(2j * np.pi * hz * (1 + 1e-6 * ppm) * t)
        basis = np.stack([basis.real, basis.imag], axis=1)
        rest = sound - basis @ np.linalg.lstsq(basis, sound, rcond=None)[0]
        best = min(best, float(np.mean(rest**2)))
    return 10 * np.log10(best / np.mean(sound.astype(float) ** 2))


def test_the_forms_agree(rig):
    twin = Clocks(two_clocks(rig, "numpy", rate_out=44_100), 48_000, 44_100)
    other = Clocks(two_clocks(rig, "plain", rate_out=44_100), 48_000, 44_100)
    for clocks in (twin, other):
        clocks.run(0.06)
        clocks.run(0.09, takes=lambda t: False)
        clocks.run(0.12)
    np.testing.assert_allclose(twin.sound(), other.sound(), atol=1e-6)
    assert np.abs(twin.sound()).max() > 0.4


@pytest.mark.slow
def test_the_compiled_form_agrees(rig):
    pytest.importorskip("numba")
    both = []
    for form in ("numpy", "numba"):
        clocks = Clocks(two_clocks(rig, form, rate_out=44_100), 48_000, 44_100, out_block=441)
        clocks.run(3.0)
        clocks.run(3.4, takes=lambda t: False)
        clocks.run(6.0)
        both.append(clocks.sound())
        assert clocks.made.ints[at.SLIPS] == 1
    np.testing.assert_allclose(*both, atol=1e-5)


@pytest.mark.parametrize(
    ("rate", "rate_out"),
    [(48_000, 48_000), (16_000, 48_000), (44_100, 48_000), (96_000, 44_100)],
)
def test_rates(rig, fast_form, rate, rate_out):
    clocks = Clocks(two_clocks(rig, fast_form, rate, rate_out), rate, rate_out)
    clocks.run(1.3)
    assert noise_db(clocks.sound()[-rate_out // 4 :], rate_out) < -80
    assert not clocks.made.ints[at.SLIPS]


def test_what_the_lower_rate_has_no_room_for_is_filtered(rig, fast_form):
    clocks = Clocks(two_clocks(rig, fast_form, 48_000, 16_000), 48_000, 16_000, hz=11_000.0)
    clocks.run(0.5)
    assert np.abs(clocks.sound()[-4000:]).max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("ppm", [-300, 300])
def test_clocks_that_drift(rig, fast_form, ppm):
    rate = 48_000 * (1 + 1e-6 * ppm)
    clocks = Clocks(two_clocks(rig, fast_form), rate, 48_000, 480, 480)
    clocks.run(60)
    assert not clocks.made.ints[at.SLIPS]
    assert 1e6 * clocks.made.floats[at.DRIFT] == pytest.approx(ppm, abs=40)
    assert clocks.delay_ms() < 30
    assert noise_db(clocks.sound()[-9_600:], 48_000) < -70


@pytest.mark.slow
def test_bursts(rig, fast_form):
    """An output that takes 20 ms at once: it slips once or twice, then has its reserve."""
    clocks = Clocks(two_clocks(rig, fast_form), 48_000, 48_000, 128, 960)
    rng = np.random.default_rng(0)
    holes = set(rng.integers(100, 2900, 60).tolist())
    clocks.run(30, takes=lambda t: int(t * 100) not in holes)
    slips = clocks.made.ints[at.SLIPS]
    assert slips <= 4
    clocks.run(60)
    assert clocks.made.ints[at.SLIPS] == slips


def test_a_stall_costs_a_slip_and_the_delay_returns(rig, fast_form):
    made = two_clocks(rig, fast_form)
    clocks = Clocks(made, 48_000, 48_000)
    clocks.run(5)
    usual = clocks.delay_ms()
    clocks.run(5.3, gives=lambda t: False)  # the output stood still: too much
    clocks.run(9)
    assert made.ints[at.SLIPS] == 1
    assert clocks.delay_ms() == pytest.approx(usual, abs=3)
    clocks.run(9.3, takes=lambda t: False)  # the input: too little, then too much at once
    clocks.run(12)
    assert 2 <= made.ints[at.SLIPS] <= 3
    clocks.run(15)
    for _ in range(6):  # minutes in which nothing happens, but for their end
        made.ints[at.SECONDS] = joint.MINUTE - 1
        clocks.run(clocks.given * 128 / 48_000 + 2.2)
    assert clocks.delay_ms() == pytest.approx(usual, abs=3)
    # no click: a tone of 1 kHz at 0.5 moves by 0.066 from sample to sample
    assert np.abs(np.diff(clocks.sound())).max() < 0.08


@pytest.mark.parametrize(("in_block", "out_block"), [(128, 128), (100, 480), (480, 64)])
def test_the_delay_is_what_is_said(rig, fast_form, in_block, out_block):
    made, hz = two_clocks(rig, fast_form), 5.0
    clocks = Clocks(made, 48_000, 48_000, in_block, out_block, hz)
    clocks.run(3)
    sound = clocks.sound()[-24_000:]
    t = np.arange(len(clocks.sound()))[-24_000:] / 48_000
    sine, cosine = (float(sound @ f(2 * np.pi * hz * t)) for f in (np.sin, np.cos))
    late_ms = 1000 * np.arctan2(-cosine, sine) / (2 * np.pi * hz)
    # `run` counts an output's block from its end, as it does an input's
    late_ms += (out_block - in_block) / 48
    stated = prepare.latency_ms(made.memory, joined=False)
    assert late_ms == pytest.approx(stated, abs=0.5)
    assert stated < 3 * (in_block + out_block) / 48 + 128 / 48 + 3


def test_the_table_of_taps():
    taps, table = joint.make_table(1.0)
    assert table.shape == (at.PHASES + 1, taps)
    np.testing.assert_allclose(table.sum(axis=1), 1.0, atol=1e-6)
    assert table[0, taps // 2 - 1] == pytest.approx(1.0)
    taps, _ = joint.make_table(192 / 8)
    assert taps <= at.MOST_TAPS
