"""Decisions that are late, never come, or whose process is stopped: the sound goes on."""

import os
import signal
import subprocess
import threading
import time

import numpy as np
import pytest
from kit_command import alive

from realtime.duplex.events import Overload
from realtime.duplex.priority import SOUND, THOUGHT
from realtime.gate.settings import GateSettings
from realtime.runners import open_runner

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

LOUD = GateSettings(threshold_db=-50, close_db=-56)  # of the level gate that stands in


class Stalling:
    """A runner that can be made to wait."""

    def __init__(self, runner):
        self._runner, self.card = runner, runner.card
        self.go = threading.Event()
        self.go.set()

    def run(self, window):
        self.go.wait(30)
        return self._runner.run(window)

    def reset(self):
        self._runner.reset()


def test_a_stalled_worker(bench, sounds, gate_model):
    bench.serve()
    runner = Stalling(open_runner(gate_model, None, None, 1))
    gate = bench.live(LOUD, runner)
    seen = []

    def stall():
        time.sleep(2)
        seen.append(gate.live.state())
        runner.go.clear()
        # by the server's clock, which is slow when the machine is busy
        sounds.wait_for(lambda: gate.live.state().late_ms > 1000, "late decisions", 20)
        seen.append(gate.live.state())
        runner.go.set()

    sound = sounds.noise(7)
    direct, gated = bench.pass_through(gate, sound, stall)
    sounds.wait_for(lambda: not gate.live.state().overloaded, "the end of the overload", 10)
    gate.live.stop()
    before, during = seen
    after = gate.live.state()
    assert during.overloaded
    assert during.latency_ms == before.latency_ms == after.latency_ms
    states = [e.state for e in gate.events if isinstance(e, Overload)]
    assert states == ["begin", "end"] * (len(states) // 2)
    begin, end = [e.t for e in gate.events if isinstance(e, Overload)][-2:]
    assert 0.5 < end - begin < 4  # by the server's clock, which is slow when it is busy
    assert after.overloads == len(states) // 2
    assert after.overload_s > 0.5
    assert after.skipped > 0  # it went on with the newest sound
    assert after.late_ms < 100
    # the gate was open all along, by thought or by level: every sample, and as late as ever
    assert sounds.delay_of(direct, gated[:, 0], 300_000) == 128
    quiet = 48_000  # it opens somewhere in the beginning
    np.testing.assert_array_equal(gated[quiet + 128 :, 0], direct[quiet:-128])


def test_a_stopped_process(bench, sounds, gate_model):
    """All of rt-gate but the sound process stands still: nobody hears it."""
    bench.serve()
    gate = bench.gate("--model", str(gate_model), "--threshold-db", "-50")

    def stop():
        time.sleep(2)
        gate.process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        gate.process.send_signal(signal.SIGCONT)

    direct, gated = bench.pass_through(gate, sounds.noise(6), stop)
    np.testing.assert_array_equal(gated[48_128:, 0], direct[48_000:-128])
    gate.wait_for("overload", 10, state="end")
    assert gate.stop() == 130
    assert [e["state"] for e in gate.of("overload")][-2:] == ["begin", "end"]
    assert "decisions are late: the level gate serves" in gate.log
    assert "decisions are in time again" in gate.log
    assert gate.of("end")[0]["overload_s"] > 0.5  # a busy server counts slowly


def test_the_sound_process_ends_with_its_parent(bench, gate_model):
    bench.serve()
    gate = bench.gate("--model", str(gate_model))
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(gate.process.pid)], capture_output=True, text=True
    ).stdout.split()
    assert len(children) == 1
    gate.process.kill()
    until = time.monotonic() + 10
    while alive(children[0]):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_who_comes_first(bench, gate_model):
    """The callback's thread, whoever has made it, and the compiled worker's."""
    pytest.importorskip("numba")
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except PermissionError:
        pytest.skip("this user may not ask for a place before other programs")
    bench.serve()
    gate = bench.live(GateSettings(), open_runner(gate_model, None, None, 1))

    def priorities(pid):
        threads = [int(t) for t in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208
        return [os.sched_getparam(t).sched_priority for t in threads]

    assert set(priorities(gate.live.pid)) == {SOUND}
    assert priorities(os.getpid()).count(THOUGHT) == 1
    gate.live.stop()


def test_a_worker_that_fails(bench, sounds, gate_model):
    bench.serve()

    class Broken(Stalling):
        def run(self, window):
            if not self.go.is_set():
                raise RuntimeError("the model broke")
            return self._runner.run(window)

    runner = Broken(open_runner(gate_model, None, None, 1))
    gate = bench.live(LOUD, runner)
    direct, gated = bench.pass_through(
        gate, sounds.noise(4), lambda: time.sleep(2) or runner.go.clear()
    )
    np.testing.assert_array_equal(gated[48_128:, 0], direct[48_000:-128])
    assert gate.live.state().overloaded
    gate.live.stop()
