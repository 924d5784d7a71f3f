"""docs/operators.md: made of the operator table and the parity cases, current, and complete."""

import importlib.util
import re
from pathlib import Path

from qsdk.export.schema_tables import UNIONS
from qsdk.ops import OPERATORS

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("operators_page", ROOT / "scripts" / "operators.py")
operators_page = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(operators_page)


def test_the_page_is_current():
    assert operators_page.PAGE.read_text() == operators_page.page(), "run scripts/operators.py"


def test_every_operator_of_the_file_is_in_it_with_the_targets_that_run_it():
    support = operators_page.support()
    for kind in set(UNIONS["Operation"]) - {"custom"}:
        name, mode = operators_page.family(kind)
        assert kind in OPERATORS and support[name]
        assert mode is None or support[name][mode] == {"x86", "aarch64", "armv7"}
    cells = re.findall(r"^\| (\w+) \| [^|]*\| (.*) \|$", operators_page.PAGE.read_text().split("\n## ")[0], re.M)
    assert {name for name, _ in cells if name != "operator"} == set(support)
    for name, modes in cells:
        if name == "operator":
            continue
        for mode, targets in zip(operators_page.MODES, modes.split(" | "), strict=True):
            assert set(filter(None, targets.strip().split(", "))) == support[name].get(mode, set()), (name, mode)


def test_what_pytorch_quantizes_is_quantized_here():
    table = operators_page.PAGE.read_text().split("\n## ")[1]
    rows = re.findall(r"^\| (`nn.*) \| (.*) \| (.*) \|$", table, re.M)
    assert len(rows) == len(operators_page.CLASSIC)
    # PyTorch has no static recurrent layers and no attention; all else is Y in its table, or float.
    for names, static, dynamic in rows:
        recurrent = re.search("LSTM|RNN|GRU", names)
        assert static == "yes" or recurrent, names
        assert dynamic == "yes" or (dynamic == "in float" and "ReLU6" in names), names
