"""docs/api.md against both libraries: every public name of torch.ao's has its row, and the row is true."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
ROOMS = [
    "quantization", "nn.intrinsic", "nn.intrinsic.qat", "nn.intrinsic.quantized", "nn.qat", "nn.quantized",
    "nn.quantized.dynamic",
]  # fmt: skip


def rows(room):
    section = PAGE.split(f"\n## {room}\n")[1].split("\n## ")[0]
    return {
        name: (status, why) for name, status, why in re.findall(r"^\| `(\w+)` \| ([\w ]+) \| (.*?)\|$", section, re.M)
    }


def public_names(room):
    module = importlib.import_module(f"torch.ao.{room}")
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    return {name for name in names if not inspect.ismodule(getattr(module, name, None))}


def missing_parameters(theirs, ours):
    if not (inspect.isclass(theirs) or inspect.isfunction(theirs)):
        return []
    flexible = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    known = inspect.signature(ours).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in known.values()):
        return []
    wanted = inspect.signature(theirs).parameters.values()
    return [p.name for p in wanted if p.name not in known and p.kind not in flexible]


def test_the_page_has_the_rooms():
    assert re.findall(r"^## (.+)$", PAGE, re.M) == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_has_a_row_and_every_row_is_true(room):
    theirs, ours = importlib.import_module(f"torch.ao.{room}"), importlib.import_module(f"qsdk.{room}")
    table = rows(room)
    assert set(table) == public_names(room)
    for name, (status, why) in table.items():
        assert status in ("same", "different", "left out"), name
        assert hasattr(ours, name) == (status != "left out"), name
        assert bool(why.strip()) == (status != "same"), name
        if status == "left out":
            continue
        missing = missing_parameters(getattr(theirs, name, None), getattr(ours, name))
        stated = re.match(r"no ([\w, ]+):", why)
        assert missing == (stated.group(1).split(", ") if stated else []), name
