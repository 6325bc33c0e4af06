"""What the documentation names is there: links, anchors, commands, options, paths, modules, figures of versions."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from mien import __version__
from mien.flows.cli.app import command_line
from mien.flows.common_texts import TEXTS
from mien.model.detection.allowed_classes import GROUP
from tests.pages import Page, pages
from tests.paths import REPOSITORY

PAGES = list(pages())
FOLDERS = ("benchmarks", "deployments", "docs", "flows", "mien", "model", "storage", "tasks", "tests")
OF_OTHER_PROGRAMS = {"--constraint", "--index-url", "--no-deps", "--build-arg", "--allowed-hosts"}
"""Options that a page names without the program: those of pip, docker and MLflow."""

every_page = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


def test_the_pages_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/architecture.md"} < {page.name for page in PAGES}
    assert len(commands_of_blocks()) > 20


@every_page
def test_every_link_leads_somewhere(page: Page) -> None:
    assert [link for link in page.links() if not _leads(page, link)] == []


def _leads(page: Page, link: str) -> bool:
    if link.startswith("https://"):
        return True
    file, _, anchor = link.partition("#")
    target = (page.path.parent / file).resolve() if file else page.path
    if page.name.startswith("docs/") and not target.is_relative_to(REPOSITORY / "docs"):
        return False  # it would lead out of the site
    return target.exists() and (not anchor or anchor in Page(target).anchors())


@every_page
def test_every_path_exists(page: Page) -> None:
    named = [path for span in page.spans() for path in _paths(span)]
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def _paths(span: str) -> Iterator[str]:
    """The paths of the repository in a code span; `{a,b}` stands for both."""
    for word in span.split():
        if re.fullmatch(rf"(?:{'|'.join(FOLDERS)})/[\w./,{{}}-]*", word) and "{root}" not in word:
            before, brace, rest = word.partition("{")
            choices, _, after = rest.partition("}")
            yield from (f"{before}{choice}{after}" for choice in choices.split(",")) if brace else (word,)


@every_page
def test_every_module_and_name_exists(page: Page) -> None:
    named = re.findall(r"\b(?:mien|benchmarks)(?:\.\w+)+", " ".join([*page.spans(), *page.blocks("")]))
    named += re.findall(r"^::: (\S+)", page.prose, re.MULTILINE)
    for block in page.blocks("python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mien"):
                named += [f"{node.module}.{alias.name}" for alias in node.names]
    assert [name for name in named if name != GROUP and not _is_there(name)] == []


@every_page
def test_every_parameter_in_a_python_block_is_one_of_the_function(page: Page) -> None:
    for block in page.blocks("python"):
        for call in (node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)):
            function = ast.unparse(call.func)
            origin = re.search(rf"from (mien[\w.]+) import .*\b{re.escape(function)}\b", block)
            if origin and call.keywords:
                module = REPOSITORY / (origin[1].partition(".")[2].replace(".", "/") + ".py")
                assert {keyword.arg for keyword in call.keywords} <= _parameters(module, function), function


def _parameters(module: Path, function: str) -> set[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
        if isinstance(node, ast.ClassDef) and node.name == function:
            return {
                field.target.id
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            }
    raise AssertionError(f"{module} has no {function}")


def _is_there(name: str) -> bool:
    """Whether a dotted name is a module, or a name that stands in the source of one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        base = REPOSITORY.joinpath(*parts[:length])
        for source in (base.with_suffix(".py"), base / "__init__.py"):
            if source.exists():
                return all(re.search(rf"\b{part}\b", source.read_text()) for part in parts[length:])
    return name.endswith(".py")  # `benchmarks.kills` is a module, `benchmarks/kills.py` a path


@every_page
def test_no_page_names_a_path_of_one_machine(page: Page) -> None:
    assert re.findall(r"(?<![\w.:/}])/(?:work|home|root|tmp|Users|mnt|opt)/\S*", page.text) == []


def commands_of_blocks() -> list[tuple[str, str]]:
    """Page and line of each whole `mien` command in a fenced block."""
    lines = [(page.name, line) for page in PAGES for block in page.blocks("") for line in block.splitlines()]
    return [(name, line) for name, line in lines if line.startswith("mien ")]


