"""Bring the lists of the panel's texts up to date: gui/i18n/*.po.

    python tests/docs/make_texts.py

Every text in `tr`, `trn` and `later` is listed, with the files that use it. Translations stay;
what is new has an empty one, and what nobody uses any more goes.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from gui import i18n

ROOT = Path(__file__).parents[2]
HEAD = """# rt-panel in {name}.
#, kept up to date by tests/docs/make_texts.py
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Language: {code}\\n"
"""


def texts(folder: Path = ROOT / "gui") -> dict[str, list[str]]:
    """Each text, and the files that use it."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        for text in texts_of(path.read_text("utf-8")):
            places = found.setdefault(text, [])
            if path.name not in places:
                places.append(path.name)
    return dict(sorted(found.items()))


def texts_of(source: str) -> Iterator[str]:
    """Texts of one file, in order.

    Raises:
        TypeError: `later` of what is no text.
    """
    for node in ast.walk(ast.parse(source)):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if name not in ("tr", "trn", "later"):
            continue
        for argument in node.args[: 2 if name == "trn" else 1]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value
            elif name != "tr":
                raise TypeError(f"line {node.lineno}: {name} of what is no text")


def main() -> None:
    found = texts()
    for code, name in i18n.NAMES.items():
        if code == "en":
            continue
        path = i18n.HERE / f"{code}.po"
        known = i18n.read(path) if path.is_file() else {}
        parts = [HEAD.format(name=name, code=code)]
        for text, places in found.items():
            parts.append(
                f"#: {' '.join(places)}\n"
                f"msgid {json.dumps(text, ensure_ascii=False)}\n"
                f"msgstr {json.dumps(known.get(text, ''), ensure_ascii=False)}\n"
            )
        path.write_text("\n".join(parts), "utf-8")
        missing = sum(not known.get(text) for text in found)
        print(f"{path.relative_to(ROOT)}: {len(found)} texts, {missing} to translate")


if __name__ == "__main__":
    main()
