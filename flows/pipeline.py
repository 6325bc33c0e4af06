"""face_augmentation: the whole pipeline. Prepare the photos, train a generator, augment the held-out people.

photos ──prepare──▶ faces, heatmaps ──train──▶ registered generator ──augment──▶ transfers, gallery
"""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow

from mien.flows.augment import AugmentedFaces, augment_faces
from mien.flows.prepare import PreparedFaces, prepare_faces
from mien.flows.train import TrainedGenerator, train_generator
from mien.tasks.runtime.workers import worker_pool


@dataclass(frozen=True)
class Augmentation:
    """What the pipeline leaves behind."""

    prepared: PreparedFaces
    trained: TrainedGenerator
    augmented: AugmentedFaces


@flow(name="face-augmentation", flow_run_name="augment {name}")
def face_augmentation(
    images: list[str],
    name: str,
    root: str = "./data",
    faces: str = "dlib",
    crop_size: int = 256,
    size: int = 128,
    minutes: float | None = None,
    steps: int | None = None,
    per_identity: int = 10,
    val_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_salt: str = "",
    gallery: str | None = None,
    seed: int = 0,
    workers: int | None = None,
    commercial: bool = False,
) -> Augmentation:
    """Photos in, the held-out people with the expressions of everybody else out.

    Args:
        images: Folders, files, globs or URLs of photos; `sample:orl` for the AT&T faces of the demo.
        name: Name of the set.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        faces: Detector: `dlib`; `insightface:` and a pack name or the folder of a pack; or `module:Class`.
        crop_size: Side of the aligned crops, in pixels.
        size: Side of the generated faces, in pixels, at most the crop size.
        minutes: How long to train; give this or steps.
        steps: How many steps to train.
        per_identity: Generated faces for each held-out person.
        val_fraction: Share of the people held out to choose between generators.
        test_fraction: Share of the people held out to report on.
        split_salt: Another salt draws other people for the splits.
        gallery: Folder for the gallery; {root}/galleries/{name}-augmented if empty.
        seed: Another seed, another training and plan.
        workers: Worker processes; one per core if empty.
        commercial: Refuse whatever depends on weights that exclude commercial use.
    """
    with worker_pool(workers):
        prepared = prepare_faces(
            images, name, root, faces, crop_size, val_fraction, test_fraction, split_salt, commercial=commercial
        )
        trained = train_generator(
            [name], root, size=size, minutes=minutes, steps=steps, seed=seed, commercial=commercial
        )
        augmented = augment_faces(
            name,
            name,
            "models:/mien-generator@champion",
            root,
            f"{name}-augmented",
            per_identity,
            identity_splits=["val", "test"],
            seed=seed,
            gallery=gallery,
            commercial=commercial,
        )
    return Augmentation(prepared, trained, augmented)
