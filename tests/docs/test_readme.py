"""Every command in the README and in docs/ is run or, where it cannot be, checked as said here.

Commands stand in fences of the kind `console`, after `$ `; lines after `> ` continue one. A
second word on the fence says how its commands are tested:

    console          run as it is, beside what it needs; status 0, and something comes out
    console live     a microphone: the same command runs on the bundled recording in its place
                     (and rt-gate into a file), and with --device, --virtual-mic and what needs
                     a network, up to --print-config, that is, until the device would be opened
    console check    takes hours or data that is not here: options are parsed by the command's
                     own parser, recipes are read
    console make     `make -n`: the target exists; what it runs is run by other tests
    console install  changes a computer: the extras exist and the programs are the ones known
    console file     makes a file at home: programs of any Debian

Programs of others (arecord, ffmpeg) are played by stand-ins. No command is left
out: an unknown word on a fence, or a command that no rule fits, is a failure.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from realtime.card import Card, parse_card
from realtime.commands.common import Parser

pytestmark = pytest.mark.slow  # some thirty starts of rt-tag

PROJECT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *(f"docs/{p.name}" for p in sorted((PROJECT / "docs").glob("*.md")))]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
FENCE = re.compile(r"^```console *(.*?)\n(.*?)^```", re.DOTALL | re.MULTILINE)
KINDS = ("", "live", "check", "make", "install", "file")
MOST_BYTES = 250_000  # of the picture

STANDINS = {
    "arecord": "cat demo.raw",
    "ffmpeg": "cat demo.raw",
}
LIVE = """#!/bin/sh
for a in "$@"; do case $a in
  --device|--device=*|--virtual-mic|--mqtt|--wyoming) exec REAL "$@" --print-config ;;
  --list-*) exec REAL "$@" ;;
esac; done
exec REAL "$@" realtime/sounds/demo.flac OUT
"""


class Command(NamedTuple):
    """One command of a page."""

    page: str
    line: int
    kind: str
    text: str


def commands() -> list[Command]:
    found = []
    for page in PAGES:
        text = (PROJECT / page).read_text("utf-8")
        for fence in FENCE.finditer(text):
            line = text[: fence.start(2)].count("\n")
            for number, content in enumerate(fence[2].splitlines(), line + 1):
                if content.startswith("$ "):
                    found.append(Command(page, number, fence[1], content[2:]))
                elif content.startswith("> "):
                    found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{content[2:]}")
    return found


COMMANDS = commands()


def of_kind(kind: str) -> pytest.MarkDecorator:
    chosen = [c for c in COMMANDS if c.kind == kind]
    names = [f"{c.page}:{c.line} {c.text.splitlines()[0][:40]}" for c in chosen]
    return pytest.mark.parametrize("command", chosen, ids=names)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, kit: Any) -> Path:
    """A folder with what the commands name: recordings, models, settings, stand-ins."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "realtime/sounds").mkdir(parents=True)
    demo = PROJECT / "realtime/sounds/demo.flac"
    shutil.copy(demo, folder / "realtime/sounds/demo.flac")
    shutil.copy(demo, folder / "clip.flac")
    import soundfile

    soundfile.read(demo, dtype="int16")[0].tofile(folder / "demo.raw")
    for name, model, text in cards():
        (folder / name).write_text(text)
        linear_model(kit, folder / model, parse_card(text, name))
    for path, body in files():
        (folder / path).write_text(body)
    tools = folder / "bin"
    tools.mkdir()
    for name, script in STANDINS.items():
        tool(tools / name, f"#!/bin/sh\n{script}\n")
    (tools / "live").mkdir()
    for name, out in (("rt-tag", ""), ("rt-gate", "gated-$$.flac")):
        real = shutil.which(name, path=str(Path(sys.executable).parent))
        assert real, f"{name} is not installed beside this Python"
        tool(tools / "live" / name, LIVE.replace("REAL", real).replace("OUT", out))
    return folder


def cards() -> list[tuple[str, str, str]]:
    """Cards of docs/card.md: its file, its model's file, its text."""
    text = (PROJECT / "docs/card.md").read_text("utf-8")
    found: list[tuple[str, str, str]] = re.findall(
        r"<!-- card: (\S+) for (\S+) -->\n```json\n(.*?)```", text, re.DOTALL
    )
    return found


