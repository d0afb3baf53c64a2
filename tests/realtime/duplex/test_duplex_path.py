"""The sound path: in all its forms what the gate gives for a file, and the hand-over."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from realtime.duplex import kernels, prepare, ramping
from realtime.duplex import layout as at
from realtime.gate.key import KeyFilter
from realtime.gate.level import LevelGate
from realtime.gate.ramp import Ramp
from realtime.gate.settings import GateSettings

LEVEL = GateSettings(
    level=True, threshold_db=-20, close_db=-26, attack_ms=1, hold_ms=15, release_ms=20
)
THOUGHT = GateSettings(threshold_db=-30, close_db=-36)


def bursts(n, channels=1, seed=0):
    """Noise whose level jumps about, float32 [n, channels]."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.uniform(0, 1, 1 + n // 600) ** 4, 600)[:n]
    return (rng.standard_normal((n, channels)) * steps[:, None] * 0.4).astype(np.float32)


def level_gate(own, rate=48_000, channels=1):
    return LevelGate(
        *(rate, channels, own.threshold_db, own.close_db, own.attack_ms, own.hold_ms),
        *(own.release_ms, own.range_db, own.duck, own.link),
        compiled=False,
    )


def later(sound, samples):
    return np.concatenate([np.zeros((samples, sound.shape[1]), np.float32), sound])[
        : len(sound)
    ]


# --- the level gate -----------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"duck": True}, {"range_db": -144.0}])
@pytest.mark.parametrize("lookahead_ms", [0, 5])
def test_by_level_it_is_the_level_gate(rig, form, changes, lookahead_ms):
    own = replace(LEVEL, lookahead_ms=lookahead_ms, **changes)
    sound = bursts(6000)
    ahead = own.lookahead(48_000)
    gains, turns = level_gate(own).process(sound)
    made = rig(form, own)
    out = made.play(sound)
    expected = later(sound, ahead) * gains[:, None]
    np.testing.assert_array_equal(out, later(expected, 128))
    # by the place of the sound, for the trace
    np.testing.assert_array_equal(made.memory.gains[: 5872 - ahead], gains[ahead:5872])
    assert len(turns) > 2
    assert [(kind, at_) for kind, at_, _ in made.notes()] == [
        (at.LOUD if is_open else at.SOFT, offset - ahead) for offset, is_open, _ in turns
    ]


def test_blocks_make_no_difference(rig, fast_form):
    sound = bursts(30_000, 2)
    whole = rig(fast_form, LEVEL, channels=2, outputs=2).play(sound)
    rng = np.random.default_rng(1)
    for blocks in (64, 100, 1024, lambda: int(rng.integers(1, 700))):
        parts = rig(fast_form, LEVEL, channels=2, outputs=2).play(sound, blocks)
        np.testing.assert_array_equal(parts, whole)


def test_gates_that_are_not_linked(rig, form):
    own = replace(LEVEL, link=False)
    sound = bursts(6000, 2)
    sound[:, 1] = bursts(6000, seed=5)[:, 0]
    gains, turns = level_gate(own, channels=2).process(sound)
    made = rig(form, own, channels=2, outputs=2)
    np.testing.assert_array_equal(made.play(sound), later(sound * gains, 128))
    assert [kind for kind, _, _ in made.notes()] == [
        at.LOUD if is_open else at.SOFT for _, is_open, _ in turns
    ]


def test_the_key_is_filtered(rig, form):
    own = replace(LEVEL, key_highpass=300.0, key_lowpass=5000.0, key_slope=24)
    sound = bursts(5000)
    key = KeyFilter(48_000, 1, 300, 5000, 24, compiled=False).process(sound)
    gains, _ = level_gate(own).process(key)
    out = rig(form, own).play(sound)
    np.testing.assert_allclose(out, later(sound * gains[:, None], 128), atol=1e-6)
    listened = rig(form, replace(own, listen=True)).play(sound)
    np.testing.assert_allclose(listened, later(key, 128), atol=1e-6)


# --- thought ------------------------------------------------------------------------------


