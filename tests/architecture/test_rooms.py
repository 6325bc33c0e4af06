"""The house keeps its rooms: what a newcomer is told of the tree is true of the tree.

`lint-imports` checks who may import whom. Here stands what it cannot see: that its contracts are there and leave no
room out, that every package says what it is for and exports what it names, and that each test has something to test.
"""

from __future__ import annotations

import ast
import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.paths import REPOSITORY, TESTS

LIBRARY = ("flows", "tasks", "model", "storage")
MAX_LINES = 320
OUTSIDE_A_ROOM = {"__init__", "errors"}
"""Modules of `tasks` that lie in none of its packages."""


def packages(*folders: str) -> list[Path]:
    """Folders of the packages below these, themselves included, relative to the repository."""
    found = [path.parent for folder in folders for path in (REPOSITORY / folder).rglob("__init__.py")]
    return sorted(path.relative_to(REPOSITORY) for path in found)


def modules(*folders: str) -> list[Path]:
    """Python files below these folders, relative to the repository."""
    return sorted(path.relative_to(REPOSITORY) for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse((REPOSITORY / path).read_text(), str(path))


def contracts() -> list[dict[str, Any]]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def layers_of(contract: dict[str, Any]) -> list[str]:
    return [name.strip() for layer in contract["layers"] for name in layer.split("|")]


def test_the_checks_below_have_something_to_look_at() -> None:
    assert len(packages(*LIBRARY)) >= 25
    assert len(modules(*LIBRARY)) >= 100
    assert len(mirrors()) >= 60


def test_imports_run_from_flows_to_tasks_to_model_and_storage() -> None:
    (across,) = [contract for contract in contracts() if "containers" not in contract]
    assert across["type"] == "layers"
    assert across["layers"] == ["mien.flows", "mien.tasks", "mien.model | mien.storage"]


@pytest.mark.parametrize("folder", ["tasks", "model"])
def test_every_room_has_its_layer(folder: str) -> None:
    (contract,) = [contract for contract in contracts() if contract.get("containers") == [f"mien.{folder}"]]
    assert contract["type"] == "layers"
    assert contract["exhaustive"] is True
    rooms = {path.name for path in packages(folder) if path.parent == Path(folder)}
    alone = {path.stem for path in modules(folder) if path.parent == Path(folder)} - {"__init__"}
    layers = layers_of(contract)
    assert len(layers) == len(set(layers))
    # A module that lies beside the rooms of `model` may be left to the contract's list of what it ignores.
    assert rooms <= set(layers)
    assert set(layers) <= rooms | alone
    assert alone <= set(layers) | set(contract.get("exhaustive_ignores", ()))


def test_no_module_of_tasks_lies_outside_a_room() -> None:
    assert {path.stem for path in modules("tasks") if path.parent == Path("tasks")} == OUTSIDE_A_ROOM


@pytest.mark.parametrize("package", packages(*LIBRARY, "mien"), ids=str)
def test_a_package_says_in_one_line_what_it_is_for(package: Path) -> None:
    told = ast.get_docstring(tree(package / "__init__.py")) or ""
    first, *more = told.splitlines()
    assert first.endswith(".")
    assert not more or more[0] == "", "the first line is a sentence of its own"


@pytest.mark.parametrize("package", packages(*LIBRARY, "mien"), ids=str)
def test_a_package_names_what_it_exports(package: Path) -> None:
    of = tree(package / "__init__.py")
    offered = sorted(exported(of))
    named = [ast.literal_eval(node.value) for node in of.body if is_all(node)]
    assert len(named) == bool(offered)
    if not offered:
        return
    assert sorted(named[0]) == offered
    name = ".".join(package.parts if package.parts[0] == "mien" else ("mien", *package.parts))
    imported = importlib.import_module(name)
    assert [each for each in named[0] if not hasattr(imported, each)] == []


def is_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]


def exported(of: ast.Module) -> Iterator[str]:
    """Names that a package's `__init__` brings in or defines, without its own private ones."""
    for node in of.body:
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names = [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        yield from (name for name in names if not name.startswith("_"))


@pytest.mark.parametrize("path", modules(*LIBRARY, "deployments", "tests/integration", "tests/architecture"), ids=str)
def test_a_file_is_read_at_one_sitting(path: Path) -> None:
    assert len((REPOSITORY / path).read_text().splitlines()) <= MAX_LINES


def test_library_code_prints_nothing() -> None:
    """The command line prints what a flow returns (`typer.echo`); a library that writes to stdout spoils that."""
    printed = [
        f"{path}:{node.lineno}"
        for path in modules(*LIBRARY)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print" and to_stdout(node)
    ]
    assert printed == []


def to_stdout(call: ast.Call) -> bool:
    return not any(keyword.arg == "file" and ast.unparse(keyword.value) == "sys.stderr" for keyword in call.keywords)


def mirrors() -> list[Path]:
    return sorted(path.relative_to(TESTS / "unit") for path in (TESTS / "unit").rglob("test_*.py"))


@pytest.mark.parametrize("path", mirrors(), ids=str)
def test_a_unit_test_is_named_for_what_it_tests(path: Path) -> None:
    """`tests/unit/<package>/test_<module>.py`, with a word on the subject where a module has several:
    `test_<module>_<subject>.py`; or named for the package."""
    package = REPOSITORY / path.parent
    assert (package / "__init__.py").exists(), f"there is no package {path.parent}"
    known = {module.stem for module in package.glob("*.py")} - {"__init__"} | {package.name}
    words = path.stem.removeprefix("test_").split("_")
    assert {"_".join(words[:count]) for count in range(1, len(words) + 1)} & known, f"{path.parent} has no such module"


def test_every_other_test_lies_where_it_is_looked_for() -> None:
    rooms = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    assert rooms == {"unit", "integration", "architecture"}
