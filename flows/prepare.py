"""prepare_faces: index → detect and align → heatmaps."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow

from model.faces import check_detector
from model.heatmaps import HeatmapSpec
from model.reference import AlignmentSettings
from storage import Root, TableRef, check_set_name, list_images, read_manifest, write_set
from tasks import steps
from tasks.detect import DetectSettings, commit_faces
from tasks.errors import checking_arguments
from tasks.heatmaps import commit_heatmaps
from tasks.ingest import commit_images, plan_index
from tasks.pool import worker_pool
from tasks.sharded import Step, over_shards, shard_threads
from tasks.splits import SplitSettings

SHARD_IMAGES = 64
"""Images per shard: what a killed run loses at most, for each worker."""


@dataclass(frozen=True)
class PreparedFaces:
    """The tables of a prepared set."""

    name: str
    images: TableRef
    faces: TableRef
    heatmaps: TableRef


@flow(name="prepare-faces", flow_run_name="prepare {name}", task_runner=shard_threads())
def prepare_faces(
    images: list[str],
    name: str,
    root: str = "./data",
    faces: str = "dlib",
    crop_size: int = 256,
    val_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_salt: str = "",
    workers: int | None = None,
) -> PreparedFaces:
    """Turn photos into aligned faces with cached landmark heatmaps, as the named set of a root.

    Args:
        images: Folders, files, globs or URLs of photos; `sample:orl` for the AT&T faces of the demo.
        name: Name of the set, under which later flows find the faces.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        faces: Detector: `dlib`, or `insightface:` and a pack name or the folder of a pack.
        crop_size: Side of the aligned crops, in pixels.
        val_fraction: Share of the people held out to choose between generators.
        test_fraction: Share of the people held out to report on.
        split_salt: Another salt draws other people for the splits.
        workers: Worker processes; one per core if empty.
    """
    with checking_arguments():
        check_set_name(name)
        check_detector(faces)
        place = Root(root)
        photos = list_images(images)
    settings = DetectSettings(
        faces, AlignmentSettings(size_px=crop_size), SplitSettings(val_fraction, test_fraction, split_salt)
    )
    spec = HeatmapSpec()

    with worker_pool(workers):
        # Index
        plan = plan_index(place, name, photos, SHARD_IMAGES)
        total = sum(len(shard.items) for shard in plan)
        indexed = over_shards(Step("index photos", "photos", total), steps.index_shard, place, plan)
        images_ref = commit_images(place, indexed)

        # Detect and align
        names = [shard.fingerprint for shard in indexed]
        readable = sum(shard.counts["ok"] for shard in indexed)
        detected = over_shards(Step("detect and align", "photos", readable), steps.detect_shard, place, names, settings)
        detected = steps.mark_duplicates(place, detected, settings.limits)
        faces_ref = commit_faces(place, images_ref, detected, settings)

        # Heatmaps
        names, found = [shard.fingerprint for shard in detected], sum(shard.rows for shard in detected)
        rendered = over_shards(
            Step("render heatmaps", "faces", found), steps.heatmap_shard, place, names, crop_size, spec
        )
        heatmaps_ref = commit_heatmaps(place, faces_ref, rendered, spec)

    refs = {"images": images_ref, "faces": faces_ref, "heatmaps": heatmaps_ref}
    write_set(place, name, {table: ref.fingerprint for table, ref in refs.items()})
    return PreparedFaces(name, **refs)


def outcome(root: Root, prepared: PreparedFaces) -> str:
    """One line that says what became of the photos."""
    images = read_manifest(root, "images", prepared.images.fingerprint)
    faces = read_manifest(root, "faces", prepared.faces.fingerprint)
    return (
        f"{prepared.name}: {images.rows} photos ({images.counts['failed']} unreadable), "
        f"{faces.counts['ok']} faces usable, {faces.counts['rejected']} rejected, {faces.counts['failed']} failed"
    )
