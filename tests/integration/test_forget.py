"""A forgotten person is in no byte of a root, and everybody else is where they were."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mien import storage
from mien.storage import Root
from tests.integration.person_to_forget import PERSON, fill, prepare

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")

SETS = ("first", "second", "first-by-second", "second-by-first")


@dataclass(frozen=True)
class Planted:
    """A root with the person, and what must not be found in it any more."""

    root: Path
    photos: Path
    outside: Path
    secrets: tuple[bytes, ...]
    """Names, hashes and ids as text; pictures as bytes."""
    others: dict[str, list[dict[str, Any]]]
    """Rows of everybody else, by set."""


def rows(root: Path, name: str, table: Any) -> list[dict[str, Any]]:
    return storage.open_table(str(root), table, name).to_table().to_pylist()


def person_rows(root: Path, name: str, table: Any) -> list[dict[str, Any]]:
    """Of a prepared set."""
    return [row for row in rows(root, name, table) if row["identity"] == PERSON]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, prefect_server: None, shared_workers: None) -> Planted:
    folder = tmp_path_factory.mktemp("forget")
    root, photos, outside = folder / "root", folder / "photos", folder / "outside"
    fill(root, photos, outside)
    faces = [row for name in SETS[:2] for row in person_rows(root, name, "faces")]
    ids = {row["face_id"] for row in faces}
    made = [row for name in SETS[2:] for row in rows(root, name, "transfers")]
    shown = [row for row in made if ids & {row["identity_face_id"], row["expression_face_id"]}]
    assert len(faces) == 8
    assert {row["identity"] for row in shown} > {PERSON}  # as source, and as driver of others
    assert any(row["image"] for row in shown)
    secrets = [PERSON.encode(), json.dumps(PERSON)[1:-1].encode()]
    secrets += [row[key].encode() for row in faces for key in ("face_id", "image_id")]
    secrets += [row["output_id"].encode() for row in shown] + [row["sha256"].encode() for row in shown if row["sha256"]]
    secrets += [row["crop"] for row in faces] + [row["image"] for row in shown if row["image"]]
    others = {name: [row for row in rows(root, name, "transfers") if row not in shown] for name in SETS[2:]}
    return Planted(root, photos, outside, tuple(dict.fromkeys(secrets)), others)


@pytest.fixture
def copied(planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    """The same elsewhere, with an MLflow that knows where the runs' pictures lie."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    shutil.copytree(planted.root, root)
    shutil.copytree(planted.outside, outside)
    moved(root, planted.root)
    for note in (root / "outputs").glob("*.json"):
        note.write_text(note.read_text().replace(str(planted.outside), str(outside)))
    return Planted(root, planted.photos, outside, planted.secrets, planted.others)


def moved(root: Path, before: Path) -> None:
    """MLflow keeps absolute paths."""
    import sqlite3

    with sqlite3.connect(root / "mlflow.db") as database:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("logged_models", "artifact_location"),
            ("model_versions", "storage_location"),
        ):
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(before), str(root)))


def forget(root: Path, **settings: Any):
    from pydantic import SecretStr

    from mien.flows.forget import forget_person

    return forget_person(**{"person": SecretStr(PERSON), "root": str(root), **settings})


def found_in(folder: Path, secrets: tuple[bytes, ...]) -> list[str]:
    """The files that hold a secret: their bytes, and for Parquet the values of every column, which are compressed."""
    found: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            for column in table.columns:
                data += b"\n".join(_as_bytes(value) for value in column.to_pylist())
        found += [f"{path.relative_to(folder)}: {secret[:40]!r}" for secret in secrets if secret in data]
    return found


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def verified(root: Path) -> dict[str, tuple[str, ...]]:
    from mien.flows.verify import verify_set

    return {name: verify_set(set=name, root=str(root)).faults for name in SETS}


def test_what_is_planted_is_found_before(planted: Planted) -> None:
    """So that finding nothing afterwards means something."""
    found = found_in(planted.root, planted.secrets) + found_in(planted.outside, planted.secrets)
    folders = {line.partition("/")[0] for line in found}
    assert {"images", "faces", "heatmaps", "pairs", "transfers", "neutrals", "exported", "export"} <= folders
    assert list(planted.root.glob("mlartifacts/**/*.png"))
    assert list(planted.root.glob("pages/gallery-sheets/*.jpg"))
    assert list(planted.outside.glob("page/gallery-sheets/*.jpg"))


def test_nothing_of_the_person_is_left_and_the_others_are_as_they_were(copied: Planted) -> None:
    from mlflow import MlflowClient

    done = forget(copied.root)
    assert done.ok, done.lines()
    assert (done.photos, done.faces, set(done.sets)) == (8, 8, set(SETS))
    assert found_in(copied.root, copied.secrets) == []
    assert found_in(copied.outside, copied.secrets) == []
    assert verified(copied.root) == dict.fromkeys(SETS, ())
    for name, expected in copied.others.items():
        assert rows(copied.root, name, "transfers") == expected
        assert rows(copied.root, name, "pairs")
    assert {row["identity"] for row in rows(copied.root, "first", "faces")} == {"ben", "carla", "dan"}
    # Sheets and samples of the run, pages and exports.
    assert not list(copied.root.glob("mlartifacts/**/*.png"))
    assert not list(copied.root.glob("**/index.html"))
    assert not (copied.outside / "page" / "index.html").exists()
    assert not [path for folder in (copied.root, copied.outside) for path in folder.rglob("gallery-sheets/*")]
    assert not list((copied.outside / "export").rglob("*.png"))
    registry = f"sqlite:///{copied.root}/mlflow.db"
    version = MlflowClient(registry, registry).get_model_version("mien-generator", "1")
    assert version.tags["mien.forgotten"].startswith("20")
    receipt = json.loads(next((copied.root / "receipts").iterdir()).read_text())
    assert receipt["counts"]["photos"] == 8
    assert receipt["left"] == []
    who = receipt["who"]
    assert who["sha256"] == hashlib.sha256(f"{who['salt']}\n{PERSON}".encode()).hexdigest()
    assert who["sha256"][:16] in version.tags["mien.forgotten"]
    changed = [change for path, change in receipt["files"].items() if "/shards/" in path]
    assert changed
    assert all(change["before"] != change["after"] for change in changed)
    assert not list((copied.root / "forgetting").iterdir())
    # Once more: it was done.
    assert forget(copied.root).receipt == done.receipt


