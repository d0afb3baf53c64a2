"""What the panel costs, and whether the sound notices it.

    nice -n 5 python tests/bench/bench_panel.py

The real panel in a window of a virtual screen (Xvfb), with its gate between a player and a sink
of a JACK server of its own: shown, small, minimised, and without a window. The panel's
processor time is that of its process alone; the gate is another one.
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).parent))
import report

LIVE = report.ROOT / "tests" / "live" / "conftest.py"
DEMO = report.ROOT / "realtime" / "sounds" / "demo.flac"
SECONDS = 15.0
COUNTS = ("overflows", "underflows", "slips", "dropped", "skipped", "tardy", "overloads")


def live_fixtures() -> ModuleType:
    """The JACK server of the live tests; no import finds a conftest."""
    place = importlib.util.spec_from_file_location("live_conftest", LIVE)
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


@contextlib.contextmanager
def screen(size: str = "1280x800") -> Iterator[int | None]:
    """A virtual screen; its process, or None where Xvfb is missing."""
    if shutil.which("Xvfb") is None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        yield None
        return
    read, write = os.pipe()
    command = f"Xvfb -displayfd {write} -screen 0 {size}x24 -nolisten tcp"
    server = subprocess.Popen(command.split(), pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as number:
        os.environ["DISPLAY"] = f":{number.readline().strip()}"
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    try:
        yield server.pid
    finally:
        server.terminate()
        server.wait()


def long_sound(room: Path, seconds: float) -> Path:
    """The bundled recording again and again, at 48 kHz."""
    sound, rate = soundfile.read(DEMO, dtype="float32")
    sound = soxr.resample(sound, rate, 48_000)
    path = room / "play.wav"
    times = int(seconds * 48_000 / len(sound)) + 1
    soundfile.write(path, np.tile(sound, times), 48_000, subtype="FLOAT")
    return path


def cpu_of(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    """A panel with its gate, and a clock that spends no time."""

    def __init__(self, room: Path, xvfb: int | None, language: str = "en") -> None:
        from PyQt6.QtCore import QEventLoop, QTimer
        from PyQt6.QtWidgets import QApplication

        from gui.app import Panel

        self._loop, self._timer = QEventLoop, QTimer
        self._xvfb = xvfb
        self.app = QApplication(["bench"])
        settings = room / "panel.json"
        kept = {"devices": {"device": "system"}, "theme": "dark", "language": language}
        settings.write_text(json.dumps({"format": 1, **kept}))
        self.panel = Panel(settings)
        self.panel.window.resize(1040, 680)
        self.state: dict[str, Any] = {}
        self.frames = 0
        page = self.panel.window.pages["gate"]
        draw = page.scope.paintEvent  # type: ignore[attr-defined]

        def counted(event: object) -> None:
            self.frames += 1
            draw(event)

        page.scope.paintEvent = counted  # type: ignore[attr-defined]

    def wait(self, seconds: float) -> None:
        """Let the panel run."""
        loop = self._loop()
        self._timer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def wait_for_sound(self) -> None:
        until = time.monotonic() + 120
        while self.panel.status.lamp not in ("open", "closed"):
            if time.monotonic() > until:
                raise SystemExit("the gate does not start")
            self.wait(0.1)

    def measure(self, seconds: float) -> dict[str, Any]:
        """What the panel, the screen and the gate take, and what the sound loses."""
        before = self._counts()
        frames, began = self.frames, time.monotonic()
        own, drawn = time.process_time(), cpu_of(self._xvfb) if self._xvfb else 0.0
        self.wait(seconds)
        spent = time.monotonic() - began
        found = {
            "fps": (self.frames - frames) / spent,
            "panel_pct": 100 * (time.process_time() - own) / spent,
            "screen_pct": 100 * (cpu_of(self._xvfb) - drawn) / spent if self._xvfb else None,
        }
        after = self._counts()
        found["gate_pct"] = after["cpu_pct"]
        return found | {name: after[name] - before[name] for name in COUNTS}

    def _counts(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.panel.driver.request("state", found.update)
        while not found:
            self.wait(0.02)
        return found


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = report.options(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each part (15)")
    args = report.parse(parser, argv)
    missing = [name for name in ("jackd", "jack_lsp") if shutil.which(name) is None]
    if missing or importlib.util.find_spec("PyQt6") is None:
        print("no figures of the panel: it takes jackd2 and the extra gui")
        return {}
    live = live_fixtures()
    figures: dict[str, Any] = {"machine": report.machine(), "seconds": args.seconds}
    with contextlib.ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= live.private(room)
        for name in ("CONFIG", "DATA"):
            os.environ[f"XDG_{name}_HOME"] = str(room / name.lower())
        xvfb = stack.enter_context(screen())
        card = stack.enter_context(contextlib.closing(live.JackCard(room, 256)))
        bench = Bench(room, xvfb)
        stack.callback(bench.panel.quit)
        bench.wait_for_sound()
        player = stack.enter_context(playing(card, live.PLAYER, room, 12 * args.seconds))
        bench.wait(3.0)
        window = bench.panel.window
        parts = figures["parts"] = {}
        parts["shown, 1040 x 680"] = bench.measure(args.seconds)
        window.resize(800, 480)
        parts["shown, 800 x 480"] = bench.measure(args.seconds)
        window.open_page("settings")
        parts["another page"] = bench.measure(args.seconds)
        window.open_page("gate")
        window.hide()
        parts["hidden"] = bench.measure(args.seconds)
        assert player.poll() is None
    report.show_machine(figures["machine"])
    head = ["", "frames/s", "panel %", "screen %", "gate %", *COUNTS]
    rows = [[name, *part.values()] for name, part in figures["parts"].items()]
    report.show_table("Share of one core, and what the sound lost meanwhile", head, rows)
    report.save("panel", figures)
    return figures


@contextlib.contextmanager
def playing(card: Any, script: Path, room: Path, seconds: float) -> Iterator[Any]:
    """Play to the gate."""
    sound = long_sound(room, seconds)
    before = set(card.ports())
    player = subprocess.Popen(
        [sys.executable, str(script), str(sound), card.device], stdin=subprocess.PIPE
    )
    try:
        new: list[str] = []
        while not new:
            time.sleep(0.05)
            new = [p for p in card.ports() if p not in before and p.endswith(":out_0")]
        for heard in [p for p in before if p.endswith(":in_0")]:
            subprocess.run(["jack_connect", new[0], heard], check=True, capture_output=True)
        assert player.stdin is not None
        player.stdin.write(b"go\n")
        player.stdin.flush()
        yield player
    finally:
        player.kill()
        player.wait()


if __name__ == "__main__":
    main()
