"""Code is loaded by name where who runs the process allows it, and a name alone never runs any."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from mien.model.detection import load
from mien.model.detection.allowed_classes import GROUP, VARIABLE, allow_all_classes, check_allowed
from mien.model.detection.load import check_detector
from mien.model.errors import DetectorError

load_anew = partial(load._loaded.__wrapped__, device="cpu")
OWN = "tests.own_detector:DarkSquares"


@pytest.mark.parametrize(
    "allowed", [None, "", "tests.own_detector", "tests.own_detector:Odd", "tests.own_detector:*", "*:DarkSquares"]
)
def test_a_class_that_is_not_on_the_list_is_refused(allowed: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if allowed is None:
        monkeypatch.delenv(VARIABLE)
    else:
        monkeypatch.setenv(VARIABLE, allowed)
    for use in (check_allowed, check_detector, load_anew):
        with pytest.raises(DetectorError, match=f"set {VARIABLE}={OWN}") as caught:
            use(OWN)
        assert "\n" not in str(caught.value)
    check_detector("dlib")


@pytest.mark.parametrize("allowed", ["*", OWN, f"a:B, {OWN} ,c:D"])
def test_a_class_on_the_list_is_loaded(allowed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, allowed)
    check_detector(OWN)


def test_a_refused_name_imports_nothing(tmp_path: Path) -> None:
    """Looking for `package.module` imports the package: it has to be refused before that."""
    package = tmp_path / "trap"
    package.mkdir()
    (package / "__init__.py").write_text("open('sprung', 'w').close()")
    (package / "inside.py").write_text("class Detector: ...")
    code = "from mien.model.detection.load import check_detector; check_detector('trap.inside:Detector')"
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert VARIABLE in done.stderr.splitlines()[-1]
    assert not (tmp_path / "sprung").exists()


def test_an_installed_entry_point_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "ours-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[{GROUP}]\nours = {OWN}\n")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    check_allowed(OWN)
    with pytest.raises(DetectorError):
        check_allowed("tests.own_detector:Odd")


def test_a_command_allows_what_its_user_types_but_not_more_than_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE)
    allow_all_classes()
    check_allowed(OWN)
    monkeypatch.setenv(VARIABLE, "a:B")
    allow_all_classes()
    with pytest.raises(DetectorError):
        check_allowed(OWN)
