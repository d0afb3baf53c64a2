"""`rt-tag` as people run it: an hour of sound, a live stream, and the start.

    nice -n 10 python tests/bench/bench_tag.py
    python tests/bench/bench_tag.py --minutes 12 --model my.onnx

The hour is the bundled sound again and again, each time at another level. Live is a real
PortAudio stream on a JACK server with its dummy driver, as in `tests/live`; without jackd it
is not measured. The start is from the start of the process, with sound waiting on stdin, to the
first line on stdout: by its settings file every label starts at its first score. On a busy
machine most of that is waiting for a processor; how long is known to the kernel, so the start
is also given without it. Processor times, waits and memory are read from /proc: this bench runs
on Linux.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import realtime
from realtime.library import names

sys.path.insert(0, str(Path(__file__).parent))
import report

DEMO = Path(realtime.__file__).parent / "sounds" / "demo.flac"
CONFTEST = Path(__file__).parents[1] / "live" / "conftest.py"
AIMS = (
    "aims: under 2 % of one core live, under 160 MB, first score under 1 s after a warm start"
)
EVERY_LABEL = """\
[thresholds]
default = 0.00001
[decision]
average = 1
smoothing_s = 0.0
confirm = 1
exclusive = false
background = []
"""
PATIENCE_S = 60.0  # for the first score
SETTLE_S = 4.0  # of a live run that belong to the start
PERIOD = 1024  # samples at 48 kHz that the sound card gives at a time
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
COLD = ("numpy", "numpy.libs", "onnxruntime", "ai_edge_litert", "soxr", "msgspec", "rich")


def write_hour(path: Path, minutes: float) -> float:
    """The bundled sound until the time is full; its seconds."""
    sound, rate = soundfile.read(DEMO, dtype="float32")
    rng = np.random.default_rng(0)
    left = round(minutes * 60 * rate)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        while left > 0:
            part = sound[:left] * np.float32(10 ** (rng.uniform(-20, 0) / 20))
            file.write(part)
            left -= len(part)
    return minutes * 60


# --- what /proc says ----------------------------------------------------------------------


def memory_mb(pid: int) -> dict[str, float]:
    """Resident memory now, at its peak, what of it is its own, and a sound server's part."""
    kept = {"VmRSS": "now", "VmHWM": "peak", "RssAnon": "own", "RssShmem": "server"}
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, rest = line.partition(":")
        if key in kept:
            found[kept[key]] = round(int(rest.split()[0]) / 1024, 1)
    return found


