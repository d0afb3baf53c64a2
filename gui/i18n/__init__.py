"""Words of the panel in other languages: `tr`.

The English text is the key. A language is a file LANGUAGE.po in this folder, in the format that
translators' tools know; `tests/docs/make_texts.py` keeps its list of texts complete.
"""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NAMES = {"en": "English", "de": "Deutsch"}

log = logging.getLogger("rt.gui")
_texts: dict[str, str] = {}
_language = "en"


def use(language: str) -> str:
    """Speak a language from now on, as "de" or "de_AT.UTF-8"; English if there is none such.

    Returns:
        The language that is spoken.
    """
    global _texts, _language
    short = language.replace("-", "_").split("_")[0].split(".")[0].lower()
    path = HERE / f"{short}.po"
    _texts = read(path) if path.is_file() else {}
    _language = short if _texts else "en"
    return _language


def language() -> str:
    """The language that is spoken: "en", "de"."""
    return _language


def tr(text: str, **values: Any) -> str:
    """A text in the language of the panel, with {values} put in."""
    found = _texts.get(text) or text
    return found.format(**values) if values else found


def trn(one: str, many: str, n: int, **values: Any) -> str:
    """One text for one of something, another for all other numbers; {n} is the number."""
    return tr(one if n == 1 else many, n=n, **values)


def later(text: str) -> str:
    """A text that is translated where it is used: `tr` of a variable finds it."""
    return text


def read(path: Path) -> dict[str, str]:
    """The texts of a .po file; those without a translation are empty.

    Raises:
        ValueError: a line that is none of that format.
    """
    texts: dict[str, str] = {}
    parts: dict[str, str] = {}
    field = ""
    for number, line in enumerate([*path.read_text("utf-8").splitlines(), ""], 1):
        line = line.strip()
        if not line or line.startswith("#"):
            if not line and parts.get("msgid"):
                texts[parts["msgid"]] = parts.get("msgstr", "")
            if not line:
                parts, field = {}, ""
            continue
        found = re.fullmatch(r'(?:(msgid|msgstr) )?("(?:[^"\\]|\\.)*")', line)
        if not found:
            raise ValueError(f"{path}:{number}: {line!r} is no line of a .po file")
        field = found[1] or field
        parts[field] = parts.get(field, "") + ast.literal_eval(found[2])
    return texts
