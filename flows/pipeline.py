"""face_augmentation: the whole pipeline. Prepare the photos, train a generator, augment the held-out people.

photos ──prepare──▶ faces, heatmaps ──train──▶ registered generator ──augment──▶ transfers, gallery
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from mien.flows.augment import augment_faces
from mien.flows.augmented_faces import AugmentedFaces
from mien.flows.parameters import (
    CHAMPION,
    ROOT,
    Count,
    CropPx,
    Detector,
    Device,
    Minutes,
    OutputPx,
    RootUrl,
    Seed,
    SetName,
    Share,
    SizePx,
    Text,
    Workers,
)
from mien.flows.prepare import PreparedFaces, prepare_faces
from mien.flows.result import FlowResult
from mien.flows.scrubbed_flow import flow
from mien.flows.settings import read_settings
from mien.flows.train import TrainedGenerator, train_generator
from mien.model.training.recipes import Recipe
from mien.tasks.errors import RunError
from mien.tasks.runtime.workers import worker_pool


@dataclass(frozen=True)
class Augmentation(FlowResult):
    """What the pipeline leaves behind."""

    prepared: PreparedFaces
    trained: TrainedGenerator
    augmented: AugmentedFaces

    def lines(self) -> list[str]:
        return [*self.prepared.lines()[:-1], *self.trained.lines(), *self.augmented.lines()]


def check_champion(root: str, trained: TrainedGenerator) -> None:
    """Raises RunError where the training made no champion, and there is none to generate with."""
    if not trained.champion:
        number = trained.model.uri.rpartition("/")[2]
        raise RunError(
            f"{trained.model.uri} is registered and is not champion ({trained.promotion}), and no other is: train "
            f"longer, or take it all the same with mien promote {number} --root {root} --reason WHY, and start again"
        )


@flow(name="face-augmentation", flow_run_name="augment {set}")
def face_augmentation(
    images: Annotated[list[Text], Field(min_length=1)],
    *,
    set: SetName,
    root: RootUrl = ROOT,
    faces: Detector = "auto",
    crop_size: CropPx | None = None,
    size: SizePx | None = None,
    minutes: Minutes | None = None,
    steps: Count | None = None,
    per_identity: Count = 10,
    val_fraction: Share = 0.1,
    test_fraction: Share = 0.1,
    split_salt: str = "",
    output_size: OutputPx | None = None,
    gallery: Text | None = None,
    seed: Seed | None = None,
    device: Device = "auto",
    workers: Workers = None,
    commercial: bool = False,
    recipe: Recipe = "default",
    settings: dict[str, Any] | str | None = None,
    replace: bool = False,
    even_refused: bool = False,
) -> Augmentation:
    """Photos in, the held-out people with the expressions of everybody else out.

    Args:
        images: Folders, files, globs or URLs of photos; sample:orl for the AT&T faces of the demo.
        set: Name of the prepared set; the generated one is {set}-augmented.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        faces: {detectors} auto is mediapipe where its files are installed, else dlib; a set that is there keeps its
            own.
        crop_size: Side of the aligned crops, in pixels; the settings' (256) if empty.
        size: Side at which the generator looks at faces, in pixels, at most the crop size; the settings' (128) if
            empty.
        minutes: Minutes to train; give this or steps.
        steps: Steps to train.
        per_identity: Generated faces for each held-out person.
        val_fraction: Share of the people held out to choose between generators.
        test_fraction: Share of the people held out to report on.
        split_salt: Another salt draws other people for the splits.
        output_size: Side of the generated faces, in pixels, whatever the generator's; that of the crops if empty.
        gallery: Folder for the gallery; {root}/galleries/{set}-augmented if empty.
        seed: Another seed, another training and plan; the training's settings' and 0 if empty.
        device: {devices} The training takes a GPU where there is one.
        workers: {workers}
        commercial: Refuse whatever depends on weights that exclude commercial use.
        recipe: Of the training: default, or patent: the patent application as written.
        settings: A mapping of sections, or the path or URL of a TOML file that has them; docs/settings.md lists them.
        replace: Take the place of sets with other sources or settings, or of those that keep less than half their rows.
        even_refused: Where the training makes no champion and there is none, generate with its version all the same; if
            off, end there.
    """
    with worker_pool(workers, read_settings(settings).work):
        prepared = prepare_faces(
            images=images,
            set=set,
            root=root,
            faces=faces,
            crop_size=crop_size,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_salt=split_salt,
            commercial=commercial,
            device=device,
            settings=settings,
            replace=replace,
        )
        trained = train_generator(
            sets=[set],
            root=root,
            size=size,
            minutes=minutes,
            steps=steps,
            seed=seed,
            recipe=recipe,
            settings=settings,
            commercial=commercial,
        )
        if not even_refused:
            check_champion(root, trained)
        augmented = augment_faces(
            identities=set,
            expressions=set,
            set=f"{set}-augmented",
            root=root,
            model=CHAMPION if trained.champion else trained.model.uri,
            per_identity=per_identity,
            identity_splits=["val", "test"],
            seed=seed or 0,
            output_size=output_size,
            gallery=gallery,
            commercial=commercial,
            device=device,
            settings=settings,
            replace=replace,
        )
    return Augmentation(prepared, trained, augmented)
