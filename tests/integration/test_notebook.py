"""The notebook of the documentation runs, on a root that went through the pipeline."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.flow_calls import generated
from tests.paths import REPOSITORY

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")

NOTEBOOK = json.loads((REPOSITORY / "docs/python.ipynb").read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_it_holds_no_outputs() -> None:
    assert [cell for cell in CODE if cell["outputs"] or cell["execution_count"] is not None] == []
    assert "image/png" not in json.dumps(NOTEBOOK)


def test_every_cell_runs(done: tuple[Path, Any]) -> None:
    root, _ = done
    names: dict[str, Any] = {}
    shown = [_run(cell, names, {"ROOT": str(root), "SET": "six"}) for cell in CODE]
    assert shown[1] == (names["face"].accepted, *_measures(names["face"]))
    assert shown[2].size == (64, 64)
    assert shown[3].size == (3 * 64, 64)
    assert {"identity", "sharpness"} <= set(shown[4].columns)
    assert shown[5] == len(names["faces"].to_torch())
    assert shown[6][0] == (4, 3, 64, 64)
    assert len(shown[8]) == len(generated(root, "six-notebook")) >= 2


def _measures(face: Any) -> tuple[Any, ...]:
    return face.reason, face.identity_similarity, face.expression_error


def _run(cell: dict[str, Any], names: dict[str, Any], parameters: dict[str, str]) -> Any:
    """What a notebook shows below the cell: the value of its last line, where that is an expression.

    The parameters win over those of the cell with the tag `parameters`.
    """
    body = ast.parse("".join(cell["source"])).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "python.ipynb", "exec"), names)
    if "parameters" in cell["metadata"].get("tags", ()):
        assert parameters.keys() <= names.keys()
        names |= parameters
    return None if last is None else eval(compile(ast.Expression(last.value), "python.ipynb", "eval"), names)
