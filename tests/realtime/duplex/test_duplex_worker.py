"""The worker, fed by hand: its loop in Python and compiled decide the same."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import realtime
from realtime.duplex import layout as at
from realtime.duplex import thinking
from realtime.duplex.thought import Thought, _function, warm
from realtime.duplex.worker import Worker
from realtime.gate import scoring
from realtime.gate.grid import due
from realtime.gate.judge import Judge
from realtime.gate.key import KeyFilter
from realtime.gate.paths import mono
from realtime.gate.scorer import Scorer
from realtime.gate.settings import GateSettings
from realtime.runners import open_runner

DEMO = Path(realtime.__file__).parent / "sounds/demo.flac"
THOUGHT = GateSettings(hold_ms=35, min_open_ms=50)


class Fed:
    """A worker, and the sound process's part of its life."""

    def __init__(self, rig, model, compiled, settings=THOUGHT, **opened):
        self.rig = rig("numpy", settings, **opened)
        self.ints, self.ring = self.rig.ints, self.rig.memory.ring
        self.wake = os.eventfd(0)
        runner = open_runner(model, None, None, 1)
        self.worker = Worker(self.rig.memory, self.wake, settings, runner, compiled)
        assert self.worker.compiled == compiled
        self.worker.start()
        self.wait_for_begin()

    def wait_for_begin(self):
        hop = due(0, self.ints[at.RATE])
        self.wait(lambda: self.ints[at.WANTED] == self.ints[at.WRITTEN] + hop)

    def wait(self, ready):
        """Wake it until something is so."""
        until = time.monotonic() + 60
        while not ready():
            os.eventfd_write(self.wake, 1)
            assert time.monotonic() < until, self.worker.fault
            time.sleep(0.001)

    def hear(self, sound):
        """Give it sound, and wait until it has decided on it."""
        begin = self.ints[at.WRITTEN]
        self.ring[(begin + np.arange(len(sound))) % len(self.ring)] = sound
        at.fence()
        self.ints[at.WRITTEN] += len(sound)
        self.wait(lambda: self.ints[at.WANTED] > self.ints[at.WRITTEN])

    def end(self):
        self.worker.stop()
        self.worker.join(60)
        assert not self.worker.is_alive()
        os.close(self.wake)
        changes = self.rig.memory.words.view(np.int64)[at.AT_CHANGES :][: at.MOST_CHANGES]
        return self.worker.thought.since(0), changes[: self.ints[at.CHANGES]].copy()


def bursts(rate, channels, seconds=2.0):
    rng = np.random.default_rng(0)
    level = np.repeat(rng.uniform(0, 1, int(seconds * 20)) ** 5, -(-rate // 20))
    sound = rng.normal(0, 0.2, (int(seconds * rate), channels))
    return (sound * level[: len(sound), None]).astype(np.float32)


def words(rate, channels):
    """Two seconds of the bundled recording, with two words in them."""
    sound, own = soundfile.read(DEMO, dtype="float32")
    part = soxr.resample(sound[int(0.7 * own) : int(2.7 * own)], own, rate)
    return np.outer(part, np.linspace(1.0, 0.5, channels)).astype(np.float32)


def fed(rig, model, compiled, sound, rate, blocks, own=THOUGHT):
    form = {"rate": rate, "rate_out": rate, "channels": sound.shape[1]}
    made = Fed(rig, model, compiled, own, **form)
    begin = 0
    while begin < len(sound):
        n = next(blocks)
        made.hear(sound[begin : begin + n])
        begin += n
    return made.end()


def lengths(seed=0):
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(1, 3000))


def test_decisions_lie_on_the_grid(rig, gate_model):
    sound = bursts(22_050, 2)
    log, changes = fed(rig, gate_model, False, sound, 22_050, lengths())
    assert log[:, 0].tolist() == list(range(1, len(log) + 1))
    assert log[:, 1].tolist() == [due(k, 22_050) for k in range(len(log))]
    turned = np.flatnonzero(np.diff(log[:, 3], prepend=0))
    assert len(turned) > 3
    assert changes.tolist() == [2 * int(p) + int(o) for p, o in log[turned][:, [1, 3]]]


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1), (11_025, 3)])
@pytest.mark.parametrize("model", ["gate_model", "voice"])
def test_the_loops_agree(rig, request, model, rate, channels):
    pytest.importorskip("numba")
    from realtime.library import find_model

    path = request.getfixturevalue(model) if model == "gate_model" else find_model(model)
    sound = (bursts if model == "gate_model" else words)(rate, channels)
    sound[rate : rate + 5000] = 0  # the floor of the logarithm
    plain, changes = fed(rig, path, False, sound, rate, lengths(1))
    log, own = fed(rig, path, True, sound, rate, lengths(2))
    np.testing.assert_allclose(log[:, 2], plain[:, 2], atol=1e-4)
    np.testing.assert_array_equal(log[:, [0, 1, 3]], plain[:, [0, 1, 3]])
    np.testing.assert_array_equal(own, changes)
    assert len(own) > 1


@pytest.mark.slow
@pytest.mark.parametrize("rate", [48_000, 22_050])
def test_live_sound_has_the_scores_of_a_file(rig, gate_model, rate):
    """To the bit: both are the same compiled function."""
    pytest.importorskip("numba")
    sound = bursts(rate, 2)
    log, _ = fed(rig, gate_model, True, sound, rate, lengths(3))
    scorer = Scorer(open_runner(gate_model), rate, compiled=True)
    assert scorer.compiled
    found = [
        (end, float(scores[THOUGHT.score])) for _, end, scores in scorer.process(mono(sound))
    ]
    assert [tuple(row) for row in log[:, 1:3]] == found
    assert np.ptp(log[:, 2]) > 0.5