@pytest.mark.parametrize("lookahead_ms", [0, 10])
def test_a_decision_in_time_has_its_place(rig, form, lookahead_ms):
    own = replace(THOUGHT, lookahead_ms=lookahead_ms)
    sound = bursts(6000)
    turns = [(960, True), (2400, False), (2880, True), (4800, False)]
    made = rig(form, own)

    def decide(position):
        made.ints[at.DECIDED] = position
        while made.ints[at.CHANGES] < len(turns) and (
            turns[made.ints[at.CHANGES]][0] <= position
        ):
            made.publish(*turns[made.ints[at.CHANGES]])

    out = made.play(sound, before=decide)
    gains = Ramp(48_000, 2, 30, -60, compiled=False).process(6000, turns)
    expected = later(sound, own.lookahead(48_000)) * gains[:, None]
    np.testing.assert_array_equal(out, later(expected, 128))
    assert made.notes() == [
        (at.OPENED if is_open else at.CLOSED, e - own.lookahead(48_000), e)
        for e, is_open in turns
    ]
    assert not made.ints[at.TARDY]


def test_a_late_decision_takes_effect_at_once(rig, form):
    made = rig(form, THOUGHT)

    def decide(position):
        made.ints[at.DECIDED] = max(0, position - 1500)
        if position == 2560:
            made.publish(960, True)

    out = made.play(np.ones(5000, np.float32), before=decide)
    gains = Ramp(48_000, 2, 30, -60, compiled=False).process(5000, [(2560, True)])
    np.testing.assert_array_equal(out[128:, 0], gains[128:])
    assert made.notes() == [(at.OPENED, 2560 - 128, 960)]
    assert made.ints[at.TARDY] == 1


def test_when_thought_stops_the_level_gate_serves(rig, form):
    sound = np.full(28_000, 0.5, np.float32)
    sound[13_000:19_000] = 1e-4
    made = rig(form, THOUGHT)
    silent_from, silent_to = 5_000, 20_000

    def decide(position):
        if not silent_from < position < silent_to:
            made.ints[at.DECIDED] = position
        if position == 1280:
            made.publish(960, True)

    out = made.play(sound, before=decide)
    limit = made.ints[at.LIMIT]
    assert limit == 4800
    kinds = [(kind, position) for kind, position, _ in made.notes()]
    assert [kind for kind, _ in kinds] == [*(at.OPENED, at.LATE, at.SOFT, at.LOUD, at.IN_TIME)]
    late, soft, loud, in_time = (position for _, position in kinds[1:])
    assert 4992 + limit - 256 <= late <= 4992 + limit + 128
    assert soft == 13_000 + 4800  # its hold is a tenth of a second
    assert loud == 19_000
    assert in_time == pytest.approx(silent_to + 4800, abs=300)
    assert made.ints[at.OVERLOADS] == 1
    assert made.ints[at.OVERLOAD_SAMPLES] == pytest.approx(in_time - late, abs=300)
    # no moment of the hand-over is heard: thought and level agreed that it is open
    np.testing.assert_array_equal(out[2000:13_000, 0], sound[2000 - 128 : 13_000 - 128])
    np.testing.assert_array_equal(out[20_000:, 0], sound[20_000 - 128 : -128])
    assert not made.ints[at.OVERLOADED]


def test_decisions_of_an_overload_count_when_it_ends(rig, form):
    made = rig(form, THOUGHT)

    def decide(position):
        if position == 1280:
            made.publish(960, True)
        if position == 12_800:
            made.publish(9_600, False)
        if not 1280 < position < 12_800:
            made.ints[at.DECIDED] = position

    made.play(np.full(24_000, 0.5, np.float32), before=decide)
    assert [kind for kind, _, _ in made.notes()] == [at.OPENED, at.LATE, at.IN_TIME]
    assert made.ints[at.OPEN] == 0
    assert made.floats[at.GAIN] == pytest.approx(0.001)


# --- sound --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "outputs"), [(1, 1), (1, 2), (2, 1), (2, 2), (2, 4), (3, 2), (1, 4)]
)
def test_channels_to_outputs(rig, form, channels, outputs):
    own = replace(LEVEL, threshold_db=-144.0, close_db=-144.0, range_db=0.0)
    sound = bursts(1000, channels)
    out = rig(form, own, channels=channels, outputs=outputs).play(sound)
    expected = np.zeros((1000, outputs), np.float32)
    if outputs == 1:
        expected[:, 0] = sound.mean(axis=1, dtype=np.float64)
    elif channels == 1:
        expected[:, :2] = sound
    else:
        expected[:, :channels] = sound[:, :outputs]
    np.testing.assert_allclose(out, later(expected, 128), atol=1e-7)


def test_what_is_no_sound_is_silence(rig, form):
    own = replace(LEVEL, range_db=0.0)
    sound = np.full((1000, 1), 0.25, np.float32)
    sound[100], sound[200], sound[300], sound[400] = np.nan, np.inf, -np.inf, 1e9
    made = rig(form, own)
    out = made.play(sound)
    assert np.flatnonzero(out[128:] == 0).tolist() == [100, 200, 300, 400]
    assert np.isfinite(out).all()
    assert made.ints[at.CLEANED] == 4
    assert made.floats[at.IN_ENERGY] == pytest.approx(996 / 16)