@pytest.mark.parametrize(("page", "line"), commands_of_blocks())
def test_every_command_can_be_given_as_it_stands(page: str, line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    commands = _commands()
    if name not in commands:
        name, arguments = f"{name} {arguments[0]}", arguments[1:]
    command = commands[name]
    try:
        command.make_context(name, arguments)
    except typer.TyperException as error:
        pytest.fail(f"{page}: {line}: {error.format_message()}")


@every_page
def test_every_command_in_the_prose_is_one(page: Page) -> None:
    known = _options()
    for span in page.spans():
        words = shlex.split(span) if span.startswith("mien ") and "'" in span else span.split()
        if words[:1] == ["mien"] and len(words) > 1:
            name = next((each for each in (" ".join(words[1:3]), words[1]) if each in known), words[1])
            assert name in known or name.startswith("--"), span
            taken = known.get(name, {"--version", "--help"})
            assert {word for word in words if word.startswith("--")} <= taken, span


# The changelog names what was, too.
@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_every_option_in_the_prose_is_one_of_a_command(page: Page) -> None:
    known = set().union(*_options().values()) | _benchmark_options() | OF_OTHER_PROGRAMS
    named = {word for span in page.spans() if span.startswith("--") for word in span.split() if word.startswith("--")}
    assert named <= known


@cache
def _options() -> dict[str, set[str]]:
    """The options of each command."""
    found: dict[str, set[str]] = {}
    for name, command in _commands().items():
        context = command.make_context(name, [], resilient_parsing=True)
        found[name] = {option for parameter in context.command.params for option in parameter.opts} | {"--help"}
    return found


def _commands() -> dict[str, Any]:
    """By name, those of a group as `experiment recognition`."""
    found: dict[str, Any] = {}
    for name, command in command_line().commands.items():
        inner = getattr(command, "commands", {})
        found |= {f"{name} {own}": each for own, each in inner.items()} or {name: command}
    return found


@cache
def _benchmark_options() -> set[str]:
    sources = (path.read_text() for path in (REPOSITORY / "benchmarks").glob("*.py"))
    return {option for source in sources for option in re.findall(r'"(--[\w-]+)"', source)}


@every_page
def test_every_benchmark_and_its_options_exist(page: Page) -> None:
    texts = [*page.spans(), *(line for block in page.blocks("") for line in block.splitlines())]
    for text in texts:
        for module, arguments in re.findall(r"python -m (benchmarks\.\w+)([^`;]*)", text):
            assert _is_there(module), text
            assert set(re.findall(r"--[\w-]+", arguments)) <= _benchmark_options(), text


@every_page
def test_every_target_of_make_exists(page: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    texts = [*page.spans(), *(line for block in page.blocks("") for line in block.splitlines())]
    named = {found[1] for text in texts if (found := re.match(r"make ([a-z-]+)", text))}
    assert named <= targets


@every_page
def test_every_deployment_takes_the_parameters_that_are_given_to_it(page: Page) -> None:
    for line in (line for block in page.blocks("") for line in block.splitlines()):
        if line.startswith("prefect deployment run"):
            flow, _, name = shlex.split(line)[3].partition("/")
            assert set(re.findall(r"--param '?(\w+)=", line)) <= _flow_parameters(flow, name), line


def _flow_parameters(flow: str, name: str) -> set[str]:
    deployments = yaml.safe_load((REPOSITORY / "deployments" / "prefect.yaml").read_text())["deployments"]
    for deployment in deployments:
        path, _, function = deployment["entrypoint"].partition(":")
        if (deployment["name"], function.replace("_", "-")) == (name, flow):
            return _parameters(REPOSITORY / path, function)
    raise AssertionError(f"there is no deployment {flow}/{name}")


def test_the_architecture_page_lists_every_package() -> None:
    page = Page(REPOSITORY / "docs" / "architecture.md")
    table = page.prose.partition("## What lives where")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([\w/]+)/` \|", table, re.MULTILINE)
    roots = ["flows", "storage"]
    inside = [path.parent for house in ("flows", "tasks", "model", "storage") for path in _packages(REPOSITORY / house)]
    assert sorted(listed) == sorted([*roots, *(str(path.relative_to(REPOSITORY)) for path in inside)])


def _packages(house: Path) -> Iterator[Path]:
    return (path for path in house.glob("*/__init__.py"))


def test_the_version_is_the_same_everywhere() -> None:
    newest = re.search(r"^## (\d\S*) - (\S+)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert newest is not None
    assert newest[1] == __version__ == citation["version"]
    assert newest[2] == str(citation["date-released"])
    assert tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["license"] == citation["license"]


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    site = tmp_path / "site"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    html = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    assert [name for name in TEXTS if f"{{{name}}}" in html] == [], "docs/site_texts.py puts the text in their place"
    loaded = re.findall(r"<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)=\"?(https?:)?//", html)
    assert loaded == []
    assert re.findall(r"url\([\"']?(?:https?:)?//[^)]*", html + _styles(site)) == []


def _styles(site: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
