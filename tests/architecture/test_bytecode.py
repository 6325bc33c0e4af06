"""The bytecode that is written for the test processes is what they read."""

from __future__ import annotations

import sys
from importlib import invalidate_caches
from pathlib import Path

import pytest

from tests.bytecode import write_bytecode


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A test on the path that says when it runs, and no plugin or test session knows."""
    (tmp_path / "test_shown.py").write_text("import sys\n\nsys.shown = True\nassert sys.shown is True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    invalidate_caches()
    return "test_shown"


def test_what_pytest_makes_of_a_test_is_written_and_the_test_does_not_run(module: str, tmp_path: Path) -> None:
    write_bytecode([module])
    (written,) = (tmp_path / "__pycache__").iterdir()
    assert f"-pytest-{pytest.__version__}" in written.name
    assert b"@pytest_ar" in written.read_bytes()
    assert not hasattr(sys, "shown")
    assert module not in sys.modules


def test_a_module_with_checked_shapes_is_written_under_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    write_bytecode(["mien.model.landmarks.alignment"])
    (written,) = tmp_path.rglob("alignment.*.pyc")
    assert ".opt-jaxtyping" in written.name
    assert b"jaxtyped" in written.read_bytes()


def test_a_module_that_is_not_there_is_told() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no module tests\.nothing"):
        write_bytecode(["tests.nothing"])
