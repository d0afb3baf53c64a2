"""rt-tag with all its services, live, for hours, while things around it break.

    nice -n -5 python tests/bench/soak.py --hours 2

A JACK server with its dummy driver is the sound card; the bundled recording is played to it
time and again. Between two plays one of these happens, in turn: the sound server is killed and
started anew; the broker is killed and started anew; the broker freezes for a while; the web
server does not answer for a while; the model's file is replaced; the disk for clips fills up; a
stranger sends garbage to the Wyoming port. Each minute memory, threads and open files are read.
At the end: every play gave the same words (those with a loss in them left out), every event
reached the web server or was counted as lost, and what memory did over time. Needs jackd,
mosquitto and, for the full disk, root. Exit status 1 if something is not as it should be.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parent))
import report

DEMO = report.ROOT / "realtime/sounds/demo.flac"
MODEL = report.ROOT / "realtime/weights/kws12.onnx"
WORDS = 10  # in the recording
SETTLE_S = 4.0  # after a fault
SMALL_DISK = "size=3m,mode=700"


class Web(ThreadingHTTPServer):
    """Counts events; may be told not to answer."""

    daemon_threads = True

    def __init__(self) -> None:
        self.times: set[tuple[str, float]] = set()
        self.dumb = False
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.dumb:
            time.sleep(8.0)
            return
        self.server.times.add((body["event"] + body.get("label", ""), body["t"]))
        with contextlib.suppress(OSError):
            self.send_response(204)
            self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Broker:
    """A mosquitto that can be killed and frozen."""

    def __init__(self, room: Path) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.file = room / "mosquitto.conf"
        self.file.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.start()

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        command = ["mosquitto", "-c", str(self.file)]
        self.process = subprocess.Popen(command, stdout=quiet, stderr=quiet)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Run:
    """The program under test and what it said."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        self.events: list[tuple[float, dict[str, Any]]] = []  # when it came, what
        with log.open("wb") as err:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append((time.monotonic(), json.loads(line)))

    def usage(self) -> dict[str, float]:
        """Resident MiB of the program and of its capture process; threads and open files."""
        pid = self.process.pid
        status = _status(pid)
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {
            "rss_mib": status["VmRSS"] / 1024,
            "capture_mib": sum(_status(int(c)).get("VmRSS", 0.0) for c in children) / 1024,
            "threads": status["Threads"],
            "files": len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208
        }


def _status(pid: int) -> dict[str, float]:
    found = {}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("VmRSS", "Threads"):
                found[name] = float(value.split()[0])
    return found


def sound_cards() -> Any:
    """The sound servers of the live tests."""
    path = report.ROOT / "tests/live/conftest.py"
    spec = importlib.util.spec_from_file_location("live_cards", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def small_disk(room: Path) -> Iterator[Path]:
    """A folder on a file system of its own, or an ordinary one without root."""
    folder = room / "clips"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", SMALL_DISK, "none", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    if not mounted:
        print("no small disk: that needs root; the disk will not fill")
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=False)


