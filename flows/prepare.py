"""prepare_faces: list → choose frames of videos → index → detect and align → compare → heatmaps."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow

from mien.model.detection.load import check_detector
from mien.model.images.video import FrameSettings
from mien.model.landmarks.heatmaps import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.storage import IdentityFrom, LabelRule, Root, TableRef, check_set_name, list_sources, read_manifest, write_set
from mien.tasks.errors import checking_arguments
from mien.tasks.prepare.compare import CompareSettings, check_rules
from mien.tasks.prepare.detect import DetectSettings, FacesPerImage, check_loads, commit_faces, find_detected
from mien.tasks.prepare.heatmaps import commit_heatmaps, find_heatmaps
from mien.tasks.prepare.identity_lines import identity_lines
from mien.tasks.prepare.index import IndexSettings, commit_images, find_index, plan_index
from mien.tasks.prepare.steps import compare_faces, detect_shard, heatmap_shard, index_shard, video_frames
from mien.tasks.prepare.summary import check_failures, left_out_lines
from mien.tasks.prepare.video_frames import VideoSettings, with_frames
from mien.tasks.runtime.fan_out import Step, over_shards, over_videos, shard_threads
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.sets.splits import SplitSettings

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
    pattern: str | None = None,
    identity: IdentityFrom = "source",
    faces_per_image: FacesPerImage = "largest",
    fps: float = 2.0,
    every: int | None = None,
    max_failed: float = 0.5,
    check_identities: bool = False,
    group_similarity: float | None = None,
    commercial: bool = False,
    allow: list[str] | None = None,
    allow_synthetic: bool = False,
) -> PreparedFaces:
    """Turn photos into aligned faces with cached landmark heatmaps, as the named set of a root.

    Args:
        images: Folders, files, globs or URLs of photos, videos, archives, lists or Parquet files with pictures;
            `sample:orl` for the AT&T faces of the demo.
        name: Name of the set, under which later flows find the faces.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        faces: Detector: `dlib`; `insightface:` and a pack name or the folder of a pack; or `module:Class`.
        crop_size: Side of the aligned crops, in pixels.
        val_fraction: Share of the people held out to choose between generators.
        test_fraction: Share of the people held out to report on.
        split_salt: Another salt draws other people for the splits.
        workers: Worker processes; one per core if empty.
        pattern: Where a path tells labels, such as {identity}/{expression}_*.jpg; folders are identities if empty.
        identity: source takes the labels of the source, image makes each photo and each video a person of its own,
            cluster groups the faces by their embeddings.
        faces_per_image: largest uses the largest face of a photo, all uses every one.
        fps: Frames of a video looked at for each of its seconds.
        every: Look at every Nth frame instead.
        max_failed: Share of inputs that may fail; with more the run ends as failed, after writing what it has.
        check_identities: Hold the labels against the embeddings, and tell which photos disagree.
        group_similarity: With identity cluster, faces this similar on average are one person; the embedder's own limit
            if empty.
        commercial: Refuse a detector whose weights may not be used commercially.
        allow: Prefixes that lists, links and redirects may lead to besides the given images: a folder,
            https://host/path, s3://bucket/prefix, or https:// for all public web addresses.
        allow_synthetic: Take pictures that say that a model made them, such as those of this project.
    """
    with checking_arguments():
        check_set_name(name)
        check_detector(faces)
        check_rules(identity, check_identities, group_similarity)
        place = Root(root)
        listing = list_sources(images, LabelRule(pattern, identity), place, allow or ())
        indexing = IndexSettings(allow_synthetic)
    splits = SplitSettings(val_fraction, test_fraction, split_salt)
    settings = DetectSettings(
        faces, AlignmentSettings(size_px=crop_size), splits, faces_per_image=faces_per_image, identity=identity
    )
    looked_at = VideoSettings(faces, FrameSettings(fps, every))
    spec = HeatmapSpec()

    compare = CompareSettings(settings, check_identities, group_similarity)

    with worker_pool(workers):
        with checking_arguments():
            check_loads(faces, commercial)

        # Choose frames
        videos = [item for item in listing.items if item.is_video]
        photos = with_frames(listing.items, over_videos(videos, video_frames, place, looked_at))

        # Index
        plan = plan_index(place, name, photos, SHARD_IMAGES, indexing)
        total = sum(len(shard.items) for shard in plan)
        indexed = over_shards(Step("index photos", "photos", total, find_index), index_shard, place, plan)
        images_ref = commit_images(place, indexed, listing.notes)

        # Detect and align
        names = [shard.fingerprint for shard in indexed]
        readable = sum(shard.counts["ok"] for shard in indexed)
        detected = over_shards(
            Step("detect and align", "photos", readable, find_detected), detect_shard, place, names, settings
        )

        # Compare
        compared = compare_faces(place, name, detected, compare)
        faces_ref = commit_faces(place, images_ref, compared.shards, settings, compared.told)

        # Heatmaps
        names, found = [shard.fingerprint for shard in compared.shards], sum(shard.rows for shard in compared.shards)
        rendered = over_shards(
            Step("render heatmaps", "faces", found, find_heatmaps), heatmap_shard, place, names, crop_size, spec
        )
        heatmaps_ref = commit_heatmaps(place, faces_ref, rendered, spec)

    refs = {"images": images_ref, "faces": faces_ref, "heatmaps": heatmaps_ref}
    write_set(place, name, {table: ref.fingerprint for table, ref in refs.items()})
    prepared = PreparedFaces(name, **refs)
    check_failures(place, images_ref, faces_ref, max_failed, outcome(place, prepared))
    return prepared


def outcome(root: Root, prepared: PreparedFaces) -> str:
    """Lines that say what became of the photos, and of their identities where that was asked for."""
    images = read_manifest(root, "images", prepared.images.fingerprint)
    faces = read_manifest(root, "faces", prepared.faces.fingerprint)
    line = (
        f"{prepared.name}: {images.rows} photos ({images.counts['failed']} unreadable), "
        f"{faces.counts['ok']} faces usable, {faces.counts['rejected']} rejected, {faces.counts['failed']} failed"
    )
    return "\n".join([line, *left_out_lines(root, images), *identity_lines(root, faces)])


def next_step(root: str, prepared: PreparedFaces) -> str:
    """What a user does now."""
    faces = read_manifest(Root(root), "faces", prepared.faces.fingerprint)
    if not faces.counts["ok"]:
        return f"no face is usable: mien report --root {root} --data {prepared.name} shows why"
    return f"next: mien train --root {root} --data {prepared.name} --minutes 30"
