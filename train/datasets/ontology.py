"""The AudioSet ontology: names, ancestors, families.

`ontology.json` of github.com/audioset/ontology (CC BY-SA 4.0): a list of {"id", "name",
"child_ids", "restrictions", ...}. It is read where it lies beside a data set and is not part of
this project. Source: Gemmeke et al., "Audio Set: An ontology and human-labeled dataset" (2017).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from realtime.errors import UsageError

HINT = "get ontology.json from github.com/audioset/ontology"


class Node(msgspec.Struct, frozen=True):
    """One class of the ontology."""

    id: str
    name: str
    child_ids: tuple[str, ...] = ()


class Ontology:
    """Classes and who descends from whom.

    Args:
        nodes: all classes.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self.name = {n.id: n.name for n in nodes}
        self.mid = {n.name: n.id for n in nodes}
        self.parents: dict[str, list[str]] = {n.id: [] for n in nodes}
        for node in nodes:
            for child in node.child_ids:
                self.parents.setdefault(child, []).append(node.id)

    def ancestors(self, mid: str) -> set[str]:
        """All above a class, itself not included; a class may have several parents."""
        found: set[str] = set()
        open_ends = list(self.parents.get(mid, []))
        while open_ends:
            one = open_ends.pop()
            if one not in found:
                found.add(one)
                open_ends += self.parents.get(one, [])
        return found

    def families(self, mid: str) -> set[str]:
        """Names of the top-level classes that a class belongs to; usually one."""
        tops = [m for m in {mid, *self.ancestors(mid)} if not self.parents.get(m)]
        return {self.name[m] for m in tops if m in self.name}


def read_ontology(path: Path) -> Ontology:
    """Read `ontology.json`.

    Raises:
        UsageError: not readable, or something else.
    """
    try:
        return Ontology(msgspec.json.decode(path.read_bytes(), type=list[Node]))
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}", HINT) from e
    except msgspec.DecodeError as e:
        raise UsageError(f"{path}: no ontology: {e}", HINT) from e
