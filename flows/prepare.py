"""prepare_faces: list → choose frames of videos → index → detect and align → compare → heatmaps."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from pydantic import Field

from mien.flows.at_work import at_work
from mien.flows.parameters import (
    FACES,
    PEOPLE,
    PHOTOS,
    ROOT,
    RUN,
    Count,
    CropPx,
    Detector,
    Device,
    Executor,
    RankNumber,
    RayAddress,
    RootUrl,
    SetName,
    Share,
    Text,
    Workers,
    WorldSize,
)
from mien.flows.prepared_faces import PreparedFaces
from mien.flows.scrubbed_flow import flow
from mien.flows.settings import read_settings
from mien.model.detection.choice import check_choice
from mien.model.devices import chosen_devices
from mien.storage import (
    IdentityFrom,
    LabelRule,
    Note,
    Root,
    SourceItem,
    check_sources,
    list_sources,
    read_manifest,
    set_version,
)
from mien.tasks.errors import RunError, checking_arguments
from mien.tasks.prepare.changed_bytes import Compared, compare_bytes, with_marks
from mien.tasks.prepare.compare import CompareSettings, check_rules, commit_faces
from mien.tasks.prepare.consent import reject_withdrawn, reject_withdrawn_faces, terms_lines, with_terms
from mien.tasks.prepare.detect import DETECT, DetectSettings, FacesPerImage, check_loads
from mien.tasks.prepare.heatmaps import HEATMAPS, HeatmapSettings, commit_heatmaps
from mien.tasks.prepare.identity_lines import identity_lines
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.prepare.steps import compare_faces, video_frames
from mien.tasks.prepare.summary import check_failures, failures_line, left_out_lines
from mien.tasks.prepare.training_line import training_line
from mien.tasks.prepare.video_frames import VideoSettings, frame_notes, with_frames
from mien.tasks.runtime.executors import EXECUTOR
from mien.tasks.runtime.fan_out import over_videos, run_stage, shard_threads
from mien.tasks.runtime.run_artifacts import leave_report
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.sets.new_version import write_version
from mien.tasks.sets.reasons import count_reasons
from mien.tasks.sets.replacing import check_replacing, detector_for, prepared_from
from mien.tasks.sets.splits import SplitSettings

SHARD_IMAGES = 64
"""Images per shard: what a killed run loses at most, for each worker."""


def check_arguments(
    *,
    images: list[str],
    faces: str,
    pattern: str | None,
    identity: IdentityFrom,
    check_identities: bool,
    group_similarity: float | None,
    settings: dict[str, Any] | str | None,
    device: str,
) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        check_choice(faces)
        chosen_devices(device)
        check_rules(identity, check_identities, group_similarity)
        check_sources(images, LabelRule(pattern, identity))
        read_settings(settings)


def _with_frames(root: Root, listed: list[SourceItem], settings: VideoSettings) -> tuple[list[SourceItem], list[Note]]:
    """The listed photos, with frames instead of videos; and what is to be said of the frames."""
    videos = [item for item in listed if item.is_video]
    frames = over_videos(videos, video_frames, root, settings)
    return with_frames(listed, frames), frame_notes(frames)


@flow(name="prepare-faces", flow_run_name="prepare {set}", task_runner=shard_threads())
@at_work
def prepare_faces(
    images: Annotated[list[Text], Field(min_length=1)],
    *,
    set: SetName,
    root: RootUrl = ROOT,
    pattern: Annotated[Text | None, PHOTOS] = None,
    fps: Annotated[float | None, Field(ge=0.001, allow_inf_nan=False), PHOTOS] = None,
    every: Annotated[Count | None, PHOTOS] = None,
    max_failed: Annotated[Share, PHOTOS] = 0.5,
    faces: Detector = "auto",
    faces_per_image: Annotated[FacesPerImage, FACES] = "largest",
    crop_size: CropPx | None = None,
    commercial: Annotated[bool, FACES] = False,
    identity: Annotated[IdentityFrom, PEOPLE] = "source",
    check_identities: Annotated[bool, PEOPLE] = False,
    group_similarity: Annotated[float | None, Field(allow_inf_nan=False), PEOPLE] = None,
    val_fraction: Annotated[Share, PEOPLE] = 0.1,
    test_fraction: Annotated[Share, PEOPLE] = 0.1,
    split_salt: Annotated[str, PEOPLE] = "",
    settings: Annotated[dict[str, Any] | str | None, FACES] = None,
    allow: Annotated[list[Text] | None, PHOTOS] = None,
    allow_synthetic: Annotated[bool, PHOTOS] = False,
    verify_bytes: Annotated[bool, PHOTOS] = False,
    replace: Annotated[bool, RUN] = False,
    device: Device = "auto",
    workers: Workers = None,
    rank: RankNumber = None,
    world_size: WorldSize = None,
    executor: Executor = EXECUTOR,
    ray_address: RayAddress = None,
) -> PreparedFaces:
    """Find, align and cache the faces of photos, as a named set.

    Of the settings the sections frames, frame_changes, alignment, quality, heatmaps and work count; crop_size, fps and
    every win over them.

    Args:
        images: Folders, files, globs or URLs of photos, videos, tar archives, CSV lists or Parquet files; sample:orl
            for the AT&T faces of the demo.
        set: Name of the prepared set, under which later steps find the faces.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        pattern: Where a path tells labels, such as {identity}/{expression}_*.jpg; folders are identities if empty.
        fps: Frames of a video looked at for each of its seconds; the settings' (2) if empty.
        every: Look at every Nth frame of a video instead.
        max_failed: Share of inputs that may fail; with more the run ends as failed, after writing what it has.
        faces: {detectors} auto is mediapipe where its files are installed, else dlib; a set that is there keeps its
            own.
        faces_per_image: largest uses the largest face of a photo, all uses every one.
        crop_size: Side of the aligned crops, in pixels; the settings' (256) if empty.
        commercial: Refuse a detector whose weights exclude commercial use.
        identity: source takes the labels of the source, image makes each photo and each video a person of its own,
            cluster groups the faces by their embeddings.
        check_identities: Compare the labels with the embeddings, and list the photos whose face disagrees.
        group_similarity: With identity cluster, faces this similar on average are one person; the embedder's own limit
            if empty.
        val_fraction: Share of the people held out to choose between generators.
        test_fraction: Share of the people held out to report on.
        split_salt: Another salt draws other people for the splits.
        replace: Take the place of a set with other sources or settings, or of one that keeps less than half its faces.
        device: {devices}
        workers: {workers}
        rank: {rank}
        world_size: {world_size}
        executor: {executor}
        ray_address: {ray_address}
        settings: A mapping of sections such as {"quality": {"min_face_px": 48}}, or the path or URL of a TOML file that
            has them; docs/settings.md lists them.
        allow: Prefixes that lists, links and redirects may lead to besides the given images: a folder,
            https://host/path, s3://bucket/prefix, or https:// for all public web addresses.
        allow_synthetic: Take pictures that say that a model made them, such as those of this project.
        verify_bytes: Read and hash the photos again that an earlier run has read: finds those that changed and kept
            their size and time.
    """
    check_arguments(
        images=images,
        faces=faces,
        pattern=pattern,
        identity=identity,
        check_identities=check_identities,
        group_similarity=group_similarity,
        settings=settings,
        device=device,
    )
    chosen = read_settings(settings)
    with checking_arguments():
        opened_root = Root(root)
        faces = detector_for(opened_root, set, faces, replace)
        chosen = chosen.with_crop_size(crop_size).with_frames(fps, every)
        about, version = prepared_from(images, faces, chosen.alignment.size_px, identity), set_version(opened_root, set)
        check_replacing(opened_root, set, about, replace)
        listing = list_sources(images, LabelRule(pattern, identity), None if verify_bytes else opened_root, allow or ())
        listed = with_terms(listing.items)
        indexing = IndexSettings(allow_synthetic)
    splits = SplitSettings(val_fraction, test_fraction, split_salt)
    detect = DetectSettings(faces, chosen.alignment, chosen.quality, faces_per_image, identity)
    looked_at = VideoSettings(faces, chosen.frames, chosen.frame_changes)
    compare = CompareSettings(detect, splits, check_identities, group_similarity)
    drawn = HeatmapSettings(chosen.alignment.size_px, chosen.heatmaps)

    with worker_pool(workers, chosen.work):
        with checking_arguments():
            check_loads(faces, commercial)

        # Choose frames
        marked = with_marks(opened_root, listed)
        photos, notes = _with_frames(opened_root, marked, looked_at)
        plan = plan_index(opened_root, set, photos, SHARD_IMAGES)

        # Compare bytes, where that is asked for
        known = Compared()
        if verify_bytes:
            known = compare_bytes(opened_root, list(zip(listed, marked, strict=True)), plan, indexing)
        if known.marks:
            marked = with_marks(opened_root, listed)
            photos, notes = _with_frames(opened_root, marked, looked_at)
            plan = plan_index(opened_root, set, photos, SHARD_IMAGES)

        # Index
        indexed = run_stage(INDEX, opened_root, plan, indexing, sum(map(len, plan)))
        indexed = reject_withdrawn(opened_root, indexed, identity)
        notes = [dataclasses.asdict(note) for note in (*listing.notes, *notes)]
        images_ref = INDEX.commit(opened_root, indexed, {"notes": notes})

        # Detect and align
        names = [shard.fingerprint for shard in indexed]
        readable = sum(shard.counts["ok"] for shard in indexed)
        detected = run_stage(DETECT, opened_root, names, detect, readable)

        # Compare
        compared = compare_faces(opened_root, set, detected, compare)
        compared = dataclasses.replace(compared, shards=reject_withdrawn_faces(opened_root, indexed, compared.shards))
        faces_ref = commit_faces(opened_root, images_ref, compared, compare, detected)

        # Heatmaps
        names, found = [shard.fingerprint for shard in compared.shards], sum(shard.rows for shard in compared.shards)
        rendered = run_stage(HEATMAPS, opened_root, names, drawn, found)
        heatmaps_ref = commit_heatmaps(opened_root, faces_ref, rendered, drawn)

    tables = {ref.table: ref.fingerprint for ref in (images_ref, faces_ref, heatmaps_ref)}
    written = write_version(opened_root, set, tables, version, about, replace).tables
    images_ref, faces_ref, heatmaps_ref = (
        dataclasses.replace(ref, fingerprint=written[ref.table]) for ref in (images_ref, faces_ref, heatmaps_ref)
    )
    found_images, found_faces = (
        read_manifest(opened_root, ref.table, ref.fingerprint) for ref in (images_ref, faces_ref)
    )
    prepared = PreparedFaces(
        set=set,
        root=root,
        images=images_ref,
        faces=faces_ref,
        heatmaps=heatmaps_ref,
        photos=found_images.rows,
        unreadable=found_images.counts["failed"],
        usable=found_faces.counts["ok"],
        rejected=found_faces.counts["rejected"],
        failed=found_faces.counts["failed"],
        left_out=(
            *left_out_lines(opened_root, found_images),
            *terms_lines(opened_root, found_images),
            *(known.lines() if verify_bytes else ()),
        ),
        identities=tuple(identity_lines(opened_root, found_faces)),
        failures=failures_line(opened_root, found_images, found_faces),
        reasons=tuple(count_reasons(opened_root, (found_images, found_faces))),
        training=training_line(opened_root, found_faces),
    )
    try:
        check_failures(opened_root, images_ref, faces_ref, max_failed, prepared.summary())
    except RunError:
        leave_report("prepare-faces", prepared.report(), prepared.summary())  # most of all of a run that fails
        raise
    return prepared
