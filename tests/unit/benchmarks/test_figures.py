from __future__ import annotations

import pytest

from benchmarks.figures import FIGURES, FOLDER


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_the_docs_is_what_the_code_draws(name: str) -> None:
    assert (FOLDER / name).read_bytes() == FIGURES[name]().encode(), "run python -m benchmarks.figures"


def test_no_other_figure_lies_there() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(FIGURES)
