"""Write docs/models.md: every network by name, its paper, input, parameters and work.

    python tests/docs/make_models.py

Parameters and multiply-accumulates are counted on networks that hold no values (half a minute),
the tables of fields come from the configurations' sources, as in make_reference.py.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from models import FAMILIES
from models.catalogue import CATALOGUE, Entry
from models.cost import Cost, cost
from train.recipe import read_recipe

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs/models.md"
OWN = ("dscnn", "gate")  # families that the recipes' page has the fields of
FROM = ("kws12", "kws12-tiny", "ast_q", "household", "ears")  # taggers that ship, by recipe


def reference() -> ModuleType:
    """The maker of the other tables."""
    path = PROJECT / "tests/docs/make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def amount(n: float) -> str:
    """A number with three digits and K, M or G."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if n >= size:
            return f"{n / size:.{max(0, 2 - len(str(int(n / size))) + 1)}f} {unit}"
    return str(round(n))


def row(name: str, entry: Entry, counted: Cost) -> str:
    """One line of the table."""
    published = amount(1000 * entry.published) if entry.published else ""
    cells = (
        f"`{name}`", f"[{entry.family}](#{entry.family})", entry.paper,
        f"{entry.frames} x {entry.width}", str(entry.labels), f"{counted.parameters:,}",
        published, amount(counted.macs), entry.note,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def table(names: list[str] | None = None) -> str:
    """The networks with their figures."""
    lines = [
        "| name | family | paper | input | labels | parameters | published | MACs | note |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in names or list(CATALOGUE):
        entry = CATALOGUE[name]
        counted = cost({"network": name}, entry.labels, (entry.frames, entry.width))
        lines.append(row(name, entry, counted))
    return "\n".join(lines)


def ours() -> str:
    """The networks that ship, by the same count."""
    lines = ["| model | input | parameters | MACs |", "| --- | --- | --- | --- |"]
    for name in FROM:
        recipe = read_recipe(PROJECT / f"train/recipes/{name}.toml")
        spec = recipe.features
        frames, width = spec.frames_in(round(recipe.window_s * spec.rate)), spec.width
        counted = cost(recipe.model, len(recipe.data.labels), (frames, width))
        work = amount(counted.macs)
        lines.append(f"| `{name}` | {frames} x {width} | {counted.parameters:,} | {work} |")
    return "\n".join(lines)


def fields() -> str:
    """A section for each family: what its module says first, and its fields."""
    maker = reference()
    parts = []
    for family, (module, _, config) in sorted(FAMILIES.items()):
        if family in OWN:
            continue
        path = PROJECT / f"{module.replace('.', '/')}.py"
        title, paragraph = opening(path)
        body = maker.table(maker.fields_of(path, config))
        parts.append(f"### {family}\n\n{title}\n\n{paragraph}\n\n{body}")
    return "\n\n".join(parts)


def opening(path: Path) -> tuple[str, str]:
    """The first line and the first paragraph of a module's text, a line of 110 at most."""
    text = path.read_text("utf-8").split('"""')[1]
    title, paragraph, *_ = text.strip().split("\n\n")
    paragraph = re.sub(r"`models\.(\w+)`", r"`models/\1.py`", " ".join(paragraph.split()))
    lines, line = [], ""
    for word in paragraph.split():
        if len(line) + len(word) + 1 > 110:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return " ".join(title.split()), "\n".join([*lines, line])


def page(networks: str | None = None) -> str:
    """docs/models.md with its made parts made anew.

    Args:
        networks: the table of networks, if it is known already.
    """
    maker = reference()
    text = PAGE.read_text("utf-8")
    text = maker.replaced(text, "networks", networks if networks is not None else table())
    text = maker.replaced(text, "ours", ours())
    return str(maker.replaced(text, "families", fields()))


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
