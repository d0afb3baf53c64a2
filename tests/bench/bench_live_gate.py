"""What a live gate costs, and whether it keeps every sample for ten minutes.

    python tests/bench/bench_live_gate.py
    python tests/bench/bench_live_gate.py --endure 10

48 kHz stereo in blocks of 128 samples, through a real PortAudio stream on a JACK server with
its dummy driver; without jackd nothing is measured. Costs are processor time per second of
sound, so other work on the machine counts for little, but for the caches that it fills: that
is why each part is also measured straight after itself.

With `--endure` only endurance is measured. A player sends noise that never repeats to the gate
and to itself; the gate (`voice`, closed gain 0 dB, so everything has to come through) has every
core beside it at work. Each sample that comes back from the gate is compared with what the
player heard of itself. Status 1 if one was dropped, repeated or changed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from realtime.duplex import worker
from realtime.duplex.arena import Arena
from realtime.duplex.live import LiveGate
from realtime.gate import scoring
from realtime.gate.ears import functions
from realtime.gate.paths import mono
from realtime.gate.scorer import Scorer
from realtime.gate.settings import GateSettings, load_options, settle
from realtime.kernels import MelKernel
from realtime.library import find_model
from realtime.runners import Runner, open_runner
from realtime.runners.steps import steps_of

sys.path.insert(0, str(Path(__file__).parent))
import report

RATE, CHANNELS, BLOCK, HOP = 48_000, 2, 128, 480
AIM = "aim: at most 3 % of one core altogether"
FORMS = {
    "level": "level gate",
    "plain": "voice, without numba",
    "python": "voice, the worker's loop in Python",
    "filtered-python": "the same with a filtered key",
    "compiled": "voice",
    "filtered": "voice with a filtered key",
}
SETTLE_S, HEAR_S = 3.0, 15.0
STEPS = 300  # of each part
LIVE = Path(__file__).parents[1] / "live"
PLAYER = Path(__file__).with_name("endless.py")


def threads_s(pid: int) -> dict[int, float]:
    """Processor seconds of each thread of a process."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found[int(task.name)] = int((task / "schedstat").read_text().split()[0]) / 1e9
    return found


def processor_s(pid: int, thread: int = 0) -> float:
    """Processor seconds of a process, or of one of its threads."""
    found = threads_s(pid)
    return found.get(thread, 0.0) if thread else sum(found.values())


@contextlib.contextmanager
def sound_card(channels: int) -> Iterator[Any]:
    """A JACK server of our own, as the tests start it."""
    place = importlib.util.spec_from_file_location("gate_conftest", LIVE / "gate/conftest.py")
    assert place is not None
    assert place.loader is not None
    tests = importlib.util.module_from_spec(place)
    place.loader.exec_module(tests)
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        before = dict(os.environ)
        os.environ.update(tests.live.private(room))
        try:
            with contextlib.closing(tests.Jack(room, BLOCK, channels)) as jack:
                yield jack
        finally:
            os.environ.clear()
            os.environ.update(before)


def settings_of(runner: Runner | None) -> GateSettings:
    flags = {"level": True} if runner is None else {}
    options, origins = load_options(flags, {}, None)
    return settle(options, origins, runner.card if runner is not None else None)[0]


def live(form: str) -> dict[str, float]:
    """Percent of a core of a live gate, by part. Runs in a process of its own."""
    runner = None if form == "level" else open_runner(find_model("voice"), None, None, 1)
    settings = settings_of(runner)
    if "filtered" in form:
        settings = replace(settings, key_highpass=100.0, key_lowpass=8000.0)
    if "python" in form:
        worker.thought_of = lambda *_: None  # type: ignore[assignment]
    own = {"device": "system", "block": BLOCK, "compiled": form != "plain"}
    gate = LiveGate(settings, runner, **own)
    gate.start()
    time.sleep(SETTLE_S)

    def look() -> np.ndarray:
        worker = gate._running.worker
        thread = worker.native_id if worker is not None else None
        thinks = processor_s(os.getpid(), thread) if thread else 0.0
        state = gate.state()
        # with those of our threads that have ended
        return np.array([state.t, processor_s(gate.pid), thinks, time.process_time()])

    before, each = look(), threads_s(gate.pid)
    time.sleep(HEAR_S)
    t, sound, thinks, whole = look() - before
    callback = max(s - each.get(thread, s) for thread, s in threads_s(gate.pid).items())
    state = gate.state()
    gate.stop()
    return {
        "sound_pct": round(100 * sound / t, 2),
        "callback_pct": round(100 * callback / t, 2),  # of that, the driver's thread
        "worker_pct": round(100 * thinks / t, 2),
        "rest_pct": round(100 * (whole - thinks) / t, 2),
        "all_pct": round(100 * (sound + whole) / t, 2),
        "tardy": state.tardy,
        "overloads": state.overloads,
    }


def cost() -> dict[str, dict[str, float]]:
    """Each form in turn."""
    found = {}
    with sound_card(CHANNELS):
        for form in FORMS:
            command = [sys.executable, __file__, "--live", form]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[form] = json.loads(done.stdout.splitlines()[-1])
    return found


