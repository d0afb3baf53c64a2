"""Write the parts of the documents that are made: tables of fields, and what the demo shows.

    python tests/docs/make_reference.py              tables in docs/card.md and docs/recipes.md
    python tests/docs/make_reference.py --capture    also the README's captures and pictures

The tables come from the classes' sources: names, types and defaults from the fields, texts
from the docstrings. Nothing is imported for them, so they need no torch. A made part stands
between `<!-- made: NAME -->` and `<!-- end -->`; everything else in a document is kept.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]
DEMO = "realtime/sounds/demo.flac"
PICTURES = {  # of README.md: the command, without the picture's name
    "docs/demo.png": f"rt-tag {DEMO} --plot",
    "docs/gate-demo.png": f"rt-gate {DEMO} gated.flac --plot",
}
COLOURS = 128  # of the committed picture, which is to stay small

TABLES = {  # document: the classes it lists
    "docs/card.md": {
        "Card": "realtime/card.py",
        "InputSpec": "realtime/card.py",
        "FeatureSpec": "realtime/features.py",
        "Decision": "realtime/card.py",
        "StateSpec": "realtime/card.py",
    },
    "docs/services.md": {
        "MqttSettings": "realtime/service_fields.py",
        "WyomingSettings": "realtime/service_fields.py",
        "WebhookSettings": "realtime/service_fields.py",
        "ClipSettings": "realtime/service_fields.py",
    },
    "docs/recipes.md": {
        "Recipe": "train/recipe.py",
        "Listed": "train/tables.py",
        "Data": "train/tables.py",
        "Mix": "train/tables.py",
        "Augment": "train/tables.py",
        "Loss": "train/tables.py",
        "Fit": "train/tables.py",
        "DSCNNConfig": "models/dscnn.py",
        "GateRecipe": "train/gate/recipe.py",
        "GateMix": "train/gate/recipe.py",
        "GateLoss": "train/gate/recipe.py",
        "GateConfig": "models/gate.py",
        "MaskedRecipe": "train/masked.py",
        "MaskedData": "train/masked.py",
    },
}
CAPTURES = {  # of README.md: the command as it is shown, and what a pipe needs besides
    "table": (f"rt-tag {DEMO}", " --table"),
    "lines": (f"rt-tag --json {DEMO} | head -4", ""),
}
PLAIN = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
PLURAL = {
    "text": "texts", "whole number": "whole numbers", "number": "numbers", "table": "tables"
}  # fmt: skip


class Field(NamedTuple):
    """One line of a table."""

    name: str
    type: str
    default: str
    text: str


def fields_of(path: Path, name: str) -> list[Field]:
    """The fields of a class, read from its source.

    Raises:
        ValueError: a field without a text, or a text without a field.
    """
    module = ast.parse(path.read_text("utf-8"))
    aliases = {
        node.targets[0].id: node.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    found = next(
        node for node in module.body if isinstance(node, ast.ClassDef) and node.name == name
    )
    texts = texts_of(ast.get_docstring(found) or "")
    fields = [
        Field(
            node.target.id,
            type_of(node.annotation, aliases),
            default_of(node.value),
            texts.pop(node.target.id, ""),
        )
        for node in found.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    bare = [f.name for f in fields if not f.text]
    if bare or texts:
        raise ValueError(f"{name}: no text for {bare}, no field for {sorted(texts)}")
    return [*inherited(found), *fields]


def inherited(found: ast.ClassDef) -> list[Field]:
    """The fields of the classes that a class extends and the documents list."""
    sources = {each: path for classes in TABLES.values() for each, path in classes.items()}
    names = [ast.unparse(base) for base in found.bases]
    return [f for n in names if n in sources for f in fields_of(PROJECT / sources[n], n)]


def texts_of(docstring: str) -> dict[str, str]:
    """The texts under "Args:"; several names may share one."""
    _, _, part = docstring.partition("Args:\n")
    part = part.partition("\n\n")[0]
    texts: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \w)", "\n" + part):
        names, colon, text = entry.partition(":")
        if colon:
            for each in names.split(","):
                texts[each.strip()] = " ".join(text.split())
    return texts


def type_of(node: ast.expr, aliases: dict[str, ast.expr]) -> str:
    """A type in words."""
    if isinstance(node, ast.Name):
        if node.id in PLAIN:
            return PLAIN[node.id]
        return type_of(aliases[node.id], aliases) if node.id in aliases else linked(node.id)
    if isinstance(node, ast.BinOp):  # X | None
        return f"{type_of(node.left, aliases)}, or absent"
    if not isinstance(node, ast.Subscript):
        raise TypeError(ast.unparse(node))
    return of_several(node, aliases)


def of_several(node: ast.Subscript, aliases: dict[str, ast.expr]) -> str:
    """A type with types or values in brackets, in words."""
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    outer = ast.unparse(node.value)
    if outer == "Literal":
        return ", ".join(f"`{shown(each)}`" for each in inner)
    if outer == "Annotated":
        return type_of(inner[0], aliases) + span(inner[1])
    if outer == "dict" and ast.unparse(inner[1]) == "Any":
        return "table"
    if outer == "dict":
        return f"table of {plural(type_of(inner[1], aliases))}"
    if outer == "tuple" and ast.unparse(inner[-1]) == "...":
        return f"list of {plural(type_of(inner[0], aliases))}"
    if outer == "tuple":
        return f"{len(inner)} {plural(type_of(inner[0], aliases))}"
    raise TypeError(ast.unparse(node))


def linked(struct: str) -> str:
    """A table of its own, with a link to it that works from every page of docs/."""
    page = next(document for document, classes in TABLES.items() if struct in classes)
    return f"table [{struct}]({Path(page).name}#{struct.lower()})"


def plural(kind: str) -> str:
    """More than one of a kind."""
    for one, many in PLURAL.items():
        if kind == one or kind.startswith((f"{one},", f"{one} [")):
            return many + kind.removeprefix(one)
    return kind


def span(meta: ast.expr) -> str:
    """The range that an annotation asks for."""
    assert isinstance(meta, ast.Call)
    limits = {word.arg: shown(word.value).removesuffix(".0") for word in meta.keywords}
    low = limits.get("ge", f"over {limits.get('gt')}")
    return f", {low} to {limits['le']}"


def default_of(node: ast.expr | None) -> str:
    """A default as JSON and TOML write it."""
    if node is None:
        return "required"
    if isinstance(node, ast.Constant) and node.value is None:
        return "absent"
    if isinstance(node, ast.Call):
        return "`{}`" if "dict" in ast.unparse(node) else "its defaults"
    return f"`{shown(node)}`"


def shown(node: ast.expr) -> str:
    """A literal as JSON and TOML write it."""
    if isinstance(node, ast.Tuple):
        return "[" + ", ".join(shown(each) for each in node.elts) + "]"
    value = ast.literal_eval(node)
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else ast.unparse(node)


def table(fields: list[Field]) -> str:
    """Fields as a table in Markdown."""
    lines = ["| field | type | default | meaning |", "| --- | --- | --- | --- |"]
    for field in fields:
        text = field.text.replace("|", "\\|")
        lines.append(f"| `{field.name}` | {field.type} | {field.default} | {text} |")
    return "\n".join(lines)


def replaced(document: str, name: str, body: str) -> str:
    """A document with one of its made parts made anew.

    Raises:
        ValueError: it has no such part.
    """
    part = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    out, count = part.subn(lambda found: f"{found[1]}{body}\n{found[2]}", document)
    if count != 1:
        raise ValueError(f"{count} parts called {name}")
    return out


def made(path: str) -> str:
    """A document with its tables made anew."""
    text = (PROJECT / path).read_text("utf-8")
    for name, source in TABLES[path].items():
        text = replaced(text, name, table(fields_of(PROJECT / source, name)))
    return text


def heard(command: str) -> str:
    """What a command prints in a pipe, 80 columns wide."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=PROJECT,
        env={**os.environ, "PATH": path, "COLUMNS": "80", "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def capture() -> None:
    """Run the demo: the README's captures, and the picture."""
    readme = PROJECT / "README.md"
    text = readme.read_text("utf-8")
    for name, (command, more) in CAPTURES.items():
        block = f"```console\n$ {command}\n{heard(command + more)}\n```"
        text = replaced(text, name, block)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "made.png"
        for name, command in PICTURES.items():
            heard(f"{command} {picture}".replace("gated.flac", f"{folder}/gated.flac"))
            shrink(picture, PROJECT / name)
    readme.write_text(text, "utf-8")


def shrink(picture: Path, out: Path) -> None:
    """The picture in fewer colours."""
    from PIL import Image  # comes with matplotlib

    with Image.open(picture) as image:
        few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(out, optimize=True)


def main() -> None:
    """Write what the command line asks for."""
    for path in TABLES:
        (PROJECT / path).write_text(made(path), "utf-8")
    if "--capture" in sys.argv[1:]:
        capture()


if __name__ == "__main__":
    main()