def test_a_forgotten_photo_is_refused_when_it_comes_again(copied: Planted) -> None:
    forget(copied.root)
    for name in ("first", "third"):
        prepare(copied.root, copied.photos / "first", name)
        refused = [row for row in rows(copied.root, name, "images") if row["status"] == "rejected"]
        assert len(refused) == 4
        assert all(row["reason"].startswith("forgotten on 20") for row in refused)
        assert {row["identity"] for row in rows(copied.root, name, "faces")} == {"ben", "carla", "dan"}
    assert found_in(copied.root, copied.secrets) == []


def test_other_faces_can_still_be_reproduced(copied: Planted) -> None:
    from mien.flows.reproduce import reproduce_face

    forget(copied.root)
    row = next(row for row in copied.others["first-by-second"] if row["sha256"])
    again = reproduce_face(row["output_id"], root=str(copied.root))
    assert again.ok, again.lines()


def test_a_dry_run_writes_nothing(copied: Planted) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.root.rglob("*") if "mlflow.db" not in path.name}
    done = forget(copied.root, dry_run=True)
    assert (done.photos, done.receipt) == (8, None)
    assert {path: path.stat().st_mtime_ns for path in copied.root.rglob("*") if "mlflow.db" not in path.name} == before


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 12))])
def test_killed_anywhere_it_ends_the_same(copied: Planted, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped at a random write or delete, which is where a killed process leaves files, and run again."""
    import random

    count = 0
    write, delete = Root.write_bytes, Root.delete

    class KilledError(BaseException):
        pass

    def counted(what: Any) -> Any:
        def run(self: Root, path: str, *rest: Any) -> None:
            nonlocal count
            count -= 1
            if count == 0:
                if rest:  # killed before the file took its name
                    write(self, f"{path.rpartition('/')[0]}/.{path.rpartition('/')[2]}.{'0' * 32}.tmp", *rest)
                raise KilledError
            what(self, path, *rest)

        return run

    chance, kills = random.Random(seed), 0
    with monkeypatch.context() as patch:
        patch.setattr(Root, "write_bytes", counted(write))
        patch.setattr(Root, "delete", counted(delete))
        from mien.tasks.forget.forget import forget as without_prefect
        from mien.tasks.forget.subject import Asked

        for _ in range(5):
            count = chance.randrange(1, 60)
            try:
                without_prefect(Root(str(copied.root)), Asked(PERSON), keep_name=False)
            except KilledError:
                kills += 1
    done = forget(copied.root)
    assert kills
    assert done.ok, done.lines()
    assert found_in(copied.root, copied.secrets) == []
    assert found_in(copied.outside, copied.secrets) == []
    assert verified(copied.root) == dict.fromkeys(SETS, ())
    assert len(list((copied.root / "receipts").iterdir())) == 1
    for name, expected in copied.others.items():
        assert rows(copied.root, name, "transfers") == expected


def test_a_photo_can_be_forgotten_alone(copied: Planted) -> None:
    from pydantic import SecretStr

    made = rows(copied.root, "first-by-second", "transfers")
    shown = {row["source_image_id"] for row in made}
    # No face shows it: it was a further source of some.
    (image_id, *_) = sorted({photo for row in made for photo in row["further_image_ids"]} - shown)
    from_it = [row for row in made if image_id in row["further_image_ids"]]
    (face,) = [row for row in rows(copied.root, "first", "faces") if row["image_id"] == image_id]
    done = forget(copied.root, person=None, image=SecretStr(image_id))
    assert done.photos == 1
    assert found_in(copied.root, tuple(face[key].encode() for key in ("image_id", "face_id"))) == []
    assert found_in(copied.root, tuple(row["image"] for row in from_it if row["image"])) == []
    assert len(rows(copied.root, "first", "images")) == 15
    left = rows(copied.root, "first-by-second", "transfers")
    assert len(left) == len(made) - len(from_it)
    assert verified(copied.root) == dict.fromkeys(SETS, ())


def test_a_stranger_is_not_found(copied: Planted) -> None:
    from pydantic import SecretStr

    from mien.tasks.errors import UsageError

    with pytest.raises(UsageError, match="holds nothing of"):
        forget(copied.root, person=SecretStr("nobody"))


def test_prefect_does_not_learn_the_name() -> None:
    from pydantic import SecretStr

    from mien.flows.forget import forget_person

    assert PERSON not in str(forget_person.serialize_parameters({"person": SecretStr(PERSON)}))
