"""The short form of the experiments from a clean root, by the commands that users type."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.experiments import short

pytestmark = pytest.mark.long


def test_the_short_form_runs_from_a_clean_root(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    short(tmp_path / "root")
    printed = capfd.readouterr().out
    assert printed.count("page: ") == 3
    assert "20 people of orl-b with a photo each, 180 other photos to tell" in printed
    assert "cnn: copy + usual does not beat usual: " in printed  # with so few seeds chance decides whether it holds
