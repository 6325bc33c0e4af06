"""augment_faces: resolve model → plan pairs → transfer → report."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from model.retargeting import RetargetKind, RetargetSettings
from storage import Root, TableRef, check_set_name, read_manifest, read_text, write_set
from tasks import steps
from tasks.errors import checking_arguments
from tasks.faces import check_compatible, crop_size_px, detector_of, face_tables
from tasks.gallery import Gallery
from tasks.planning import PlanSettings, Rows, commit_pairs, listed_rows, planned_rows
from tasks.pool import worker_pool
from tasks.sharded import Step, over_shards, shard_threads
from tasks.transfer import TransferSettings, commit_transfers

SHARD_PAIRS = 64
"""Pairs per shard: what a killed run loses at most, for each worker."""


@dataclass(frozen=True)
class AugmentedFaces:
    """The outcome of a transfer job; without tables after a dry run."""

    name: str
    planned: int
    transfers: TableRef | None = None
    gallery: Gallery | None = None


@flow(
    name="augment-faces",
    flow_run_name="augment {identities} by {expressions}",
    task_runner=shard_threads(),
)
def augment_faces(
    identities: str,
    expressions: str,
    model: str = "models:/mien-generator@champion",
    root: str = "./data",
    name: str | None = None,
    per_identity: int = 10,
    identity_splits: list[str] | None = None,
    pairs: str | None = None,
    seed: int = 0,
    gallery: str | None = None,
    dry_run: bool = False,
    workers: int | None = None,
    retarget: RetargetKind = "offsets",
    head_pose: float = 1.0,
) -> AugmentedFaces:
    """Give the people of one set the expressions of another, with a registered generator.

    Args:
        identities: Prepared set whose people are shown.
        expressions: Prepared set whose expressions are taken.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        name: Name of the generated set; IDENTITIES-by-EXPRESSIONS if empty.
        per_identity: Generated faces for each person.
        identity_splits: Only people of these splits (train, val, test); everyone if empty.
        pairs: CSV with the columns identity_image,expression_image: generate exactly these, in that order.
        seed: Another seed, another plan.
        gallery: Folder for the gallery; {root}/galleries/{name} if empty.
        dry_run: Only count what would be generated; write nothing.
        workers: Worker processes; one per core if empty.
        retarget: offsets puts a driver's expression on the source's face shape, shape_model does so by the generator's
            shape model, none takes the driver's landmarks as they are.
        head_pose: 1 follows the driver's head pose, 0 keeps the source's.
    """
    name = name or f"{identities}-by-{expressions}"
    with checking_arguments():
        check_set_name(name)
        place, retargeting = Root(root), RetargetSettings(retarget, head_pose)
        listed = None if pairs is None else read_text(pairs)
    sources, drivers = face_tables(place, identities), face_tables(place, expressions)
    check_compatible(place, [sources, drivers])

    # Plan pairs
    plan = PlanSettings(per_identity, tuple(identity_splits or ()), seed)
    rows = (
        planned_rows(place, sources, drivers, plan)
        if listed is None
        else listed_rows(place, sources, drivers, listed, seed)
    )
    if dry_run:
        return AugmentedFaces(name, len(rows))

    # Resolve model
    registered = steps.fetch_model(place, model)
    sets = tuple(dict.fromkeys((sources, drivers)))
    settings = TransferSettings(
        registered,
        sets,
        crop_size_px(place, sources),
        detector_of(place, sources),
        retarget=retargeting,
        neutrals=steps.keep_neutrals(place, sets, registered.sha256, retargeting),
    )

    # Transfer
    shards = [steps.pairs_shard(place, part, number) for number, part in enumerate(_parts(rows))]
    pairs_ref = commit_pairs(place, shards, sources, drivers)
    names = [shard.fingerprint for shard in shards]
    with worker_pool(workers):
        done = over_shards(
            Step("transfer expressions", "faces", len(rows)), steps.transfer_shard, place, names, settings
        )
    transfers = commit_transfers(place, pairs_ref, done, settings)
    write_set(place, name, {"pairs": pairs_ref.fingerprint, "transfers": transfers.fingerprint})

    # Report
    page = steps.build_gallery(place, transfers.fingerprint, Root(gallery or f"{root}/galleries/{name}"))
    create_markdown_artifact(f"{page.summary}\n\nGallery: {page.uri}", key="augmented-faces", description=name)
    return AugmentedFaces(name, len(rows), transfers, page)


def _parts(rows: Rows) -> list[Rows]:
    return [rows[start : start + SHARD_PAIRS] for start in range(0, len(rows), SHARD_PAIRS)]


def outcome(root: Root, augmented: AugmentedFaces) -> str:
    """One line that says what became of the plan."""
    if augmented.transfers is None:
        return f"{augmented.name}: {augmented.planned} faces would be generated; nothing was written"
    counts = read_manifest(root, "transfers", augmented.transfers.fingerprint).counts
    return f"{augmented.name}: {augmented.planned} faces, {counts['ok']} accepted, {counts['rejected']} rejected"
