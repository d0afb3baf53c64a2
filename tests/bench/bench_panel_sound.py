"""Whether the sound notices the panel: samples lost or repeated with it, without it, hidden.

    python tests/bench/bench_panel_sound.py --seconds 60

A gate (`voice`, closed gain 0 dB, so everything has to come through) between a player and the
same player's input on a JACK server of its own, as in `bench_live_gate.py --endure`: the
bundled recording under noise that never repeats, and each sample that comes back is compared.
With no panel, with rt-panel shown (on a virtual screen), with it minimised, and with a loop in
its place that works as much and as often. Server and player get the place before other programs
that sound servers have, where the system allows it. `xruns` are those of the server: a cycle
took too long. It waits then, so nothing is lost by that. Status 1 if a sample was lost,
repeated or changed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from realtime.control.client import ControlClient
from realtime.duplex.priority import hurry

sys.path.insert(0, str(Path(__file__).parent))
import bench_live_gate
import bench_panel
import report

SECONDS, SETTLE_S, PATIENCE_S = 60.0, 5.0, 120.0
FRAME_S = 1 / 30
BEFORE = 70  # what sound servers have
GATE = "import sys; from realtime.commands.gate import main; sys.exit(main())"
OPTIONS = "--control --device system --range-db 0 --channels 1 --output-channels 1"
PANEL = "import sys; from gui.command import main; sys.exit(main())"
LOOP = """
import sys, time
while True:
    until = time.process_time() + float(sys.argv[1])
    while time.process_time() < until: pass
    time.sleep(float(sys.argv[2]))
"""
COUNTS = ("overflows", "slips", "dropped", "skipped", "overloads")


class Bench:
    """A gate on a JACK server, and what is beside it."""

    def __init__(self, jack: Any, stack: contextlib.ExitStack) -> None:
        self._jack = jack
        gate = stack.enter_context(running(GATE, OPTIONS))
        self.run_file = Path(os.environ["XDG_RUNTIME_DIR"], "rt-tag", f"gate-{gate.pid}.json")
        prefer(*(server.pid for server in jack.processes))
        wait_for(gate, self.run_file.exists)
        self._control = stack.enter_context(ControlClient.find())
        wait_for(gate, lambda: self._control.request("state")["phase"] == "running")
        (self._client,) = jack.clients()

    def measure(self, seconds: float, beside: int = 0) -> dict[str, Any]:
        """Play, and compare what comes back.

        Args:
            seconds: of sound.
            beside: a process whose work is told.
        """
        before, late = self._control.request("state"), self._xruns()
        began, spent = time.monotonic(), bench_panel.cpu_of(beside) if beside else 0.0
        heard = self._compare(seconds)
        found: dict[str, Any] = {"beside_pct": 0.0}
        if beside:
            spent = bench_panel.cpu_of(beside) - spent
            found["beside_pct"] = 100 * spent / (time.monotonic() - began)
        after = self._control.request("state")
        found |= {"compared": heard["compared"], "wrong": heard["wrong"]}
        found |= {name: after[name] - before[name] for name in COUNTS}
        return found | {"xruns": self._xruns() - late}

    def _compare(self, seconds: float) -> dict[str, Any]:
        jack, gate = self._jack, self._client
        command = [sys.executable, str(bench_live_gate.PLAYER), str(seconds), "1"]
        with subprocess.Popen(
            [*command, str(bench_panel.DEMO)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as player:
            assert player.stdout is not None
            assert player.stdout.readline() == "ready\n"
            (me,) = set(jack.clients()) - {gate}
            jack.connect(f"{me}:out_0", f"{me}:in_0")
            jack.connect(f"{me}:out_0", f"{gate}:in_0")
            jack.connect(f"{gate}:out_0", f"{me}:in_1")
            prefer(player.pid)
            told, _ = player.communicate("go\n")
        found: dict[str, Any] = json.loads(told.splitlines()[-1])
        return found

    def _xruns(self) -> int:
        log: str = (self._jack.room / "jackd.log").read_text(errors="replace")
        return log.count("XRun")


def prefer(*processes: int) -> None:
    """Give all threads of some processes a place before others."""
    for process in processes:
        for thread in Path(f"/proc/{process}/task").iterdir():
            hurry(BEFORE, int(thread.name))


def wait_for(gate: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        if time.monotonic() > until or gate.poll() is not None:
            raise SystemExit("the gate does not start")
        time.sleep(0.1)


@contextlib.contextmanager
def running(code: str, options: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program beside this one."""
    command = [sys.executable, "-c", code, *options.split(), *more]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure(bench: Bench, room: Path, seconds: float) -> dict[str, dict[str, Any]]:
    """Each part in turn."""
    parts = {"no panel": bench.measure(seconds)}
    settings = room / "panel.json"
    settings.write_text('{"format": 1, "language": "en"}')
    panel = f"--connect {bench.run_file} --config {settings} --page gate"
    for name, more in (("shown", ()), ("minimised", ("--minimised",))):
        with running(PANEL, panel, *more) as beside:
            time.sleep(SETTLE_S)
            parts[name] = bench.measure(seconds, beside.pid)
            if beside.poll() is not None:
                raise SystemExit("the panel does not start")
    busy = FRAME_S * parts["shown"]["beside_pct"] / 100
    with running(LOOP, f"{busy} {FRAME_S - busy}") as beside:
        parts["a loop instead"] = bench.measure(seconds, beside.pid)
    return parts


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = report.options(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each part (60)")
    args = report.parse(parser, argv)
    if shutil.which("jackd") is None or importlib.util.find_spec("PyQt6") is None:
        print("no figures of the panel: it takes jackd2 and the extra gui")
        return {}
    figures: dict[str, Any] = {"machine": report.machine(), "seconds": args.seconds}
    with contextlib.ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        jack = stack.enter_context(bench_live_gate.sound_card(2))
        for name in ("CONFIG", "DATA"):
            os.environ[f"XDG_{name}_HOME"] = str(room / name.lower())
        stack.enter_context(bench_panel.screen())
        figures["parts"] = measure(Bench(jack, stack), room, args.seconds)
    report.show_machine(figures["machine"])
    head = ["", "its % of a core", "compared", "wrong", *COUNTS, "xruns"]
    rows = [[name, *part.values()] for name, part in figures["parts"].items()]
    report.show_table("Samples that came back, and those that were wrong", head, rows)
    report.save("panel-sound", figures)
    if any(part["wrong"] for part in figures["parts"].values()):
        raise SystemExit(1)
    return figures


if __name__ == "__main__":
    main()
