"""`rt-tag --doctor`: what is installed, what can be opened, and what is broken.

One line for each finding, `ok`, `--` (absent, and optional) or `!!` (broken, with the remedy).
"""

from __future__ import annotations

import base64
import hashlib
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from realtime.commands.common import version
from realtime.errors import RtError

DISTRIBUTION = "rt-tag"
NEEDED = ("numpy", "onnxruntime", "soundfile", "sounddevice", "soxr", "rich", "msgspec")
OPTIONAL = (
    "ai-edge-litert", "tflite-runtime", "numba", "matplotlib", "paho-mqtt", "pyarrow", "PyQt6"
)  # fmt: skip


class Findings:
    """Prints as it goes and remembers whether anything is broken."""

    def __init__(self) -> None:
        self.broken = 0

    def ok(self, text: str) -> None:
        """All is well."""
        print(f"ok  {text}")

    def absent(self, text: str) -> None:
        """Something optional is not there."""
        print(f"--  {text}")

    def bad(self, text: str) -> None:
        """Something is broken; the text ends with the remedy."""
        self.broken += 1
        print(f"!!  {text}")


def check_up(flags: Mapping[str, Any] | None = None, config: str | Path | None = None) -> int:
    """Check the installation; 0 if nothing is broken, else 5.

    Args:
        flags: settings of rt-tag on the command line, to try out what they ask for; None checks
            only what is installed.
        config: its settings file.

    Raises:
        UsageError: a wrong setting.
    """
    found = Findings()
    found.ok(f"{DISTRIBUTION} {version()} in {Path(__file__).parents[2]}")
    found.ok(
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{sys.executable}"
    )
    _packages(found)
    _own_files(found)
    _models(found)
    _devices(found)
    if flags is not None:
        from realtime.commands.headroom import check_broker, check_microphone, check_model
        from realtime.settings import load_settings

        settings = load_settings(flags, config=config)
        check_model(found, settings)
        check_microphone(found, settings)
        check_broker(found, settings)
    return 5 if found.broken else 0


def _packages(found: Findings) -> None:
    for name in NEEDED:
        try:
            found.ok(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.bad(f"{name} is missing: pipx inject {DISTRIBUTION} {name}")
    for name in OPTIONAL:
        try:
            found.ok(f"{name} {metadata.version(name)} (optional)")
        except metadata.PackageNotFoundError:
            found.absent(f"{name}, optional, is not installed")


def _own_files(found: Findings) -> None:
    """Whether each installed file is the one that the wheel brought.

    Another distribution may own a package of the same name: PyPI's `realtime` overwrites ours
    in a shared environment, and takes it along when it is uninstalled.
    """
    try:
        files = metadata.files(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        found.absent(f"{DISTRIBUTION} runs from its sources and is not installed")
        return
    wrong, checked = [], 0
    for file in files or []:
        if file.hash is None or file.hash.mode != "sha256":
            continue
        checked += 1
        path = Path(str(file.locate()))
        if not path.is_file():
            wrong.append(f"{file} is gone")
        elif _digest(path) != file.hash.value:
            wrong.append(f"{file} was changed")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        found.bad(
            f"{', '.join(wrong[:3])}{more}: another package overwrote ours; install into an "
            f"environment of its own: pipx install {DISTRIBUTION}"
        )
    else:
        found.ok(f"{checked} installed files are as the package brought them")


def _models(found: Findings) -> None:
    from realtime.library import shipped
    from realtime.runners import open_runner

    models = list(shipped())
    if not models:
        found.bad("no model is shipped with this installation: reinstall, or use --model FILE")
    for model in models:
        for path in model.files.values():
            try:
                runner = open_runner(path)
            except RtError as e:
                report = found.absent if e.status == 5 else found.bad
                report(f"model {path.name}: {e.line()}")
            else:
                found.ok(
                    f"model {path.name}: {len(runner.card.labels)} labels, {runner.runtime}"
                )


def _devices(found: Findings) -> None:
    from realtime.sources.listing import list_devices

    try:
        devices = list_devices()
    except RtError as e:
        found.absent(f"microphones: {e.line()}")
        return
    if not devices:
        found.absent("no input device; files and pipes work")
    for device in devices:
        found.ok(f"input device {device.label()}{', the default' if device.default else ''}")


def _digest(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