def cpu_s(pid: int) -> float:
    """Processor seconds of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def queued_s(pid: int) -> float:
    """Seconds that the main thread was ready to run and other work had the processors."""
    fields = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(fields[1]) / 1e9


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


# --- the three runs -----------------------------------------------------------------------


def run_file(command: list[str], seconds: float, path: Path) -> dict[str, Any]:
    """A file: real-time factor, processor time, and memory by the minute."""
    by_minute: dict[int, dict[str, float]] = {}
    began = time.perf_counter()
    with subprocess.Popen([*command, str(path), "--json"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            minute = int(json.loads(line)["t"] // 60)
            if minute not in by_minute:
                by_minute[minute] = memory_mb(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode or not by_minute:
        sys.exit(f"rt-tag ended with {process.returncode}, events in {len(by_minute)} minutes")
    cpu = used.ru_utime + used.ru_stime
    early = by_minute[min(by_minute, key=lambda m: abs(m - 10))]
    late = by_minute[max(by_minute)]
    return {
        "audio_s": seconds,
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "real_time_factor": round(wall / seconds, 5),
        "percent_of_one_core": round(100 * cpu / seconds, 2),
        "peak_mb": late["peak"],
        "own_mb_at_10_min": early["own"],
        "own_mb_at_end": late["own"],
        "mb_by_minute": {m: v["now"] for m, v in by_minute.items()},
    }


def run_live(command: list[str], seconds: float) -> dict[str, Any] | None:
    """A sound card: share of one core once it runs, with the process that records."""
    if shutil.which("jackd") is None:
        return None
    # the server of the live tests: a conftest is no module that one could import by name
    place = importlib.util.spec_from_file_location("live_conftest", CONFTEST)
    assert place is not None
    assert place.loader is not None
    live = importlib.util.module_from_spec(place)
    place.loader.exec_module(live)
    sound, rate = soundfile.read(DEMO, dtype="float32")
    need = round((seconds + SETTLE_S) * rate)
    sound = np.tile(sound, 1 + need // len(sound))[:need]
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        room.chmod(0o700)
        before = dict(os.environ)
        os.environ.update(live.private(room))
        try:
            with contextlib.closing(live.JackCard(room, PERIOD)) as card:
                return watch_live([*command, "--device", card.device, "--json"], card, sound)
        finally:
            os.environ.clear()
            os.environ.update(before)


def watch_live(command: list[str], card: Any, sound: np.ndarray) -> dict[str, Any]:
    rate = soundfile.info(DEMO).samplerate
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        player = threading.Thread(target=card.play, args=(sound, rate))
        try:
            player.start()
            card.wait_for_recorder()
            time.sleep(SETTLE_S)
            pids = [process.pid, *children(process.pid)]
            first, began = [cpu_s(pid) for pid in pids], time.monotonic()
            time.sleep(len(sound) / rate - SETTLE_S)
            last, wall = [cpu_s(pid) for pid in pids], time.monotonic() - began
            memory = [memory_mb(pid) for pid in pids]
        finally:
            player.join()
            process.send_signal(signal.SIGINT)
            out, log = process.communicate(timeout=30)
    shares = [100 * (b - a) / wall for a, b in zip(first, last, strict=True)]
    return {
        "wall_s": round(wall, 1),
        "events": out.count('"start"'),
        "percent_of_one_core": round(sum(shares), 2),
        "percent_without_recorder": round(shares[0], 2),
        "peak_mb": memory[0]["peak"],
        "peak_mb_of_recorder": round(sum(m["peak"] - m["server"] for m in memory[1:]), 1),
        "jack_shared_mb": sum(m["server"] for m in memory[1:]),
        "samples_lost": "samples lost" in log,
        # with fewer decisions than the model's hop asks for, it fell behind and did less work
        "report": (log.strip().splitlines() or [""])[-1],
    }


def run_starts(command: list[str], runs: int, cold: bool) -> dict[str, Any]:
    """From the start of the process to the first line."""
    sound, rate = soundfile.read(DEMO, dtype="int16")
    pcm = sound[: rate // 2].tobytes()  # fits into a pipe
    walls, alone, cpus = [], [], []
    for _ in range(runs):
        if cold:
            forget_files()
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, "-", "--rate", str(rate), "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(pcm)
            process.stdin.flush()
            heard, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
            line = process.stdout.readline() if heard else b""
            walls.append(time.perf_counter() - began)
            alone.append(walls[-1] - queued_s(process.pid))
            cpus.append(cpu_s(process.pid))
            process.stdin.close()
            process.stdout.read()
        if not line:
            sys.exit("rt-tag gave no score")
    return {
        "runs": runs,
        "wall_s_median": round(float(np.median(walls)), 3),
        "wall_s_best": round(min(walls), 3),
        "undisturbed_s_median": round(float(np.median(alone)), 3),
        "cpu_s_median": round(float(np.median(cpus)), 3),
    }


def forget_files() -> None:
    """Put the files of Python and of our packages out of the page cache.

    What another process has mapped stays: on a machine that runs Python otherwise this is
    not quite cold.
    """
    site = Path(sysconfig.get_path("purelib"))
    folders = [Path(sysconfig.get_path("stdlib")), Path(realtime.__file__).parent]
    for folder in [*folders, *(site / name for name in COLD)]:
        for path in folder.rglob("*"):
            if "site-packages" in path.parts and folder == folders[0]:
                continue
            with contextlib.suppress(OSError), path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = report.options(__doc__ or "")
    parser.add_argument("--model", action="append", help="in place of the shipped one")
    parser.add_argument("--minutes", type=float, default=60.0, help="of sound in the file")
    parser.add_argument("--live-seconds", type=float, default=25.0, help="0 leaves it out")
    parser.add_argument("--starts", type=int, default=9)
    args = report.parse(parser, argv)
    program = shutil.which("rt-tag", path=sysconfig.get_path("scripts"))
    if program is None:
        sys.exit("rt-tag is not installed beside this Python: pip install -e .")
    machine = report.machine()
    report.show_machine(machine)
    if not args.model and not names():
        print("\nNo model is shipped yet: give one with --model.\n")
        return {"machine": machine}
    command = [program, *(["--model", args.model[0]] if args.model else [])]
    results: dict[str, Any] = {"machine": machine, "model": Path(command[-1]).name}
    if not args.model:
        results["model"] = names()[0]
    with tempfile.TemporaryDirectory() as folder:
        path, settings = Path(folder) / "hour.flac", Path(folder) / "settings.toml"
        settings.write_text(EVERY_LABEL)
        eager = [*command, "--config", str(settings)]
        results["start_warm"] = run_starts(eager, args.starts, cold=False)
        results["start_cold"] = run_starts(eager, max(1, args.starts // 3), cold=True)
        if args.live_seconds:
            results["live"] = run_live(command, args.live_seconds)
        results["file"] = run_file(command, write_hour(path, args.minutes), path)
    show(results)
    report.save("tag", results)
    return results


def show(results: dict[str, Any]) -> None:
    file, live = results["file"], results.get("live")
    rows: list[list[object]] = [
        ["sound in the file, minutes", file["audio_s"] / 60],
        ["real-time factor (wall time / sound)", file["real_time_factor"]],
        ["processor time / sound, %", file["percent_of_one_core"]],
        ["peak resident memory, MB", file["peak_mb"]],
        ["  its own part at 10 minutes, MB", file["own_mb_at_10_min"]],
        ["  its own part at the end, MB", file["own_mb_at_end"]],
    ]
    if live is None:
        why = "jackd is not installed" if "live" in results else "left out"
        rows.append(["live: not measured", why])
    else:
        rows += [
            [f"live for {live['wall_s']:.0f} s, % of one core", live["percent_of_one_core"]],
            ["  without the process that records, %", live["percent_without_recorder"]],
            ["  peak resident memory, MB", live["peak_mb"]],
            ["  of the process that records, less JACK's own, MB", live["peak_mb_of_recorder"]],
            ["  samples lost", "yes" if live["samples_lost"] else "none"],
        ]
        print(live["report"])
    for kind in ("warm", "cold"):
        start = results[f"start_{kind}"]
        rows += [
            [f"{kind} start to first score, s: median", start["wall_s_median"]],
            ["  best", start["wall_s_best"]],
            ["  less the wait for a processor, median", start["undisturbed_s_median"]],
            ["  processor time, median", start["cpu_s_median"]],
        ]
    report.show_table(f"rt-tag, model {results['model']}", ["", ""], rows)
    print(f"  {AIMS}")


if __name__ == "__main__":
    main()
