"""The shapes of `model` are checked in all tests, and what it imports is read from its usual bytecode."""

from __future__ import annotations

import sys
from importlib import import_module, invalidate_caches
from pathlib import Path

import beartype
import jaxtyping
import numpy as np
import pytest
from jaxtyping import TypeCheckError, UInt8

from mien.model.landmarks.alignment import similarity_transform
from tests.checked_shapes import CHECKED_CALLS, check_shapes, next_test


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(TypeCheckError):
        similarity_transform(np.zeros((5, 3)), np.zeros((5, 2)))


def test_the_first_calls_in_each_test_are_checked() -> None:
    @jaxtyping.jaxtyped(typechecker=beartype.beartype)
    def given(pixels: UInt8[np.ndarray, "side side"]) -> int:
        return len(pixels)

    wrong = np.zeros((2, 3), np.uint8)
    for _ in range(2):
        for _ in range(CHECKED_CALLS):
            with pytest.raises(TypeCheckError):
                given(wrong)
        assert given(wrong) == 2
        next_test()


def test_only_the_package_has_bytecode_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    (source / "checked").mkdir(parents=True)
    (source / "checked" / "__init__.py").write_text("import neighbour\nfrom checked import inner\n")
    (source / "checked" / "inner.py").write_text("import later\n")
    for name in ("neighbour", "later"):
        (source / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(source)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "bytecode"))
    invalidate_caches()
    check_shapes("checked")
    import_module("checked")
    named = {path.name.split(".")[0]: "jaxtyping" in path.name for path in (tmp_path / "bytecode").rglob("*.pyc")}
    assert named == {"__init__": True, "inner": True, "neighbour": False, "later": False}
