"""What we ship: the five rooms, their data, and nothing that a small computer need not have."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ROOMS = {"realtime", "models", "train", "export", "gui"}
META = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
DEMO = "realtime/sounds/demo.flac"

# what a base install does not bring; importing one must fail as it would there
ABSENT = (
    "torch", "torchaudio", "torchvision", "timm", "safetensors", "onnx", "onnxscript", "scipy",
    "numba", "matplotlib", "ai_edge_litert", "tflite_runtime", "litert_torch", "PyQt6",
)  # fmt: skip
BARE = f"""
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        if name == "sounddevice":  # as on a machine without the PortAudio library
            raise OSError("PortAudio library not found")
sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def bare(unpacked: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code as a base install of the wheel would, in a folder of no meaning."""
    environ = {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", BARE + code]
    return subprocess.run(
        command, cwd=unpacked.parent, env=environ, capture_output=True, text=True, timeout=100
    )


def test_top_level_is_the_five_rooms(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == ROOMS
    assert len(top) == len(ROOMS) + 1


def test_every_room_is_typed_and_documented(unpacked: Path) -> None:
    for room in ROOMS:
        assert (unpacked / room / "py.typed").exists()
        assert (unpacked / room / "__init__.py").read_text().startswith('"""')
        assert not (unpacked / room / "__main__.py").exists()


def test_data_and_licence_travel_along(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert DEMO in names
    assert "realtime/sounds/PROVENANCE.md" in names
    ends = {name.partition(".dist-info/")[2] for name in names}
    assert {"licenses/LICENSE", "licenses/NOTICE", "entry_points.txt"} <= ends


def test_no_file_is_large_or_private(wheel: Path) -> None:
    for info in zipfile.ZipFile(wheel).infolist():
        assert info.file_size < 4_000_000, info.filename
        assert "__pycache__" not in info.filename
        assert not info.filename.endswith((".wav", ".pt", ".pth", ".pkl", ".safetensors"))


def test_base_dependencies_are_small() -> None:
    base = {re.split(r"[<>=!~;\[ ]", line)[0] for line in META["dependencies"]}
    assert base == {
        "numpy",
        "onnxruntime",
        "sounddevice",
        "soundfile",
        "soxr",
        "rich",
        "msgspec",
    }


def test_every_dependency_is_pinned() -> None:
    lines = (PROJECT / "tests/constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    extras = [line for lines in META["optional-dependencies"].values() for line in lines]
    asked = {re.split(r"[<>=!~;\[ ]", line)[0] for line in [*META["dependencies"], *extras]}
    assert asked - {META["name"]} <= pinned


def test_importing_realtime_loads_little(unpacked: Path) -> None:
    """Commands must start fast on a small computer: numpy and msgspec, nothing else."""
    code = """
import sys
before = set(sys.modules)
import numpy, msgspec
with_numpy = set(sys.modules)
import realtime
new = {name.partition(".")[0] for name in set(sys.modules) - with_numpy}
print(*sorted(new - set(sys.stdlib_module_names)))
"""
    done = bare(unpacked, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["realtime"]


def test_every_module_of_realtime_imports_on_a_base_install(unpacked: Path) -> None:
    code = """
import importlib, pkgutil
import realtime
for module in pkgutil.walk_packages(realtime.__path__, "realtime."):
    importlib.import_module(module.name)
print(realtime.__file__)
"""
    done = bare(unpacked, code)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(unpacked)


@pytest.mark.parametrize(("name", "entry"), META["scripts"].items())
def test_help_on_a_base_install(name: str, entry: str, unpacked: Path) -> None:
    """Help, or one line that names the extra to install; never a traceback."""
    module, _, function = entry.partition(":")
    code = f"sys.argv = [{name!r}, '--help']\nfrom {module} import {function}\n"
    done = bare(unpacked, f"{code}sys.exit({function}())")
    assert "Traceback" not in done.stderr
    if done.returncode == 0 or module.startswith("realtime."):
        assert done.returncode == 0, done.stderr
        assert done.stdout.lower().startswith("usage")
    else:
        assert done.returncode == 5, done.stderr
        assert "extra" in done.stderr


def test_base_install_names_the_demo(unpacked: Path) -> None:
    demo = str(unpacked / DEMO)
    code = f"sys.argv = ['rt-tag', {demo!r}, '--json']\n"
    done = bare(unpacked, code + "from realtime.commands.tag import main\nsys.exit(main())")
    assert done.returncode == 0, done.stderr
    assert '"event":' in done.stdout


def test_nothing_under_tests_is_a_package() -> None:
    """A package there would take the name of the room that it mirrors."""
    assert not list((PROJECT / "tests").rglob("__init__.py"))
