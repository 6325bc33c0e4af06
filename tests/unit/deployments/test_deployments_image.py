"""The image by hadolint, and what its build is given."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mien
from tests.paths import REPOSITORY

DOCKERFILE = REPOSITORY / "deployments" / "Dockerfile"


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("hadolint"), "--no-color", path]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    done = lint(DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN apt-get install curl\n")
    assert lint(tmp_path / "Dockerfile").returncode != 0


def test_the_image_runs_as_nobody_in_particular_and_of_this_version() -> None:
    text = DOCKERFILE.read_text()
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "1000:1000"
    assert re.search(r"useradd .*--uid 1000", text)
    assert f"mien:{mien.__version__} ." in text


def test_what_the_build_copies_is_let_through() -> None:
    """The context is empty but for what is named, so that neither data nor keys get into an image."""
    ignored = [line for line in (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines() if line]
    assert ignored[1] == "*"
    let_through = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert all((REPOSITORY / name).exists() for name in let_through)
    linked = {path.resolve().name for path in (REPOSITORY / "mien").iterdir() if path.is_symlink()}
    assert linked | {"mien", "pyproject.toml", "constraints.txt", "README.md"} <= set(let_through)
