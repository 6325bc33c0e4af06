from __future__ import annotations

from pathlib import Path

import pytest

from mien.flows.experiment_faces import run_augment
from mien.storage import read_set
from mien.tasks.errors import UsageError
from mien.tasks.generator.registered import RegisteredModel
from tests.small_root import GENERATED, PREPARED, small_root


@pytest.mark.parametrize("name", [PREPARED, GENERATED])
def test_a_set_that_the_experiment_did_not_make_is_not_replaced(name: str, tmp_path: Path) -> None:
    root = small_root(tmp_path)
    before = read_set(root, name)
    model = RegisteredModel("models:/g/1", "run", "a" * 64, False)
    with pytest.raises(UsageError, match=f"the set {name} is there and was not generated from known: choose another"):
        run_augment(root, model, set=name, identities="known", expressions=PREPARED)
    assert read_set(root, name) == before