@pytest.mark.slow
def test_the_compiled_loop_skips_and_begins_anew(rig, gate_model):
    pytest.importorskip("numba")
    made = Fed(rig, gate_model, True)
    made.hear(bursts(48_000, 1, 1.0))
    assert made.worker.skipped == 47_520  # of a second at once
    decided = made.worker.decisions
    made.hear(bursts(48_000, 1, 0.2))
    assert made.worker.decisions == decided + 20
    made.ints[at.WRITTEN] += 12_345
    made.worker.begin()
    made.wait_for_begin()
    made.hear(np.zeros((4800, 1), np.float32))
    log, _ = made.end()
    assert log[-1, 1] == made.ints[at.WRITTEN]
    assert made.ints[at.DECIDED] == made.ints[at.WRITTEN]


@pytest.mark.slow
def test_what_is_compiled_while_devices_open_is_what_is_used(rig, gate_model):
    pytest.importorskip("numba")
    made = rig("numpy", THOUGHT)
    warm(made.memory, open_runner(gate_model, None, None, 1))
    loop = _function()
    assert len(loop.signatures) == 1
    Fed(rig, gate_model, True).end()
    assert len(loop.signatures) == len(scoring.step.signatures) == 1


@pytest.mark.slow
def test_settings_change_while_it_runs(rig, gate_model):
    pytest.importorskip("numba")
    made = Fed(rig, gate_model, True)
    loud = np.random.default_rng(0).normal(0, 0.2, (4800, 1)).astype(np.float32)
    made.hear(loud)
    assert made.worker.thought.log[9, 2] == 1
    made.worker.steer(GateSettings(threshold=1.0, hysteresis=0.0))
    made.hear(loud)
    log, _ = made.end()
    assert log[-1, 3] == 0
    score, why = made.worker.why(int(log[3, 1]))
    assert score == pytest.approx(log[3, 2])
    assert "1.00" in why


@pytest.mark.slow
def test_the_loops_agree_on_a_filtered_key(rig, gate_model):
    pytest.importorskip("numba")
    own = replace(THOUGHT, key_highpass=200.0, key_lowpass=5000.0, confirm_score=0.6)
    sound = bursts(44_100, 2)
    plain, changes = fed(rig, gate_model, False, sound, 44_100, lengths(1), own)
    log, turns = fed(rig, gate_model, True, sound, 44_100, lengths(2), own)
    np.testing.assert_allclose(log[:, 2], plain[:, 2], atol=1e-4)
    np.testing.assert_array_equal(log[:, [0, 1, 3]], plain[:, [0, 1, 3]])
    np.testing.assert_array_equal(turns, changes)
    unfiltered, _ = fed(rig, gate_model, True, sound, 44_100, lengths(1))
    assert np.abs(log[:, 2] - unfiltered[:, 2]).max() > 0.01


@pytest.mark.parametrize("compiled", [False, True])
def test_what_the_loop_hears_is_what_the_filter_gives(rig, compiled):
    """Bit for bit as the filter's own kernel, and as its twin to the last bits."""
    if compiled:
        pytest.importorskip("numba")
    own = GateSettings(key_highpass=200.0, key_lowpass=5000.0, key_slope=24)
    made = rig("numpy", own, channels=2)
    sound = bursts(48_000, 2, 0.1)
    made.memory.ring[: len(sound)] = sound
    thought = Thought(own)
    thought.numbers[thinking.SCALE] = 1.0
    samples, state = np.zeros(len(sound)), np.zeros(4 * at.MOST_SECTIONS)
    views = made.memory.words.view(np.int64), made.memory.words, made.memory.singles
    for n in (7, 480, 1, 4312):
        thinking.hear(*views, thought.counts, thought.numbers, samples, state, n)
    expected = mono(KeyFilter(48_000, 2, 200, 5000, 24, compiled).process(sound))
    if compiled:
        np.testing.assert_array_equal(samples, expected)
    else:
        np.testing.assert_allclose(samples, expected, atol=1e-7)


@given(
    scores=st.lists(st.floats(0, 1), max_size=80),
    threshold=st.floats(0, 1),
    hysteresis=st.floats(0, 1),
    times=st.tuples(st.integers(0, 80), st.integers(0, 80)),
    sure=st.floats(0, 1),
)
def test_the_compiled_judge_is_the_judge(scores, threshold, hysteresis, times, sure):
    hold, shortest = times
    judge = Judge(48_000, threshold, hysteresis, hold, shortest, sure)
    thought = Thought(
        GateSettings(
            threshold=threshold,
            hysteresis=hysteresis,
            hold_ms=hold,
            min_open_ms=shortest,
            confirm_score=sure,
        )
    )
    words = np.zeros(at.AT_NOTES)
    ints = words.view(np.int64)
    ints[at.RATE] = 48_000
    for k, score in enumerate(scores):
        thought.numbers[thinking.SCORE] = score
        end = due(k, 48_000)
        thinking.judge(ints, words, thought.counts, thought.numbers, thought.log, end)
        judge.update(score, end)
        assert bool(thought.counts[thinking.IS_OPEN]) == judge.open


def test_the_grid_in_whole_numbers():
    for rate in (8000, 11_025, 22_050, 44_100, 48_000, 37_125):
        assert [thinking.due(k, rate) for k in range(500)] == [due(k, rate) for k in range(500)]
