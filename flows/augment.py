"""augment_faces: resolve model → plan pairs → transfer → report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from mien.model.device import Compute, Precision
from mien.model.expression.retargeting import RetargetKind, RetargetSettings
from mien.model.images.provenance import ImageFormat
from mien.model.pair_planning import PlanRules
from mien.storage import Root, ShardRef, TableRef, check_set_name, read_manifest, read_text, write_set
from mien.tasks.errors import checking_arguments
from mien.tasks.generator.steps import keep_neutrals
from mien.tasks.generator.weights import check_generator
from mien.tasks.pages.gallery import Gallery
from mien.tasks.pages.steps import build_gallery
from mien.tasks.plan.cost import Cost, expected_cost, known_shards, remember
from mien.tasks.plan.counts import Outlook, Tally
from mien.tasks.plan.pair_list import listed_rows
from mien.tasks.plan.pair_shards import commit_pairs, listed_parts, shard_pairs
from mien.tasks.plan.plan import PlanSettings, make_plan
from mien.tasks.plan.steps import store_plan
from mien.tasks.runtime.fan_out import run_stage, shard_threads
from mien.tasks.runtime.workers import available_cores, worker_pool
from mien.tasks.sets.faces import check_compatible, crop_size_px, detector_of, face_tables
from mien.tasks.sets.licences import check_sets
from mien.tasks.tracking.steps import fetch_model
from mien.tasks.transfer.gate_limits import load_gate
from mien.tasks.transfer.settings import OutputSettings, TransferSettings
from mien.tasks.transfer.transfer_shards import TRANSFER, commit_transfers


@dataclass(frozen=True)
class AugmentedFaces:
    """The outcome of a transfer job; without tables after a dry run."""

    name: str
    planned: int
    transfers: TableRef | None = None
    gallery: Gallery | None = None
    outlook: Outlook | None = None
    """The plan in numbers; None for a list."""
    tally: Tally | None = None
    """What came of it; None for a list."""
    cost: Cost | None = None
    """What it would take, after a dry run."""


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
    candidates: int | None = None,
    most_pose_difference: float | None = None,
    same_identity: bool = False,
    image_format: ImageFormat = "png",
    quality: int = 95,
    keep_rejected: bool = False,
    require_consent: bool = False,
    gate: str | None = None,
    commercial: bool = False,
    precision: Precision = "auto",
) -> AugmentedFaces:
    """Give the people of one set the expressions of another, with a registered generator.

    Args:
        identities: Prepared set whose people are shown.
        expressions: Prepared set whose expressions are taken.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        name: Name of the generated set; IDENTITIES-by-EXPRESSIONS if empty.
        per_identity: Accepted faces for each person: what is rejected is replaced by the plan's next candidate.
        identity_splits: Only people of these splits (train, val, test); everyone if empty.
        pairs: CSV with the columns identity_image,expression_image: generate exactly these, in that order.
        seed: Another seed, another plan.
        gallery: Folder for the gallery; {root}/galleries/{name} if empty.
        dry_run: Only count what would be generated; write nothing.
        workers: Worker processes; one per core if empty.
        retarget: offsets puts a driver's expression on the source's face shape, shape_model does so by the generator's
            shape model, none takes the driver's landmarks as they are.
        head_pose: 1 follows the driver's head pose, 0 keeps the source's.
        candidates: Pairs tried for each person at most; three times per_identity if empty.
        most_pose_difference: Degrees between the head poses of source and driver; any if empty.
        same_identity: Whether people may get their own expressions, too.
        image_format: png, jpeg or webp.
        quality: Of JPEG and WebP, 1 to 100.
        keep_rejected: Keep the pixels of rejected faces; their rows are kept anyway.
        require_consent: Refuse people whose photos came without consent.
        gate: Set whose calibrated limits (mien calibrate) judge the faces; the usual limits if empty.
        commercial: Refuse sets and generators that depend on weights which exclude commercial use.
        precision: float32 or bfloat16 for the generator; auto takes bfloat16 where the processor or GPU computes in it.
    """
    name = name or f"{identities}-by-{expressions}"
    with checking_arguments():
        check_set_name(name)
        place = Root(root)
        RetargetSettings(retarget, head_pose)
        listed = None if pairs is None else read_text(pairs)
    sources, drivers = face_tables(place, identities), face_tables(place, expressions)
    check_compatible(place, [sources, drivers])
    if commercial:
        check_sets(place, [sources, drivers])

    # Plan pairs
    rules = PlanRules(seed, most_pose_difference, same_identity)
    settings = PlanSettings(per_identity, candidates, tuple(identity_splits or ()), rules)
    plan = make_plan(place, sources, drivers, settings) if listed is None else None
    rows = None if listed is None else listed_rows(place, sources, drivers, listed, seed)
    outlook = None if plan is None else plan.outlook()
    planned = outlook.pairs if outlook is not None else len(rows or ())

    # Resolve model
    registered = fetch_model(place, model) if not dry_run else None
    if registered is None:
        return AugmentedFaces(name, planned, outlook=outlook, cost=expected_cost(place, planned))
    if commercial:
        check_generator(place, registered)
    sets = tuple(dict.fromkeys((sources, drivers)))
    retarget_by = RetargetSettings(retarget, head_pose)
    transfer = TransferSettings(
        registered,
        sets,
        crop_size_px(place, sources),
        detector_of(place, sources),
        gate=load_gate(place, gate),
        retarget=retarget_by,
        neutrals=keep_neutrals(place, sets, registered.sha256, retarget_by),
        output=OutputSettings(image_format, quality, keep_rejected),
        require_consent=require_consent,
        compute=Compute.chosen(precision),
    )

    # Transfer: a round of the plan after another, until each identity has its faces or no candidates are left
    pairs_shards: list[ShardRef] = []
    done: list[ShardRef] = []
    tally = Tally() if plan is not None else None
    started_s, known = time.monotonic(), known_shards(place)
    with worker_pool(workers):
        asked = {} if plan is None else plan.first()
        while rows is not None or asked:
            size = shard_pairs(planned)
            parts = partial(listed_parts, rows or [], size) if plan is None else partial(plan.parts, asked, size)
            shards = store_plan(place, parts, len(pairs_shards))
            names, faces = [shard.fingerprint for shard in shards], sum(shard.rows for shard in shards)
            made = run_stage(TRANSFER, place, names, transfer, faces)
            pairs_shards, done = pairs_shards + shards, done + made
            if plan is None or tally is None or not shards:
                break
            tally.count(place, shards, made)
            asked = plan.next(tally, asked)
    remember(
        place,
        (shard for shard in done if f"{shard.fingerprint}.parquet" not in known),
        time.monotonic() - started_s,
        workers or available_cores(),
    )
    pairs_ref = commit_pairs(place, pairs_shards, sources, drivers, None if plan is None else settings)
    transfers = commit_transfers(place, pairs_ref, done, transfer)
    write_set(place, name, {"pairs": pairs_ref.fingerprint, "transfers": transfers.fingerprint})

    # Report
    page = build_gallery(place, transfers.fingerprint, Root(gallery or f"{root}/galleries/{name}"))
    create_markdown_artifact(f"{page.summary}\n\nGallery: {page.uri}", key="augmented-faces", description=name)
    return AugmentedFaces(name, planned, transfers, page, outlook, tally)


def outcome(root: Root, augmented: AugmentedFaces) -> str:
    """Lines that say what became of the plan."""
    if augmented.transfers is None:
        line = f"{augmented.name}: {augmented.planned} faces would be generated; nothing was written"
        return "\n".join([line, *_outlook(augmented), *([augmented.cost.told()] if augmented.cost else [])])
    counts = read_manifest(root, "transfers", augmented.transfers.fingerprint).counts
    tried = counts["ok"] + counts["rejected"]
    line = f"{augmented.name}: {augmented.planned} faces asked for, {tried} tried, {counts['ok']} accepted"
    if augmented.tally is None or augmented.outlook is None:
        return f"{line}, {counts['rejected']} rejected"
    groups = list(augmented.outlook.by_group)
    return (
        f"{line}, {counts['rejected']} rejected; evenness over {len(groups)} expressions "
        f"{augmented.tally.entropy(groups):.2f} (planned {augmented.outlook.entropy:.2f}, 1 is even)"
    )


def _outlook(augmented: AugmentedFaces) -> list[str]:
    if augmented.outlook is None:
        return []
    outlook = augmented.outlook
    groups = ", ".join(f"{group} {count}" for group, count in outlook.by_group.items())
    return [
        f"{outlook.identities} identities; evenness over expressions {outlook.entropy:.2f} (1 is even)",
        f"by expression: {groups}",
    ]
