"""The edge runtime on 64-bit Arm, emulated: the same lines, sound and features as here.

Not part of `make test`: `make arm` unpacks an Arm Debian into build/arm (700 MB, a minute) and
runs these. Emulation shows that it works and is right; it says nothing about speed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "realtime/sounds/demo.flac"
PLATFORMS = (
    "manylinux2014",
    "manylinux_2_17",
    "manylinux_2_26",
    "manylinux_2_27",
    "manylinux_2_28",
)
# runs on the processor: front ends, resampling, kernels of the gate, decisions, model files
EDGE = (
    *(
        "test_features.py",
        "test_decide.py",
        "test_card.py",
        "test_runners.py",
        "test_resample.py",
    ),
    *(
        "test_settings.py",
        "gate/test_gate_judge.py",
        "gate/test_gate_ideal.py",
        "gate/test_gate_ramp.py",
    ),
)

pytestmark = [pytest.mark.pi, pytest.mark.network, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def arm() -> Path:
    """The unpacked system."""
    where = os.environ.get("RT_ARM")
    if not where:
        pytest.skip("make arm unpacks an emulated system and sets RT_ARM")
    return Path(where)


def on_arm(arm: Path, *arguments: str) -> str:
    """What a program prints there."""
    done = subprocess.run(
        [ROOT / "tests/arm/python.sh", arm, *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def command(room: str, *arguments: str) -> tuple[str, str]:
    """A program of ours as arguments of `python -c`, for this machine and for that one."""
    return "-c", f"from {room} import main; raise SystemExit(main({list(arguments)!r}))"


def here(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_base_install_is_wheels_only(python: str, tmp_path: Path) -> None:
    tags = [x for p in PLATFORMS for x in ("--platform", f"{p}_aarch64")]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest",
         tmp_path, *tags, "--python-version", python, "--implementation", "cp",
         *_dependencies()],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1500:]
    assert all(f.suffix == ".whl" for f in tmp_path.iterdir())
    assert not [f for f in tmp_path.iterdir() if f.name.startswith("torch")]


def _dependencies() -> list[str]:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["tflite"]]


@pytest.mark.parametrize("runtime", ["onnx", "litert"])
def test_same_words(arm: Path, runtime: str) -> None:
    given = command("realtime.commands.tag", str(DEMO), "--json", "--runtime", runtime)
    lines = on_arm(arm, *given)
    assert lines.count('"start"') == 10
    assert lines == here(*given)


def test_same_gate(arm: Path, tmp_path: Path) -> None:
    def given(name: str) -> tuple[str, str]:
        return command("realtime.commands.gate", str(DEMO), str(tmp_path / name), "--json")

    assert on_arm(arm, *given("arm.wav")) == here(*given("here.wav"))
    there, at_home = (soundfile.read(tmp_path / f"{n}.wav")[0] for n in ("arm", "here"))
    np.testing.assert_allclose(there, at_home, atol=2.0 / 32768)


def test_edge_tests_pass(arm: Path) -> None:
    files = [f"tests/realtime/{name}" for name in EDGE]
    told = on_arm(
        arm, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "-m", "not (gpu or device or pi or network)", *files,
    )  # fmt: skip
    assert " passed" in told