def test_bypass_and_mute_fade(rig, form):
    made = rig(form, LEVEL)
    changes = {1280: {"bypass": True}, 2560: {"mute": True}, 3840: {"mute": False}}
    changes[5120] = {"bypass": False}

    def change(position):
        if position in changes:
            prepare.adjust(made.memory, LEVEL, **changes[position])

    sound = np.full(7000, 0.05, np.float32)  # under the threshold
    out = made.play(sound, before=change)[:, 0]
    assert np.abs(np.diff(out)).max() < 0.05 / 400
    for at_, gain in ((1279, 0.001), (2400, 1.0), (3700, 0.0), (5000, 1.0), (6999, 0.001)):
        assert out[at_] == pytest.approx(0.05 * gain, rel=1e-3)


def test_settings_change_without_a_click(rig, form):
    made = rig(form, LEVEL)

    def change(position):
        if position == 2560:
            prepare.adjust(made.memory, replace(LEVEL, range_db=-6.0))

    out = made.play(np.full(6000, 0.05, np.float32), before=change)[:, 0]
    assert out[2500] == pytest.approx(0.00005, rel=1e-3)
    assert out[-1] == pytest.approx(0.05 * 10 ** (-6 / 20), rel=1e-3)
    assert np.abs(np.diff(out)).max() < 0.003


def test_settings_that_are_being_written_wait(rig):
    made = rig("numpy", LEVEL)
    before = made.ints[at.APPLIED]
    made.ints[at.VERSION] += 1
    made.floats[at.FLOOR] = 1.0
    out = made.play(np.full(1000, 0.05, np.float32))
    assert made.ints[at.APPLIED] == before
    assert out[-1] == pytest.approx(0.00005, rel=1e-3)
    made.ints[at.VERSION] += 1
    made.play(np.zeros(10))
    assert made.ints[at.APPLIED] == before + 2


def test_the_worker_is_woken_once_for_each_wish(rig):
    made = rig("plain", THOUGHT)
    ints = made.memory.words.view(np.int64)
    made.ints[at.WANTED] = 300
    answers = []
    for _ in range(5):
        made.play(np.zeros(128))
        answers.append(kernels.due(ints))
    assert answers == [False, False, True, False, False]
    made.ints[at.WANTED] = 640
    assert kernels.due(ints)


@pytest.mark.slow
def test_the_compiled_callback_wakes_the_worker(rig):
    pytest.importorskip("numba")
    made = rig("numba", THOUGHT)
    made.ints[at.WANTED] = 300
    made.play(np.zeros(256))
    with pytest.raises(BlockingIOError):
        os.eventfd_read(made.wake)
    made.play(np.zeros(512))
    assert os.eventfd_read(made.wake) == 1


def test_notes_that_nobody_reads(rig):
    made = rig("numpy", THOUGHT)
    for number in range(400):
        made.publish(0, number % 2 == 0)
        made.ints[at.DECIDED] = made.ints[at.WRITTEN]
        made.play(np.zeros(16), 16)
    assert made.ints[at.NOTES] == at.MOST_NOTES
    assert made.ints[at.NOTES_LOST] == 400 - at.MOST_NOTES


# --- its ramp and detector are the gate's ----------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    turns=st.lists(st.tuples(st.integers(0, 1999), st.booleans()), max_size=10).map(sorted),
    attack=st.floats(0, 20),
    release=st.floats(0, 30),
    range_db=st.floats(-130, 0),
    duck=st.booleans(),
)
def test_the_ramp_is_ramp(turns, attack, release, range_db, duck):
    own = GateSettings(attack_ms=attack, release_ms=release, range_db=range_db, duck=duck)
    expected = Ramp(48_000, attack, release, range_db, duck, compiled=False)
    memory = at.Memory()
    try:
        memory.ints[at.GATES], memory.ints[at.RATE] = 1, 48_000
        prepare.adjust(memory, own)
        kernels.rest(memory.words.view(np.int64), memory.words)
        out = np.zeros(2000, np.float32)
        done = 0
        for offset, is_open in [*turns, (2000, False)]:
            ramping.run(memory.words, out, at.AT_GATES, done, offset - done)
            done = offset
            if offset < 2000:
                ramping.turn(memory.words, at.AT_GATES, is_open)
    finally:
        memory.close()
    np.testing.assert_array_equal(out, expected.process(2000, turns))
