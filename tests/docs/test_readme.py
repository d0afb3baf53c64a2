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
out: an unknown word on a fence, or a command that no rule fits, is a failure. That those of
docs/pi.md work one after the other, test_pi_page.py tells.
"""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from kit_pages import COMMANDS, FENCE, PAGES, PROJECT, Command, of_kind, run

from realtime.commands.common import Parser

pytestmark = pytest.mark.slow  # some thirty starts of rt-tag

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
KINDS = ("", "live", "check", "make", "install", "file")


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
        module = import_module(getattr(import_module(room), main).module)
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
        module.main.__wrapped__(args)
    assert parsed
    if name == "rt-train" and args[0] not in ("manifest", "shard"):
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
        case ["cd", "~/rt-tag"]:
            assert "as `~/rt-tag`" in (PROJECT / command.page).read_text("utf-8")
        case ["pipx", "install", spec] | ["uv", "tool", "install", spec]:
            extras = re.fullmatch(r"\.\[([a-z,]+)\]", spec)
            assert extras, spec
            assert set(extras[1].split(",")) <= set(PYPROJECT["optional-dependencies"])
        case ["apt", "install", *packages]:
            assert set(packages) <= {"pipx", "libportaudio2", "alsa-utils"}
        case ["pipx", "ensurepath"]:
            pass
        case ["install", "-Dm", "644", unit, path]:
            assert (PROJECT / unit.removeprefix("~/rt-tag/")).is_file()
            assert path.endswith("/.config/systemd/user/rt-tag.service")
        case ["systemctl", "--user", "enable", "--now", "rt-tag"]:
            assert "systemd/user/rt-tag.service" in (PROJECT / command.page).read_text("utf-8")
        case ["loginctl", "enable-linger", "$USER"]:
            pass
        case _:
            pytest.fail(f"no rule for: {command.text}")


@of_kind("file")
def test_file_command(command: Command) -> None:
    assert shlex.split(command.text)[0] in {"arecord", "install", "mkdir", "nano"}
