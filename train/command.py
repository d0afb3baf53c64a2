"""`rt-train`: the command. Training itself, and torch with it, is loaded when it is needed."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from realtime.commands.common import Parser, add_version, guarded, start_logging
from realtime.errors import MissingExtra, UsageError
from realtime.fields import toml_of
from realtime.outputs.replace import Replacement
from realtime.places import same_file
from train.datasets import LAYOUTS, list_rows
from train.datasets.shards import write_shards
from train.manifest import labels_of, pick, read_manifest, write_manifest
from train.recipe import Recipe, convert_recipe, read_tables

log = logging.getLogger("rt.train.command")

SHOWN = 50  # of the files left out
WORDS = """
in place of a recipe:
  manifest LAYOUT FOLDER -o FILE.csv [--fold N]
  shard FILE.csv FOLDER -o SHARDS
  statistics RECIPE.toml [--set KEY=VALUE]
  search RECIPE.toml [--space FILE.toml] [--trials N] [--storage URL]
  average CHECKPOINT CHECKPOINT... -o FILE.safetensors
"""


@guarded
def main(argv: Sequence[str] | None = None) -> int:
    """The command `rt-train`."""
    parser = Parser(prog="rt-train", description="Train a model from a recipe.", epilog=WORDS)
    parser.add_argument("recipe", help="RECIPE.toml, or a word of those below")
    text = f"what goes with the word; LAYOUT is {', '.join(LAYOUTS)}"
    parser.add_argument("rest", nargs="*", metavar="...", help=text)
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        help="folder of the run (default runs/NAME); a run goes on there",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a field"
    )
    parser.add_argument(
        "--fold", type=int, default=0, help="of manifest: the fold to hold out for the test"
    )
    search = parser.add_argument_group("of search")
    search.add_argument("--space", type=Path, metavar="FILE.toml", help="in place of [search]")
    search.add_argument("--trials", type=int, default=0, metavar="N", help="in all")
    search.add_argument(
        "--storage", default="", metavar="URL", help="to share (default: search.db in --out)"
    )
    parser.add_argument("-v", "--verbose", action="count", default=0)
    add_version(parser)
    args = parser.parse_args(argv)
    start_logging(max(1, args.verbose))
    if args.recipe == "manifest":
        return _manifest(args.rest, args.out, args.fold)
    if args.recipe == "shard":
        return _shard(args.rest, args.out)
    if args.recipe == "statistics":
        return _statistics(args.rest, tuple(args.set))
    if args.recipe == "search":
        return _search(args)
    if args.recipe == "average":
        return _average(args.rest, args.out)
    if args.rest:
        raise UsageError(f"what is {' '.join(args.rest)}?", "give one recipe")
    path = Path(args.recipe)
    tables = read_tables(path, tuple(args.set))
    tables.pop("search", None)
    try:
        if tables.get("task") == "gate":
            from train.gate.fit import fit_gate
            from train.gate.recipe import GateRecipe

            gate = convert_recipe(tables, GateRecipe, path)
            print(fit_gate(gate, args.out or Path("runs") / gate.name))
            return 0
        if tables.get("task") == "masked":
            from train.masked import MaskedRecipe, fit_masked

            masked = convert_recipe(tables, MaskedRecipe, path)
            return _said(fit_masked(masked, args.out or Path("runs") / masked.name))
        from train.fit import fit
    except ModuleNotFoundError as e:
        raise MissingExtra(
            f"training needs {e.name}", "pipx inject rt-tag 'rt-tag[train]'"
        ) from e
    recipe = convert_recipe(tables, Recipe, path)
    return _said(fit(recipe, args.out or Path("runs") / recipe.name))


def _said(result: Path) -> int:
    if os.environ.get("RANK", "0") == "0":  # under torchrun one process speaks
        print(result)
    return 0


def _shard(words: list[str], out: Path | None) -> int:
    if len(words) != 2 or out is None:
        raise UsageError(
            "shard needs a manifest, the folder of its files and -o",
            "rt-train shard FILE.csv FOLDER -o SHARDS",
        )
    index = write_shards(read_manifest(Path(words[0])), Path(words[1]), out)
    if index.left_out:
        log.warning("%d files are missing or cannot be read", len(index.left_out))
    print(f"{out}: {len(index.shards)} shards, {sum(index.shards.values())} rows")
    return 0


def _statistics(words: list[str], changes: tuple[str, ...]) -> int:
    if len(words) != 1:
        raise UsageError("statistics needs a recipe", "rt-train statistics RECIPE.toml")
    path = Path(words[0])
    recipe = convert_recipe(read_tables(path, changes), Recipe, path)
    try:
        from train.datasets.statistics import statistics
    except ModuleNotFoundError as e:
        raise MissingExtra(
            f"statistics need {e.name}", "pipx inject rt-tag 'rt-tag[train]'"
        ) from e
    found = statistics(recipe, read_manifest(Path(recipe.data.manifest)))
    log.info("%d clips, %.2f hours", found.clips, found.hours)
    print(f"mean = {found.mean:.4f}\nstd = {found.std:.4f}")  # for [features]
    return 0


def _average(words: list[str], out: Path | None) -> int:
    if len(words) < 2 or out is None:
        raise UsageError(
            "average needs checkpoints and -o", "rt-train average A B -o C.safetensors"
        )
    try:
        from train.weights import write_mean
    except ModuleNotFoundError as e:
        raise MissingExtra(
            f"averaging needs {e.name}", "pipx inject rt-tag 'rt-tag[train]'"
        ) from e
    for word in words:
        if same_file(out, word):
            raise UsageError(f"-o {out} is one of them", "name another file")
    Replacement(out).discard()  # where nothing can be written is said before the work
    write_mean([Path(word) for word in words], out)
    print(out)
    return 0


def _search(args: argparse.Namespace) -> int:
    if len(args.rest) != 1:
        raise UsageError("search needs a recipe", "rt-train search RECIPE.toml --trials 40")
    try:
        from train.search import Searcher
    except ModuleNotFoundError as e:
        raise MissingExtra(
            f"training needs {e.name}", "pipx inject rt-tag 'rt-tag[train]'"
        ) from e
    path = Path(args.rest[0])
    out = args.out or Path("runs") / f"{path.stem}-search"
    searcher = Searcher(path, out, args.set, args.space, args.storage, args.trials)
    best = searcher.run()
    for name, value in best.user_attrs["values"].items():
        print(f"{name} = {toml_of(value)}")
    print(f"trial {best.number}, {best.value:.4f}: {out / 'best.toml'}")
    return 0


def _manifest(words: list[str], out: Path | None, fold: int) -> int:
    if len(words) != 2 or words[0] not in LAYOUTS or out is None:
        raise UsageError(
            "manifest needs a layout, a folder and -o",
            f"rt-train manifest {'|'.join(LAYOUTS)} FOLDER -o FILE.csv",
        )
    if same_file(out, words[1]):
        raise UsageError(f"-o {out} is the table itself", "name another file")
    Replacement(out).discard()  # where nothing can be written is said before the work
    rows, bad = list_rows(words[0], Path(words[1]), fold)
    for line in bad[:SHOWN]:
        log.warning("left out: %s", line)
    if bad:
        more = f", {len(bad) - SHOWN} of them not shown" if len(bad) > SHOWN else ""
        log.warning("%d files are missing or cannot be read%s", len(bad), more)
    write_manifest(out, rows)
    wanted = "target" if any(r.role == "target" for r in rows) else "clip"
    counts = {split: len(pick(rows, split, wanted)) for split in ("train", "val", "test")}
    log.info("%s: %d rows; %ss %s", out, len(rows), wanted, counts)
    labels = sorted({name for r in rows if r.role == wanted for name in labels_of(r)})
    print(f"labels = {msgspec.json.encode(labels).decode()}")  # for the recipe
    return 0


if __name__ == "__main__":  # of torchrun -m train.command
    raise SystemExit(main())
