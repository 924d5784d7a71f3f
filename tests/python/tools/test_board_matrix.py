"""The table of networks and machines in docs/boards.md, and the script that writes it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))
import boards  # noqa: E402
import pages  # noqa: E402


def test_every_network_is_in_the_table() -> None:
    text = (ROOT / "docs" / "boards.md").read_text().partition("<!-- begin: make boards -->")[2]
    for group, name in boards.NAMES:
        assert f"\n| {group}: {name} | " in text
    cpus = [cpu for cpus in boards.EMULATORS.values() for cpu in cpus]
    assert text.count(" = |") + text.count(" - |") == len(boards.NAMES) * len(cpus)


def test_a_part_of_a_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- begin: x -->\nold\n<!-- end: x -->\nb\n")
    table = pages.markdown(["n", "size"], [["one", "1"]], "lr")
    for _ in range(2):
        pages.replace(page, "x", table)
    assert page.read_text() == ("a\n<!-- begin: x -->\n\n| n | size |\n|---|--:|\n| one | 1 |\n\n<!-- end: x -->\nb\n")
    with pytest.raises(SystemExit, match="begin: y"):
        pages.replace(page, "y", "")


@pytest.mark.slow
def test_the_script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["boards.py", "--only", "digits", "--target", "host", "armv7hf", "cortex-m33"]
    monkeypatch.setattr(sys, "argv", words)
    assert boards.main() == 0
    assert capsys.readouterr().out.count(" = ") == 4
    monkeypatch.setattr(boards, "verdict", lambda *_: "output 0 differs")
    assert boards.main() == 1
    assert "output 0 differs" in capsys.readouterr().out
