"""Parts of pages in docs/ that programs write: what lies between <!-- begin: COMMAND --> and <!-- end: COMMAND -->."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def replace(page: Path, command: str, text: str) -> None:
    """Writes the part of a page that `command` makes anew.

    Raises:
        SystemExit: the page has no such part.
    """
    begin, end = f"<!-- begin: {command} -->", f"<!-- end: {command} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{page} has lost its marks, {begin} and {end}")
    page.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]], aligned: str = "") -> str:
    """A table. aligned: a letter per column: 'l' left, 'r' right, 'c' centered; those without are left."""
    rules = {"l": "---", "r": "--:", "c": ":-:"}
    rule = "|" + "|".join(rules[letter] for letter in aligned.ljust(len(headings), "l")) + "|"
    return "\n".join([f"| {' | '.join(headings)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)])
