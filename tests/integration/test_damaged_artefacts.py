"""A damaged file beside the tables: told in one line, made again with the same content, never a stack trace."""

from __future__ import annotations

import io
import logging
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest

from mien.model.device import Compute
from mien.model.expression.retargeting import RetargetSettings
from mien.model.images.codec import encode_png
from mien.model.images.provenance import encode_image
from mien.model.images.video import FrameSettings
from mien.model.networks.generator import GeneratorConfig
from mien.model.training.fit import fit
from mien.model.training.settings import TrainSettings
from mien.storage import Root, SourceItem, find_shard, fingerprint, list_images, write_shard
from mien.storage.artefacts import (
    CHECKPOINTS,
    COMPARED,
    CONTENTS,
    COSTS,
    EXPORT_BEGUN,
    EXPORT_INDEX,
    EXPORT_PARTS,
    FINISHED,
    FRAMES,
    GATES,
    KINDS,
    KNOWN,
    MODELS,
    NEUTRALS,
    NIGHTS,
    REHASHED,
    RUNS,
    UNFINISHED,
    Kind,
)
from mien.storage.schemas import PAIRS, TRANSFERS
from mien.tasks.errors import UsageError
from mien.tasks.export.export import ExportSettings, export_part, finish_export, finished, start_export
from mien.tasks.export.part_source import PartSource
from mien.tasks.generator.known_generators import known_generators, remember_generator
from mien.tasks.generator.neutrals import keep_neutrals, load_neutrals
from mien.tasks.generator.weights import RegisteredModel, keep_model, loaded_anew
from mien.tasks.plan.cost import expected_cost, remember
from mien.tasks.prepare.changed_bytes import compare_bytes, with_marks
from mien.tasks.prepare.compare import CompareSettings, compare_faces
from mien.tasks.prepare.detect import DetectSettings
from mien.tasks.prepare.index import INDEX, IndexSettings
from mien.tasks.prepare.video_frames import VideoSettings, video_frames
from mien.tasks.runtime.stage import make_shard
from mien.tasks.sets.new_rows import note_night, reported_tables
from mien.tasks.train.train import train, training_fingerprint
from mien.tasks.train.work_folder import resumed_trainer
from tests.drawn_faces import drawn_faces
from tests.drawn_set import DETECTOR, SIDE_PX, drawn_set, small_generator

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda data: data[: len(data) // 2],
    "garbage": lambda data: (bytes(n * 37 % 256 for n in range(256)) * (len(data) // 256 + 1))[: len(data)],
    "of another shape": lambda data: b'{"pictures": ["x"], "shards": 3, "name": null}',
    "empty": lambda data: b"",
}


@dataclass(frozen=True)
class Case:
    """What makes the file of a kind, or finds it, and gives its content in a form that can be compared."""

    kind: Kind
    make: Callable[[Root], Any]
    file: str = "*"
    """Which of the files that match the kind's pattern is damaged."""


def make_model(root: Root) -> Any:
    name = keep_model(root, small_generator(Path(root.url) / "trained"))
    return loaded_anew(root, name, Compute()).sha256


def make_neutrals(root: Root) -> Any:
    model = keep_model(root, small_generator(Path(root.url) / "trained"))
    name = keep_neutrals(root, [drawn_set(root)], model, RetargetSettings())
    assert name is not None
    found = load_neutrals.__wrapped__(root, name)
    return name, found.rows, found.shapes.tolist()


def make_known(root: Root) -> Any:
    remember_generator(root, RegisteredModel("models:/mien-generator/1", "run", "ab" * 32, champion=True), "embedded")
    return known_generators(root)


def make_compared(root: Root) -> Any:
    drawn_set(root)
    name = fingerprint(["drawn", "faces"])
    shard = find_shard(root, "faces", name)
    assert shard is not None
    done = compare_faces(root, "drawn", [shard], CompareSettings(DetectSettings(DETECTOR), check_identities=True))
    assert len(done.shards) == 1
    assert done.shards[0].fingerprint != name  # the first two are one photo
    return done


def make_frames(root: Root) -> Any:
    path = Path(root.url) / "clip.avi"
    if not path.exists():
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
        for index in range(10):
            writer.write(np.full((48, 64, 3), index * 20, np.uint8))
        writer.release()
    (item,) = list_images([str(path)])
    return video_frames(root, item, VideoSettings(DETECTOR, FrameSettings(every=3)))


def make_contents(root: Root) -> Any:
    path = Path(root.url) / "photos.tar"
    if not path.exists():
        with tarfile.open(path, "w") as archive:
            for n in range(3):
                data = encode_png(np.full((8, 8, 3), n, np.uint8))
                info = tarfile.TarInfo(f"anna/{n}.png")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return list_images([str(path)], cache=root)


def make_rehashed(root: Root) -> Any:
    """A photo that changed under its version after it was indexed, in the first call."""
    path = Path(root.url) / "photo.png"
    if not path.exists():
        path.write_bytes(encode_png(np.full((8, 8, 3), 1, np.uint8)))
        make_shard(INDEX, root, (SourceItem(str(path), None, None, "1-1"),), IndexSettings())
        path.write_bytes(encode_png(np.full((8, 8, 3), 2, np.uint8)))
    listed = [SourceItem(str(path), None, None, "1-1")]
    marked = with_marks(root, listed)
    compare_bytes(root, list(zip(listed, marked, strict=True)), [tuple(marked)], IndexSettings())
    return with_marks(root, listed)


def make_costs(root: Root) -> Any:
    """The next job writes what it took; before it, nothing is known."""
    before = expected_cost(root, 100, 128)
    name = fingerprint("job")
    rows = [{**dict.fromkeys(TRANSFERS.names, "x"), **transfer(n)} for n in range(20)]
    table = pa.Table.from_pylist([{name: row.get(name) for name in TRANSFERS.names} for row in rows], schema=TRANSFERS)
    remember(root, [write_shard(root, "transfers", name, table)], 10.0, 2, 128)
    assert before.like in (None, expected_cost(root, 100, 128).like)
    return expected_cost(root, 100, 128)


def make_night(root: Root) -> Any:
    """The next night that reports writes down its tables again."""
    before = reported_tables(root, "drawn")
    note_night(root, "drawn", {"images": "a" * 32, "faces": "b" * 32, "transfers": "c" * 32})
    assert before in ({}, reported_tables(root, "drawn"))
    return reported_tables(root, "drawn")


def transfer(n: int) -> dict[str, Any]:
    image = encode_image(np.full((8, 8, 3), n, np.uint8), "png", {"output": str(n)}, 95)
    return {
        **dict.fromkeys(TRANSFERS.names),
        **{name: f"{name} {n}" for name in TRANSFERS.names if TRANSFERS.field(name).type == pa.string()},
        "seed": n,
        "rank": n,
        "synthetic": True,
        "image": image,
        "image_format": "png",
        "identity": "anna",
        "split": "test",
        "status": "ok",
        "reason": None,
        "failure": None,
    }


def make_part(root: Root) -> Any:
    rows = [transfer(n) for n in range(3)]
    name = write_shard(root, "transfers", fingerprint("made"), pa.Table.from_pylist(rows, schema=TRANSFERS)).fingerprint
    pairs = write_shard(root, "pairs", fingerprint("pairs"), pa.Table.from_pylist(rows, schema=PAIRS)).fingerprint
    source = PartSource(0, name, "none", pairs)
    done = export_part(root, source, "none", Root(root.uri("out")), {"anna": "anna"}, ExportSettings())
    return done, sorted(path.name for path in Path(root.url).glob("out/test/**/*.png"))


SETTINGS = TrainSettings(
    generator=GeneratorConfig(size_px=SIDE_PX, width=16, blocks=1),
    discriminator_width=8,
    batch_size=4,
    steps=2,
    pretrain_steps=1,
    validation_pairs=2,
    checkpoint_every_s=0.0,
)


def make_training(root: Root) -> Any:
    sets = [drawn_set(root)]
    done = train(root, sets, SETTINGS, training_fingerprint(sets, SETTINGS))
    return replace(done, run_id="")


class Silent:
    """Listens to a training and says nothing."""

    def losses(self, step: int, values: dict[str, float]) -> None: ...

    def metrics(self, step: int, values: dict[str, float]) -> None: ...

    def grid(self, step: int, sheet: np.ndarray) -> None: ...

    def checkpoint(self, step: int) -> None: ...


def make_checkpoint(root: Root) -> Any:
    folder, faces = Path(root.url) / "checkpoints" / "drawn", drawn_faces(people=2, each=4, size_px=SIDE_PX)
    trainer = resumed_trainer(SETTINGS, faces, folder)
    fit(trainer, faces, Silent(), folder)
    return {name: (tensor.shape, tensor.numpy().tobytes()) for name, tensor in trainer.average.state_dict().items()}


def make_unfinished_training(root: Root) -> Any:
    """As one that was killed after its last checkpoint."""
    for path in Path(root.url).glob("checkpoints/*/finished.json"):
        path.unlink()
    return make_training(root)


CASES = {
    "neutrals": Case(NEUTRALS, make_neutrals),
    "weights": Case(MODELS, make_model, "*/generator.safetensors"),
    "configuration": Case(MODELS, make_model, "*/config.json"),
    "known": Case(KNOWN, make_known),
    "compared": Case(COMPARED, make_compared),
    "frames": Case(FRAMES, make_frames),
    "contents": Case(CONTENTS, make_contents),
    "costs": Case(COSTS, make_costs),
    "night": Case(NIGHTS, make_night),
    "checkpoint tensors": Case(CHECKPOINTS, make_checkpoint, "*/updates-*/tensors.safetensors"),
    "checkpoint state": Case(CHECKPOINTS, make_checkpoint, "*/updates-*/state.json"),
    "run": Case(RUNS, make_unfinished_training),
    "finished": Case(FINISHED, make_training),
    "exported part": Case(EXPORT_PARTS, make_part),
    "rehashed": Case(REHASHED, make_rehashed),
}


def test_every_kind_has_a_case() -> None:
    # Of notes on unfinished shards only the names are read. What experiments keep has its tests beside them.
    usual = {kind for kind in KINDS if kind.made_by != "mien experiment"}
    assert {case.kind for case in CASES.values()} | {GATES, UNFINISHED} == usual | {EXPORT_PARTS}


TRAINED = ("checkpoint tensors", "checkpoint state", "run", "finished")
"""Cases that train anew after each damage."""
FEW = ("cut off", "of another shape")
"""What cannot be read, and what can and is something else."""


@pytest.mark.parametrize(
    ("case", "damages"),
    [
        *(pytest.param(case, FEW if name in TRAINED else DAMAGES, id=name) for name, case in CASES.items()),
        *(pytest.param(CASES[name], DAMAGES, id=f"{name}, all", marks=pytest.mark.long) for name in TRAINED),
    ],
)
def test_it_is_told_in_one_line_and_made_again(
    case: Case,
    damages: Iterable[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = Root(str(tmp_path))
    made = case.make(root)
    pattern = case.kind.path("*").split("*")[0]
    for name in damages:
        (path,) = tmp_path.glob(f"**/{pattern}{case.file}" if case.file != "*" else f"**/{case.kind.path('*')}")
        whole = path.read_bytes()
        path.write_bytes(DAMAGES[name](whole))
        caplog.clear()
        with caplog.at_level(logging.WARNING, "mien"):
            assert case.make(root) == made, name
        told = [record.getMessage() for record in caplog.records if record.name.startswith("mien")]
        assert len(told) == 1, (name, told)
        assert "is damaged" in told[0]
        assert told[0].endswith(f"{case.kind.made_by} makes it again")
        assert "\n" not in told[0]
        assert path.name != "config.json" or path.read_bytes() == whole
        caplog.clear()
        assert case.make(root) == made, name
        assert not [record for record in caplog.records if record.name.startswith("mien")]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", [EXPORT_BEGUN, EXPORT_INDEX])
def test_a_folder_whose_export_is_unknown_is_left_alone(tmp_path: Path, kind: Kind, damage: str) -> None:
    """It may hold another export, whose files must not be mixed with this one."""
    root, out = Root(str(tmp_path)), Root(str(tmp_path / "out"))
    start_export(out, "a" * 32, ExportSettings())
    if kind == EXPORT_INDEX:
        finish_export(out, "a" * 32, ExportSettings(), [make_part(root)[0]])
        assert finished(out, "a" * 32, ExportSettings())
    path = tmp_path / "out" / kind.path("")
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(UsageError, match=r"empty the folder and export again|holds another export") as caught:
        start_export(out, "a" * 32, ExportSettings())
    assert "\n" not in str(caught.value)