def files() -> list[tuple[str, str]]:
    """Files that the pages have their reader write."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = (PROJECT / page).read_text("utf-8")
        found += re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL)
    return found


def linear_model(kit: Any, path: Path, card: Card) -> None:
    """A model with the input that the page describes; of any file name, content tells the kind.

    Its weights are zero and its bias is large: each window has the first label.
    """
    if card.input.kind == "waveform":
        shape = [round(card.window_s * card.rate)]
    else:
        assert card.input.features is not None
        shape = [1, 1, card.input.features.width, card.window_frames]
        assert shape == [1, 1, 64, 101]  # as the page says
    if len(shape) == 1:
        waveform_model(path, shape[0], len(card.labels))
        return
    weights = np.zeros((int(np.prod(shape)), len(card.labels)), np.float32)
    bias = np.zeros(len(card.labels), np.float32)
    bias[0] = 9.0
    kit.write_onnx(path, None, weights=weights, bias=bias, shape=shape)


def waveform_model(path: Path, samples: int, labels: int) -> None:
    """[samples] to probabilities [1, labels]."""
    pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper, numpy_helper

    assert samples == 15_600  # as the page says
    bias = np.zeros(labels, np.float32)
    bias[0] = 0.9
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["sound"], ["row"], axis=0),
            helper.make_node("Gemm", ["row", "w", "b"], ["scores"]),
        ],
        "house",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, [samples])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, labels])],
        [
            numpy_helper.from_array(np.zeros((samples, labels), np.float32), "w"),
            numpy_helper.from_array(bias, "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def tool(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


def run(text: str, folder: Path, *, live: bool = False) -> str:
    """Run a command as a shell does; what it printed, or the files it made."""
    front = [folder / "bin/live"] if live else []
    path = os.pathsep.join(
        map(str, [*front, folder / "bin", Path(sys.executable).parent, os.environ["PATH"]])
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith("RT_")}
    before = set(folder.iterdir())
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", text],
        cwd=folder,
        env={**environ, "PATH": path, "XDG_CONFIG_HOME": str(folder / "config")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    made = {p.name for p in set(folder.iterdir()) - before}
    allowed = (0, 141) if "| head" in text else (0,)
    assert done.returncode in allowed, f"{text}\n{done.stderr}"
    assert "error:" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() or made, f"{text}: nothing came out"
    return done.stdout


def test_every_fence_says_how_it_is_tested() -> None:
    assert {c.kind for c in COMMANDS} == set(KINDS)
    for page in PAGES:
        text = (PROJECT / page).read_text("utf-8")
        for fence in FENCE.finditer(text):
            assert fence[1] in KINDS, f"{page}: console {fence[1]}"
        prompts = re.findall(r"^\$ ", text, re.MULTILINE)
        assert len(prompts) == sum(c.page == page for c in COMMANDS), page
        shells = re.findall(r"^```(?:sh|bash|shell)\b", text, re.MULTILINE)
        assert not shells, f"{page}: commands stand in console fences"


@of_kind("")
def test_command(command: Command, place: Path) -> None:
    if command.text.startswith("rt-tag --list-devices") and no_portaudio():
        pytest.skip("no PortAudio library on this machine")
    run(command.text, place)


@of_kind("live")
def test_live_command(command: Command, place: Path) -> None:
    if "--list-devices" in command.text and no_portaudio():
        pytest.skip("no PortAudio library on this machine")
    out = run(command.text, place, live=True)
    if "--json" in command.text and "--device" not in command.text:
        assert out.count("\n") >= 1


def no_portaudio() -> bool:
    try:
        import sounddevice  # noqa: F401
    except OSError:
        return True
    return False


@of_kind("check")
def test_long_command_parses(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    name, *args = shlex.split(command.text)
    room, _, main = PYPROJECT["scripts"][name].partition(":")
    try:
        module = import_module(room)
    except ModuleNotFoundError as e:
        pytest.skip(f"{name} needs {e.name}")
    parsed: list[Any] = []

    def stopping(parse: Callable[..., Any]) -> Callable[..., Any]:
        def stop(self: Parser, args: Any = None, namespace: Any = None) -> Any:
            parsed.append(parse(self, args, namespace))
            raise KeyboardInterrupt  # before the work begins

        return stop

    for way in ("parse_args", "parse_intermixed_args"):
        monkeypatch.setattr(Parser, way, stopping(getattr(Parser, way)))
    with pytest.raises(KeyboardInterrupt):
        getattr(module, main).__wrapped__(args)
    assert parsed
    if name == "rt-train" and args[0] != "manifest":
        from train.gate.recipe import GateRecipe
        from train.recipe import Recipe, convert_recipe, read_tables

        recipe = args[1] if args[0] == "search" else args[0]
        tables = read_tables(PROJECT / recipe, tuple(parsed[0].set))
        kind = GateRecipe if tables.get("task") == "gate" else Recipe
        assert convert_recipe(tables, kind, PROJECT / args[0]).fit.steps


@of_kind("make")
def test_make_target(command: Command) -> None:
    words = shlex.split(command.text)
    assert words[0] == "make"
    assert len(words) == 2
    if not shutil.which("make"):
        pytest.skip("no make on this machine")
    done = subprocess.run(
        ["make", "-n", "PYTHON=python3", words[1]],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_what_make_demo_runs(place: Path) -> None:
    recipe = (PROJECT / "Makefile").read_text().split("\ndemo:", 1)[1].split("\n\n", 1)[0]
    lines = [x.strip().removeprefix("@") for x in recipe.splitlines() if "bin/rt-" in x]
    tag, gate = (x.replace("$(EDGE)/bin/", "") for x in lines if "echo" not in x)
    (place / "build").mkdir(exist_ok=True)
    assert "label" in run(tag, place)
    assert (place / "build/demo.png").stat().st_size > 10_000
    run(f"{gate} && echo done", place)
    assert (place / "build/gate.png").stat().st_size > 10_000
    assert (place / "build/gated.flac").stat().st_size > 10_000


@of_kind("install")
def test_install_command(command: Command) -> None:
    words = [w for w in shlex.split(command.text) if w != "sudo"]
    match words:
        case ["pipx", "install", spec] | ["uv", "tool", "install", spec]:
            extras = re.fullmatch(r"\.\[([a-z,]+)\]", spec)
            assert extras, spec
            assert set(extras[1].split(",")) <= set(PYPROJECT["optional-dependencies"])
        case ["apt", "install", *packages]:
            assert set(packages) <= {"pipx", "libportaudio2", "alsa-utils"}
        case ["pipx", "ensurepath"]:
            pass
        case ["install", "-Dm", "644", unit, path]:
            assert (PROJECT / unit).is_file()
            assert path.endswith("/.config/systemd/user/rt-tag.service")
        case ["systemctl", "--user", "enable", "--now", "rt-tag"]:
            assert "systemd/user/rt-tag.service" in (PROJECT / command.page).read_text("utf-8")
        case ["loginctl", "enable-linger", "$USER"]:
            pass
        case _:
            pytest.fail(f"no rule for: {command.text}")


def test_the_service_runs_what_rt_tag_knows(place: Path) -> None:
    unit = (PROJECT / "docs/rt-tag.service").read_text("utf-8")
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    command = line.replace("%h/.local/bin/", "")
    assert "threshold" in run(f"{command} --print-config --config rt-tag.toml", place)
    assert "Type=notify" in unit
    assert "Environment=PYTHONSAFEPATH=1" in unit
    assert "User=root" not in unit


def test_systemd_takes_the_service(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze: apt-get install systemd")
    unit = tmp_path / "rt-tag.service"
    text = (PROJECT / "docs/rt-tag.service").read_text("utf-8")
    unit.write_text(text.replace("%h/.local/bin/rt-tag", "/bin/true"))
    environ = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "--user", "verify", str(unit)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert "rt-tag.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


@of_kind("file")
def test_file_command(command: Command) -> None:
    assert shlex.split(command.text)[0] in {"arecord", "install", "nano"}


def capture_of(name: str) -> str:
    text = (PROJECT / "README.md").read_text("utf-8")
    found = re.search(
        rf"<!-- made: {name} -->\n```\w+\n(.*?)```\n<!-- end -->", text, re.DOTALL
    )
    assert found
    assert found[1].startswith("$ "), "run: python tests/docs/make_reference.py --capture"
    return found[1]


def test_the_table_in_the_readme_is_what_comes_out(place: Path) -> None:
    row = re.compile(r"│ +([\d.]+) │ +([\d.]+) │ (\w+) +│")
    command, _, shown = capture_of("table").partition("\n")
    out = run(f"{command[2:]} --table", place)
    for one, other in zip(row.findall(shown), row.findall(out), strict=True):
        assert one[2] == other[2]  # another processor may decide a window earlier or later
        assert float(one[0]) == pytest.approx(float(other[0]), abs=0.11)
        assert float(one[1]) == pytest.approx(float(other[1]), abs=0.31)


def test_the_lines_in_the_readme_are_what_comes_out(place: Path) -> None:
    command, _, shown = capture_of("lines").partition("\n")
    out = run(command[2:], place)
    for one, other in zip(shown.splitlines(), out.splitlines(), strict=True):
        was, now = json.loads(one), json.loads(other)
        assert list(was) == list(now)
        assert (was["event"], was["label"]) == (now["event"], now["label"])


@pytest.mark.parametrize("name", ["demo.png", "gate-demo.png"])
def test_the_picture(name: str) -> None:
    picture = PROJECT / "docs" / name
    assert picture.exists(), "run: python tests/docs/make_reference.py --capture"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert 10_000 < picture.stat().st_size < MOST_BYTES