def faults(card: Any, broker: Broker, web: Web, model: Path, clips: Path, port: int) -> Any:
    """What can happen, by name."""

    def device() -> None:
        card.stop()
        time.sleep(3.0)
        card.start()

    def restart() -> None:
        broker.stop()
        time.sleep(3.0)
        broker.start()

    def freeze() -> None:
        broker.process.send_signal(signal.SIGSTOP)
        threading.Timer(20.0, broker.process.send_signal, (signal.SIGCONT,)).start()

    def deaf() -> None:
        web.dumb = True
        threading.Timer(20.0, setattr, (web, "dumb", False)).start()

    def replace() -> None:
        other = model.with_suffix(".new")
        other.write_bytes(b"no model")
        other.replace(model)

    def full() -> None:
        big = clips / "big"
        with contextlib.suppress(OSError), big.open("wb") as stream:
            while os.path.ismount(clips):
                stream.write(bytes(1 << 16))
        threading.Timer(20.0, lambda: big.unlink(missing_ok=True)).start()

    def garbage() -> None:
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(os.urandom(1 << 16))

    return {f.__name__: f for f in (device, restart, freeze, deaf, replace, full, garbage)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = report.options(__doc__ or "")
    parser.add_argument("--hours", type=float, default=2.0)
    args = report.parse(parser, argv)
    machine = report.machine()
    report.show_machine(machine)
    with contextlib.ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        cards = sound_cards()
        (room / "card").mkdir(mode=0o700)
        os.environ.update(cards.private(room / "card"))
        os.environ["RT_CLIPS_MOST_MB"] = "1"
        clips = stack.enter_context(small_disk(room))
        card = stack.enter_context(contextlib.closing(cards.JackCard(room / "card", 1024)))
        broker, web, model = Broker(room), Web(), room / "model.onnx"
        stack.callback(broker.stop)
        shutil.copy(MODEL, model)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        run = Run(
            [
                str(Path(sys.executable).parent / "rt-tag"), "--json", "--device", card.device,
                "--model", str(model), "--save-clips", str(clips),
                "--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--mqtt-id", "soak",
                "--wyoming", f"tcp://127.0.0.1:{port}", "--on", "any", "true",
                "--webhook", f"http://127.0.0.1:{web.server_address[1]}/",
            ],
            room / "log",
        )  # fmt: skip
        stack.callback(run.process.kill)
        happening = faults(card, broker, web, model, clips, port)
        found = soak(run, card, happening, args.hours * 3600)
        run.process.send_signal(signal.SIGTERM)
        found["status"] = run.process.wait(60)
        time.sleep(1.0)
        found |= judge(run, web)
        log = run.log.read_text()
    print(log)
    bad = show(found)
    report.save("soak", {"machine": machine, **found})
    return 1 if bad else 0


def soak(run: Run, card: Any, faults: dict[str, Callable[[], None]], limit_s: float) -> Any:
    """Play and break, in turn, for so long."""
    sound, rate = soundfile.read(DEMO, dtype="float32")
    sound = np.concatenate([sound, np.zeros(2 * rate, np.float32)])
    plays, usage, names = [], [], list(faults)
    began = time.monotonic()
    while time.monotonic() - began < limit_s and run.process.poll() is None:
        first = len(run.events)
        card.play(sound, rate)
        time.sleep(1.0)
        heard = run.events[first:]
        starts = [(at, e) for at, e in heard if e["event"] == "start"]
        plays.append(
            {
                "words": [e["label"] for _, e in starts],
                "lost": sum(e["frames"] for _, e in heard if e["event"] == "dropped"),
                # it changes with the delay, and as the dummy driver's clock slips under load
                "offset_s": round(statistics.median(at - e["t"] for at, e in starts), 4)
                if starts
                else None,
                "after": names[(len(plays) - 1) % len(names)] if plays else "",
            }
        )
        usage.append({"minute": (time.monotonic() - began) / 60, **run.usage()})
        faults[names[(len(plays) - 1) % len(names)]]()
        time.sleep(SETTLE_S)
    return {"seconds": time.monotonic() - began, "plays": plays, "usage": usage}


def judge(run: Run, web: Web) -> dict[str, Any]:
    """Whether every event is where it should be."""
    told = {(e["event"] + e.get("label", ""), e["t"]) for _, e in run.events}
    log = run.log.read_text()
    line = next(x for x in reversed(log.splitlines()) if "webhook " in x and "delivered" in x)
    lost = int(line.partition("delivered, ")[2].split()[0]) if "LOST" in line else 0
    last = [x for x in log.splitlines() if x.startswith("rt-tag: ")]
    late = sum(e["event"] == "pace" and e["state"] == "behind" for _, e in run.events)
    return {
        "events": len(run.events), "posted": len(told & web.times), "counted_lost": lost,
        "times_behind": late, "said": last,
    }  # fmt: skip


def show(found: dict[str, Any]) -> list[str]:
    """Print what was found; what is not as it should be."""
    usage, plays = found["usage"], found["plays"]
    rows = [[name, usage[0][name], usage[len(usage) // 2][name], usage[-1][name]]
            for name in ("rss_mib", "capture_mib", "threads", "files")]  # fmt: skip
    report.show_table("over time", ["", "first", "middle", "last"], rows)
    whole = [p for p in plays if not p["lost"]]
    words = plays[0]["words"]
    offsets = [p["offset_s"] for p in whole if p["offset_s"] is not None]
    print(f"\n{found['seconds'] / 3600:.2f} h, {len(plays)} plays, {found['events']} events;")
    print(f"{found['posted']} posted, {found['counted_lost']} counted as lost,")
    print(f"{found['times_behind']} times behind")
    print(f"wall clock less sound: {min(offsets):.3f} to {max(offsets):.3f} s")
    bad = [f"play {i}: {p['words']}" for i, p in enumerate(plays)
           if p in whole and p["words"] != words]  # fmt: skip
    if len(words) < WORDS - 1:
        bad.append(f"only {words} at the first play")
    if found["status"] != 130:
        bad.append(f"exit status {found['status']}")
    if found["posted"] + found["counted_lost"] < found["events"]:
        bad.append("events were lost and not counted")
    half = usage[len(usage) // 2 :]
    if half[-1]["rss_mib"] > half[0]["rss_mib"] + 5:
        bad.append("memory grows")
    for text in bad:
        print(f"!!  {text}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
