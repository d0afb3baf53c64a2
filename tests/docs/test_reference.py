"""The documents say what the code does: fields, options, exit statuses, JSON lines."""

import argparse
import importlib
import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, get_args

import msgspec
import pytest
from kit_files import load

from realtime import errors
from realtime.card import parse_card
from realtime.commands.common import READER_GONE, Parser
from realtime.commands.learn import parser as learn_parser
from realtime.commands.tag_learn import parser as tag_learn_parser
from realtime.outputs import Event
from realtime.outputs.gate import GateEvent
from realtime.start import INTERRUPTED

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
COMMANDS = (PROJECT / "docs/commands.md").read_text("utf-8")
SCRIPTS: dict[str, str] = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"][
    "scripts"
]
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[a-z])(?![\w-])")


reference = load(PROJECT / "tests/docs/make_reference.py")


class Parsed(Exception):  # noqa: N818  says what happened
    """Carries a command's parser out of its main."""


def parser_of(script: str, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """The parser that a console script makes, caught when it is about to parse."""

    def stop(self: Parser, *_: Any, **__: Any) -> NoReturn:
        raise Parsed(self)

    monkeypatch.setattr(Parser, "parse_args", stop)
    monkeypatch.setattr(Parser, "parse_intermixed_args", stop)
    room, _, name = SCRIPTS[script].partition(":")
    try:
        program = getattr(importlib.import_module(room), name)
        module = importlib.import_module(program.module)
    except ModuleNotFoundError as e:  # an environment without training
        pytest.skip(f"{script} needs {e.name}")
    with pytest.raises(Parsed) as caught:
        module.main.__wrapped__([])
    parser: argparse.ArgumentParser = caught.value.args[0]
    return parser


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from options_of(sub)


def section(title: str) -> str:
    """A section of docs/commands.md, down to the next of its rank."""
    return COMMANDS.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def listed(text: str) -> set[str]:
    """The options in the first column of a section's tables."""
    rows = [line for line in text.splitlines() if line.startswith("| `-")]
    return {name for row in rows for name in OPTION.findall(row.split(" | ")[0])}


@pytest.mark.parametrize("path", reference.TABLES)
def test_tables_of_fields_are_those_of_the_code(path: str) -> None:
    now = (PROJECT / path).read_text("utf-8")
    assert reference.made(path) == now, f"{path}: run python tests/docs/make_reference.py"


def test_a_field_without_a_text_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "thing.py"
    source.write_text('class Thing:\n    """A thing.\n\n    Args:\n        a: one.\n    """\n'
                      "    a: int\n    b: int = 2\n")  # fmt: skip
    with pytest.raises(ValueError, match="no text for"):
        reference.fields_of(source, "Thing")


@pytest.mark.parametrize("script", SCRIPTS)
def test_options_are_listed_and_exist(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert listed(section(script)) == set(options_of(parser_of(script, monkeypatch)))


@pytest.mark.parametrize(
    ("title", "parser"),
    [("rt-gate learn", learn_parser()), ("rt-tag learn", tag_learn_parser())],
)
def test_options_of_lessons_are_listed_and_exist(
    title: str, parser: argparse.ArgumentParser
) -> None:
    everywhere = {"-v", "--verbose", "-h", "--help"}
    short = {"-o"} if "-o" in listed(section(title)) else set()
    assert short
    assert listed(section(title)) | everywhere == set(options_of(parser))


def test_help_of_rt_train_has_the_words_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    epilog = parser_of("rt-train", monkeypatch).epilog or ""
    usages = re.findall(r"^    rt-train ([a-z]+ .*)", section("rt-train"), re.MULTILINE)
    assert usages == [line.strip() for line in epilog.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize(
    ("name", "checkpoints"), [("stream", True), ("latency", False), ("gate", False)]
)
def test_help_names_checkpoints_where_they_are_taken(
    name: str, checkpoints: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = parser_of("rt-eval", monkeypatch)
    (subs,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    (model,) = (a for a in subs.choices[name]._actions if a.dest == "model")
    assert (".safetensors" in (model.help or "")) == checkpoints


def test_which_command_of_rt_eval_has_which_option(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = parser_of("rt-eval", monkeypatch)
    (subs,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    has: dict[str, set[str]] = {}
    for name, sub in subs.choices.items():
        for option in options_of(sub):
            has.setdefault(option, set()).add(name)
    for row in section("rt-eval").splitlines():
        if row.startswith("| `-"):
            options, of, _ = (cell.strip() for cell in row.strip("| ").split(" | "))
            said = set(subs.choices) if of == "all" else set(of.split(", "))
            for option in OPTION.findall(options):
                assert has[option] == said, option


def test_no_page_names_an_option_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"--capture", *options_of(learn_parser()), *options_of(tag_learn_parser())}
    for script in SCRIPTS:
        known |= set(options_of(parser_of(script, monkeypatch)))
    for page in PAGES:
        for code in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page.read_text("utf-8")):
            if code.startswith(("-", "rt-")):
                stray = {o for o in OPTION.findall(code) if o.startswith("--")} - known
                assert not stray, f"{page.name}: `{code}`"


def test_exit_statuses() -> None:
    def tree(kind: type[errors.RtError]) -> Iterator[int]:
        for sub in kind.__subclasses__():
            yield sub.status
            yield from tree(sub)

    rows = re.findall(r"^\| (\d+) \|", section("Exit status"), re.MULTILINE)
    assert {int(n) for n in rows} == {0, 1, *tree(errors.RtError), INTERRUPTED, READER_GONE}


def test_json_lines_are_events() -> None:
    block = COMMANDS.split("<!-- lines -->\n```json\n", 1)[1].split("```", 1)[0]
    lines = [json.loads(line) for line in block.splitlines()]
    for line in lines:
        event = msgspec.convert(line, Event, strict=True)
        assert msgspec.to_builtins(event) == line  # no field too many, none too few
    assert {line["event"] for line in lines} == {
        kind.__struct_config__.tag for kind in get_args(Event)
    }
    states = {line["state"] for line in lines if line["event"] == "device"}
    assert states == {"lost", "back", "silent", "sounding"}


def test_json_lines_of_the_gate_are_events() -> None:
    block = COMMANDS.split("<!-- gate lines -->\n```json\n", 1)[1].split("```", 1)[0]
    lines = [json.loads(line) for line in block.splitlines()]
    for line in lines:
        event = msgspec.convert(line, GateEvent, strict=True)
        assert msgspec.to_builtins(event) == line
    assert {line["event"] for line in lines} == {"open", "close"}


def test_figures_of_rt_eval_are_all_explained() -> None:
    metrics = pytest.importorskip("train.judge_stream", reason="needs the train extra")
    figures = metrics.figures(metrics.Hits({}, 0, []), [], 3600.0)
    named = set(re.findall(r"`(\w+)`", section("rt-eval")))
    assert set(figures) <= named
    for file in ("train/judge_tag.py", "train/robust/noise.py", "train/robust/attack.py"):
        source = (PROJECT / file).read_text("utf-8")
        given = "\n".join(re.findall(r"    return \{\n(.*?)\n    \}\n", source, re.DOTALL))
        keys = set(re.findall(r'^ {8}"(\w+)":', given, re.MULTILINE))
        assert len(keys) > 5
        assert keys <= named, file


def test_cards_are_cards() -> None:
    text = (PROJECT / "docs/card.md").read_text("utf-8")
    cards = re.findall(r"<!-- card: (\S+) for (\S+) -->\n```json\n(.*?)```", text, re.DOTALL)
    assert len(cards) == 2
    for name, _, body in cards:
        assert parse_card(body, name).labels
        assert body.count("\n") <= 14


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            there = page.parent / path if path else page
            if there.suffix == ".png" and not there.exists():
                continue  # test_readme.py asks for the picture
            assert there.exists(), f"{page.name}: {target}"
            if anchor:
                titles = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}
                assert anchor in slugs, f"{page.name}: {target}"


def test_no_line_is_too_wide() -> None:
    for page in PAGES:
        fenced = False
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
            fenced ^= line.startswith("```")
            if not fenced and not line.startswith("|"):
                assert len(line) <= 115, f"{page.name}:{number}"
