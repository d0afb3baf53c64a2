"""`Lessons`: `rt-gate learn` in a process of its own, which never disturbs the sound.

Used by `desk.py`. One lesson at a time. It runs at a lower priority, tells how far it is, and
can be ended within a second: then nothing of it is left.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Final

from realtime.control.listing import SUFFIX, data_folder
from realtime.errors import UsageError
from realtime.outputs.replace import fault

NICE: Final = 10
END_S: Final = 0.7  # to end in good order
START: Final = """
import sys
from realtime.commands.gate import main
sys.argv[0] = "rt-gate"
sys.exit(main())
"""
SHARES: Final = {  # of the whole time, where each stage begins and ends
    "reading": (0.0, 0.02),
    "listening": (0.02, 0.6),
    "learning": (0.6, 0.8),
    "tuning the level gate": (0.8, 0.98),
}

log = logging.getLogger("rt.realtime.control")


class Lessons:
    """Runs lessons.

    Args:
        tell: called, from a thread, with what there is to be told of a lesson.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._target = Path()
        self._stopped = False

    def begin(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Begin one.

        Args:
            asked: "open" and "closed", lists of files and folders; "from", a gate that is
                shown more; "to", the gate to make, or "name" for one in the user's folder.

        Returns:
            "to", the gate that is being made.

        Raises:
            UsageError: not so, or a lesson runs.
            OutputError: the user's folder cannot be made.
        """
        with self._lock:
            if self._child is not None:
                raise UsageError("a lesson runs already", "wait for its end, or ask learn_stop")
            target = _target(asked)
            options = _options(asked, target)
            self._stopped, self._target = False, target
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-c", START, "learn", "--progress", *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us, and we end it
            )
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._child.pid, NICE)
            threading.Thread(
                target=self._follow, args=(self._child,), name="lesson", daemon=True
            ).start()
        return {"to": str(target)}

    def stop(self) -> bool:
        """End the lesson that runs; whether one did."""
        with self._lock:
            child = self._child
            if child is None:
                return False
            self._stopped = True
            child.terminate()
        try:
            child.wait(END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            for part in self._target.parent.glob(f".{self._target.name}.*.part"):
                part.unlink(missing_ok=True)
        return True

    @property
    def runs(self) -> bool:
        """Whether one runs."""
        return self._child is not None

    # --- the lesson's thread ------------------------------------------------------------------

    def _follow(self, child: subprocess.Popen[bytes]) -> None:
        """Tell how far it is, and how it ended."""
        assert child.stdout is not None
        assert child.stderr is not None
        said: list[str] = []
        reader = threading.Thread(target=_gather, args=(child.stderr, said), daemon=True)
        reader.start()
        report: dict[str, Any] = {}
        for line in child.stdout:
            with contextlib.suppress(ValueError):
                what = json.loads(line)
                if "stage" in what:
                    self._tell(progress_of(what))
                else:
                    report = what
        reader.join()
        status = child.wait()
        child.stdout.close()
        child.stderr.close()
        with self._lock:
            self._child = None
        if self._stopped:
            self._tell({"done": True, "stopped": True})
        elif status or not report:
            self._tell({"done": True, **_failure(said, status)})
        else:
            self._tell({"done": True, "report": report, "said": _plain(said)})


def progress_of(what: dict[str, Any]) -> dict[str, Any]:
    """How far a lesson is, of what its process says."""
    begin, end = SHARES.get(what["stage"], (0.0, 0.0))
    part = what["step"] / max(1, what["steps"])
    return {"stage": what["stage"], "progress": round(begin + part * (end - begin), 3)}


def _target(asked: dict[str, Any]) -> Path:
    """The gate to make.

    Raises:
        UsageError: neither "to" nor "name", or no name for a file.
    """
    to, name = asked.get("to"), asked.get("name")
    if isinstance(to, str) and to:
        return Path(to).expanduser().absolute()
    if not isinstance(name, str) or not name.strip() or "/" in name or name.startswith("."):
        raise UsageError(f"name is {name!r}", "give the gate a name, or its file with to")
    folder = data_folder("gates")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise fault(folder, e) from e
    return folder / f"{name.strip()}{SUFFIX}"


def _options(asked: dict[str, Any], target: Path) -> list[str]:
    options = ["-o", str(target)]
    for side in ("open", "closed"):
        paths = asked.get(side) or []
        if not isinstance(paths, list) or not all(isinstance(p, str) and p for p in paths):
            raise UsageError(f"{side} is {paths!r}", "give a list of files and folders")
        if paths:
            options += [f"--{side}", *(str(Path(p).expanduser().absolute()) for p in paths)]
    for name, option in (("from", "--from"), ("model", "--model"), ("name", "--name")):
        value = asked.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not value:
            raise UsageError(f"{name} is {value!r}", "give a text")
        if name == "from":
            value = str(Path(value).expanduser().absolute())
        options.append(f"{option}={value}")
    return options


def _gather(stream: IO[bytes], said: list[str]) -> None:
    for line in stream:
        said.append(line.decode(errors="replace").strip())
        log.info("learn: %s", said[-1])


def _plain(said: Sequence[str]) -> list[str]:
    """Lines of stderr without the program's name."""
    return [line.removeprefix("rt-gate: ") for line in said if line]


def _failure(said: Sequence[str], status: int) -> dict[str, str]:
    errors = [line for line in _plain(said) if line.startswith("error: ")]
    if errors:
        return {"error": errors[-1].removeprefix("error: "), "hint": ""}
    return {
        "error": f"the lesson ended with status {status}",
        "hint": "try rt-gate learn",
    }
