"""The flows as the tests call them: by keyword, small, in this process. The one place that names their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks.open_gate import OPEN_GATE
from mien import storage

SIX_PEOPLE = [f"sample:orl/s{n}" for n in (1, 2, 3, 4, 5, 6)]
CROP_PX = 64
HELD_OUT: dict[str, Any] = {"val_fraction": 0.2, "test_fraction": 0.2, "split_salt": "six-2"}
"""Of the first people of the sample, one is held out in each split."""
UNJUDGED: dict[str, Any] = {"gate": OPEN_GATE}
"""Settings under which the faces of a generator of six updates are accepted."""
ANY_CHAMPION: dict[str, Any] = {"promotion": {"min_updates": 1, "baselines": []}}
"""Six updates draw mud, which is no champion by default; the tests of what comes after need some champion."""
EVALUATED_PAIRS, CHUNK = 3, 2
"""After a training, for each split and kind: enough for two chunks of work. Each pair takes a second of a core, and by
default there are some hundred."""


def prepare(images: Sequence[str | Path], name: str, root: Path | str, **settings: Any) -> Any:
    from mien.flows.prepare import prepare_faces

    return prepare_faces(images=list(map(str, images)), set=name, root=str(root), **{"crop_size": CROP_PX} | settings)


def train(sets: Sequence[str], root: Path | str, **settings: Any) -> Any:
    from mien.flows.train import train_generator

    with quickly_evaluated():
        return train_generator(sets=list(sets), root=str(root), size=CROP_PX, **settings)


def augment(of: str, root: Path | str, **settings: Any) -> Any:
    """The people of a set with the expressions of one another."""
    from mien.flows.augment import augment_faces

    usual = {"identities": of, "expressions": of, "root": str(root), "settings": UNJUDGED}
    return augment_faces(**usual | settings)


def run_pipeline(root: Path | str) -> Any:
    """Six people, of whom two are held out, six updates, five faces for each. The default detector allows commerce."""
    from mien.flows.pipeline import face_augmentation

    with quickly_evaluated():
        return face_augmentation(
            images=SIX_PEOPLE,
            set="six",
            root=str(root),
            crop_size=CROP_PX,
            size=CROP_PX,
            steps=6,
            per_identity=5,
            workers=2,
            commercial=True,
            settings=UNJUDGED | ANY_CHAMPION,
            **HELD_OUT,
        )


def export(name: str, out: Path | str, form: str, root: Path | str, **settings: Any) -> Any:
    from mien.flows.export import export_faces

    return export_faces(set=name, out=str(out), format=form, root=str(root), **settings)


def verify(name: str, root: Path | str, **settings: Any) -> Any:
    from mien.flows.verify import verify_set

    return verify_set(set=name, root=str(root), **settings)


@contextmanager
def quickly_evaluated() -> Iterator[None]:
    """While the block runs, a training is evaluated on `EVALUATED_PAIRS`, in chunks of `CHUNK`."""
    import mien.flows.train
    from mien.tasks.evaluate import EvaluationSettings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            mien.flows.train, "EvaluationSettings", partial(EvaluationSettings, EVALUATED_PAIRS, EVALUATED_PAIRS)
        )
        # The package names its function like the module.
        patch.setattr(import_module("mien.tasks.evaluate.evaluate"), "CHUNK", CHUNK)
        yield


def table_rows(root: Path | str, table: storage.TableName, name: str) -> list[dict[str, Any]]:
    return storage.open_table(str(root), table, name).to_table().to_pylist()


def generated(root: Path | str, name: str) -> list[dict[str, Any]]:
    """Rows of the generated faces of a set."""
    return table_rows(root, "transfers", name)


def write_pairs(folder: Path, *pairs: tuple[str, str]) -> str:
    """A list of pairs, source and driver."""
    path = folder / "pairs.csv"
    path.write_text("\n".join(["identity_image,expression_image", *map(",".join, pairs)]))
    return str(path)