def parts() -> dict[str, dict[str, float]]:
    """Microseconds of what a decision is made of: at once, and every 10 ms."""
    runner = open_runner(find_model("voice"), None, None, 1)
    scorer = Scorer(runner, RATE)
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, (HOP, CHANNELS)).astype(np.float32)
    one = mono(sound)
    frame = np.zeros((1, runner.card.input.features.width), np.float32)
    todo: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "mean of the channels": lambda: mono(sound),
        "front end, NumPy": lambda: [
            scorer._front.frames(*found) for found in scorer._front.advance(one)
        ],
        "network, ONNX Runtime": lambda: runner.run(frame),
    }
    if importlib.util.find_spec("numba") is not None:
        functions()
        spec = runner.card.input.features.at_rate(RATE)
        kernel, samples = MelKernel(spec), np.zeros(1 + spec.frame)
        network = steps_of(Path(runner.path).read_bytes(), runner.card, *runner.names)
        todo["front end, compiled"] = lambda: kernel.run(samples, 1, frame)
        page = Arena().put(network.array)
        todo["network, compiled"] = lambda: scoring.step(network.program, page)
        todo["the same in common pages"] = lambda: scoring.step(network.program, network.array)
    found = {}
    for name, part in todo.items():
        part()
        found[name] = {"at_once_us": timed(part, 0.0), "in_turn_us": timed(part, 0.01)}
    return found


def timed(part: Callable[[], object], pause_s: float) -> float:
    """The median time of a call, microseconds of the processor."""
    times = []
    for _ in range(STEPS):
        if pause_s:
            time.sleep(pause_s)
        begin = time.thread_time_ns()
        part()
        times.append(time.thread_time_ns() - begin)
    return round(float(np.median(times)) / 1e3, 1)


def endure(minutes: float, busy: int) -> dict[str, Any]:
    """Noise through the gate for so long; what became of it."""
    program = shutil.which("rt-gate", path=sysconfig.get_path("scripts"))
    assert program is not None, "rt-gate is not installed beside this Python"
    with contextlib.ExitStack() as stack:
        jack = stack.enter_context(sound_card(CHANNELS + 2))
        for _ in range(busy):
            burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            os.setpriority(os.PRIO_PROCESS, burner.pid, 19)  # what is left
            stack.callback(burner.kill)
        options = f"--device system --block {BLOCK} --range-db 0 --json --channels {CHANNELS}"
        gate = subprocess.Popen(
            [program, *options.split(), "--output-channels", str(CHANNELS)],
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(gate.kill)
        lines: list[dict[str, Any]] = []
        assert gate.stdout is not None
        started = json.loads(gate.stdout.readline())
        reader = threading.Thread(
            target=lambda: lines.extend(map(json.loads, gate.stdout)), daemon=True
        )
        reader.start()
        (client,) = jack.clients()
        player = subprocess.Popen(
            [sys.executable, str(PLAYER), str(minutes * 60), str(CHANNELS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(player.kill)
        assert player.stdout is not None
        assert player.stdout.readline() == "ready\n"
        (me,) = set(jack.clients()) - {client}
        jack.connect(f"{me}:out_0", f"{me}:in_0")
        for c in range(CHANNELS):
            jack.connect(f"{me}:out_0", f"{client}:in_{c}")
            jack.connect(f"{client}:out_{c}", f"{me}:in_{1 + c}")
        told, _ = player.communicate("go\n")
        heard = json.loads(told.splitlines()[-1])
        cpu = processor_s(gate.pid)
        gate.send_signal(2)
        gate.wait(20)
        reader.join(5)
    end = next(line for line in lines if line["event"] == "end")
    kept = ("overloads", "overload_s", "tardy", "skipped", "dropped", "overflows", "underflows")
    return heard | {
        "latency_samples": round(started["latency_ms"] * RATE / 1000),
        "busy": busy,
        "gate_cpu_s": round(cpu, 2),
        **{name: end[name] for name in kept},
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = report.options(__doc__ or "")
    parser.add_argument("--endure", type=float, metavar="MINUTES", help="measure endurance")
    parser.add_argument("--busy", type=int, help="processes at work meanwhile (one a core)")
    parser.add_argument("--live", choices=FORMS, help="one form, on the server that runs")
    args = report.parse(parser, argv)
    if args.live:
        print(json.dumps(live(args.live)))
        return {}
    machine = report.machine()
    report.show_machine(machine)
    if shutil.which("jackd") is None:
        print("jackd is not installed: nothing is measured")
        return {}
    if args.endure:
        heard = endure(args.endure, report.cores() if args.busy is None else args.busy)
        rows = [[name.replace("_", " "), value] for name, value in heard.items()]
        report.show_table(f"{args.endure:g} minutes of noise", ["", "count"], rows)
        report.save("live-gate-endurance", {"machine": machine, **heard})
        if heard["wrong"]:
            raise SystemExit(1)
        return heard
    found, made_of = cost(), parts()
    head = ["% of a core", "sound", "callback", "worker", "rest", "all", "late", "overloads"]
    rows = [[FORMS[form], *figures.values()] for form, figures in found.items()]
    report.show_table(f"{RATE} Hz, {CHANNELS} channels, blocks of {BLOCK}; {AIM}", head, rows)
    rows = [[name, *figures.values()] for name, figures in made_of.items()]
    head = ["us of a decision", "at once", "every 10 ms"]
    report.show_table("What a decision is made of", head, rows)
    results = {"machine": machine, "live": found, "parts": made_of}
    report.save("live-gate", results)
    return results


if __name__ == "__main__":
    main()
