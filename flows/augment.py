"""augment_faces: resolve model → plan pairs → transfer → report."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import Annotated, Any

from pydantic import Field

from mien.flows.at_work import at_work
from mien.flows.augmented_faces import AugmentedFaces
from mien.flows.parameters import (
    ALL_PARTS,
    CHAMPION,
    EXPRESSION,
    GATE,
    OUTPUT,
    PLAN,
    ROOT,
    RUN,
    SOURCE,
    SOURCES,
    Count,
    Degrees,
    Device,
    Executor,
    HeadPose,
    ModelUri,
    OutputPx,
    Parts,
    RankNumber,
    RayAddress,
    RootUrl,
    Seed,
    SetName,
    SourceCount,
    StrengthRange,
    Text,
    Workers,
    WorldSize,
)
from mien.flows.scrubbed_flow import flow
from mien.flows.settings import read_settings
from mien.model.detection.load import computes_on_device
from mien.model.device import Compute, Precision
from mien.model.devices import chosen_devices, device_in_force
from mien.model.expression.parts import checked_parts
from mien.model.expression.retargeting import RetargetKind, RetargetSettings
from mien.model.expression.strength_range import Strength
from mien.model.images.provenance import ImageFormat
from mien.model.plan_rules import PlanRules
from mien.model.source_choice import MAX_SOURCES, SourceChoice
from mien.storage import Root, read_manifest, read_text, set_version
from mien.storage.outputs import note_output
from mien.tasks.errors import checking_arguments
from mien.tasks.generator.steps import keep_neutrals
from mien.tasks.generator.weights import check_generator, sources_of
from mien.tasks.pages.gallery import gallery_by_another
from mien.tasks.pages.steps import build_gallery
from mien.tasks.plan.cost import expected_cost, remembered_cost
from mien.tasks.plan.counts import PlanOutcome
from mien.tasks.plan.pair_list import PairList, check_sources, read_list
from mien.tasks.plan.pair_shards import commit_pairs
from mien.tasks.plan.plan import PlanSettings, make_plan
from mien.tasks.plan.steps import store_round
from mien.tasks.runtime.executors import EXECUTOR
from mien.tasks.runtime.fan_out import run_stage, shard_threads
from mien.tasks.runtime.ranks import is_first_rank
from mien.tasks.runtime.workers import places, worker_pool
from mien.tasks.sets.consent import refused_lines, with_consent
from mien.tasks.sets.faces import check_compatible, crop_size_px, detector_of, face_tables
from mien.tasks.sets.licences import check_sets
from mien.tasks.sets.new_version import write_version
from mien.tasks.sets.replacing import check_replacing, generated_from
from mien.tasks.sets.splits import Split
from mien.tasks.tracking import run_address
from mien.tasks.tracking.steps import fetch_model
from mien.tasks.transfer.former import former_job
from mien.tasks.transfer.gate_limits import gate_doubts, named_gate
from mien.tasks.transfer.label_check import labels_reached
from mien.tasks.transfer.settings import OutputSettings, TransferSettings
from mien.tasks.transfer.steps import gate_for
from mien.tasks.transfer.transfer_shards import (
    TRANSFER,
    TransferJob,
    commit_transfers,
    faces_by_single_photos,
    older_faces,
)


def check_arguments(
    *,
    identities: str,
    expressions: str,
    root: str,
    pairs: str | None,
    gate: str | None,
    output_size: int | None,
    settings: dict[str, Any] | str | None,
    commercial: bool,
    device: str,
) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        chosen_devices(device)
        opened_root = Root(root)
        prepared = [face_tables(opened_root, name) for name in (identities, expressions)]
        check_compatible(opened_root, prepared)
        chosen = read_settings(settings).with_output_size(output_size)
        if gate is not None:
            named_gate(opened_root, gate, chosen.output.size_px or crop_size_px(opened_root, prepared[0]))
        if commercial:
            check_sets(opened_root, prepared)
        if pairs is not None:
            read_text(pairs)


@flow(name="augment-faces", flow_run_name="augment {identities} by {expressions}", task_runner=shard_threads())
@at_work
def augment_faces(
    *,
    identities: SetName,
    expressions: SetName,
    set: SetName | None = None,
    root: RootUrl = ROOT,
    model: ModelUri = CHAMPION,
    per_identity: Annotated[Count, PLAN] = 10,
    candidates: Annotated[Count | None, PLAN] = None,
    identity_splits: Annotated[list[Split] | None, PLAN] = None,
    same_identity: Annotated[bool, PLAN] = False,
    max_pose_difference: Annotated[Degrees | None, PLAN] = None,
    source: Annotated[SourceChoice, PLAN] = SOURCE,
    sources: SourceCount = SOURCES,
    pairs: Annotated[Text | None, PLAN] = None,
    seed: Annotated[Seed, PLAN] = 0,
    retarget: Annotated[RetargetKind, EXPRESSION] = "offsets",
    head_pose: HeadPose = 1.0,
    strength: StrengthRange = "1",
    parts: Parts = ALL_PARTS,
    gate: Annotated[SetName | None, GATE] = None,
    label_check: Annotated[bool, GATE] = False,
    require_consent: Annotated[bool, GATE] = False,
    commercial: Annotated[bool, GATE] = False,
    output_size: OutputPx | None = None,
    image_format: Annotated[ImageFormat, OUTPUT] = "png",
    quality: Annotated[int, Field(ge=1, le=100), OUTPUT] = 95,
    keep_rejected: Annotated[bool, OUTPUT] = False,
    gallery: Annotated[Text | None, OUTPUT] = None,
    dry_run: Annotated[bool, RUN] = False,
    remake: Annotated[bool, RUN] = False,
    replace: Annotated[bool, RUN] = False,
    device: Device = "auto",
    precision: Annotated[Precision, RUN] = "auto",
    workers: Workers = None,
    rank: RankNumber = None,
    world_size: WorldSize = None,
    executor: Executor = EXECUTOR,
    ray_address: RayAddress = None,
    settings: Annotated[dict[str, Any] | str | None, RUN] = None,
) -> AugmentedFaces:
    """Give the people of one set the expressions of another, with a registered generator.

    Of the settings the sections planning, gate, output and work count; a limit of the gate that is set there wins.

    Args:
        identities: Prepared set whose people are shown.
        expressions: Prepared set whose expressions are taken.
        set: Name of the generated set; {identities}-by-{expressions} if empty.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        per_identity: Accepted faces for each person: what is rejected is replaced by the plan's next candidate.
        candidates: Pairs tried for each person at most; three times per_identity if empty.
        identity_splits: Only people of these splits (train, val, test); everyone if empty.
        same_identity: Let people have their own expressions, too.
        max_pose_difference: Degrees between the head poses of source and driver; any if empty.
        source: Which photo of a person is shown: nearest takes the one whose landmarks are nearest to those that are
            asked for, turns uses all equally often, one the same always.
        sources: Photos of the person that a planned face is made from at most: that one, and those that are nearest to
            what is asked for. More of them come nearer to it, and are softer.
        pairs: CSV with the columns identity_image,expression_image: generate exactly these, in that order. Columns
            identity_image_2, identity_image_3, … take further photos of the person.
        seed: Another seed, another plan.
        retarget: offsets puts a driver's expression on the source's face shape, shape_model does so by the generator's
            shape model, none takes the driver's landmarks as they are.
        head_pose: 1 follows the driver's head pose, 0 keeps the source's.
        strength: How many times the driver's expression is asked for, 0.5 to 1.5, or a range such as 0.8..1.2 in which
            the seed of each pair draws.
        parts: What follows the driver, of mouth,eyes,brows,pose; the rest stays as the source photo shows it.
        gate: Set whose calibrated limits (mien calibrate) judge the faces; if empty, limits are calibrated on the set
            of the people, and kept while it grows.
        label_check: Reject faces whose expression is nearer to the source photo's than to the driver's label.
        require_consent: Refuse sources and drivers unless consent was given for their photos.
        commercial: Refuse sets and generators that depend on weights which exclude commercial use.
        output_size: Side of the generated faces, in pixels, whatever the generator's; that of the crops of the people's
            set (256) if empty.
        image_format: How generated faces are encoded.
        quality: Of JPEG and WebP.
        keep_rejected: Keep the pixels of rejected faces; their rows are kept anyway.
        gallery: Folder for the gallery; {root}/galleries/{set} if empty.
        dry_run: Only count what would be generated; write nothing.
        remake: Make anew what another version of the generator has made, and find neutrals and clusters of expressions
            anew; otherwise what the set holds is kept, and its rows say which version made them.
        replace: Take the place of a set of other people or expressions, or of one with more than twice as many faces.
        device: {devices}
        precision: Of the generator; auto takes bfloat16 where the processor or GPU computes in it.
        workers: {workers}
        rank: {rank}
        world_size: {world_size}
        executor: {executor}
        ray_address: {ray_address}
        settings: A mapping of sections such as {"gate": {"max_expression_error": 0.04}}, or the path or URL of a TOML
            file that has them; docs/settings.md lists them.
    """
    check_arguments(
        identities=identities,
        expressions=expressions,
        root=root,
        pairs=pairs,
        gate=gate,
        output_size=output_size,
        settings=settings,
        commercial=commercial,
        device=device,
    )
    chosen = read_settings(settings).with_output_size(output_size)
    name = set or f"{identities}-by-{expressions}"
    with checking_arguments():
        opened_root = Root(root)
        about, version = generated_from(identities, expressions, model, pairs), set_version(opened_root, name)
        check_replacing(opened_root, name, about, replace)
        listed = None if pairs is None else read_text(pairs)
    people, drivers = face_tables(opened_root, identities), face_tables(opened_root, expressions)
    crop_px = crop_size_px(opened_root, people)
    size_px = chosen.output.size_px or crop_px

    # Resolve model
    registered = None if dry_run else fetch_model(opened_root, model)
    if registered is not None and commercial:
        check_generator(opened_root, registered)
    named = sources if listed is None else MAX_SOURCES  # a list says itself what each face is made from
    most_sources = named if registered is None else sources_of(opened_root, registered, named)
    planned = most_sources if listed is None else None

    # Plan pairs
    last = None if remake else former_job(opened_root, name)
    rules = PlanRules(seed, max_pose_difference, same_identity, source, most_sources, chosen.planning)
    planning = PlanSettings(per_identity, candidates, tuple(identity_splits or ()), rules, require_consent)
    plan = (
        make_plan(opened_root, people, drivers, planning, None if last is None else last.plan(opened_root))
        if listed is None
        else read_list(opened_root, people, drivers, listed, seed)
    )
    if registered is not None and isinstance(plan, PairList):
        check_sources(plan, registered.uri, most_sources)
    if registered is None:
        held = 0 if last is None else last.count_held(opened_root, next(plan.rounds(PlanOutcome())))
        cost = expected_cost(opened_root, plan.summary.pairs - held, size_px, planned)
        return AugmentedFaces(name, plan.summary, cost=cost, held=held)

    # Transfer, in rounds: what is rejected in one is replaced in the next
    sets = tuple(dict.fromkeys((people, drivers)))
    with checking_arguments():
        retarget_by = RetargetSettings(retarget, head_pose, Strength.of(strength), checked_parts(parts.split(",")))
    transfer = TransferSettings(
        registered,
        sets,
        crop_px,
        detector_of(opened_root, people),
        retarget=retarget_by,
        neutrals=keep_neutrals(
            opened_root, sets, registered.sha256, retarget_by, None if last is None else last.neutrals
        ),
        output=OutputSettings(image_format, quality, keep_rejected, size_px),
        require_consent=require_consent,
        label_check=label_check,
        compute=Compute.chosen(precision, device_in_force()),
    )
    outcome = PlanOutcome()
    with (
        worker_pool(workers, chosen.work),
        remembered_cost(opened_root, outcome.transfers, places(computes_on_device(transfer.faces)), size_px, planned),
    ):
        consenting = with_consent(opened_root, [people], require_consent).sets[0]
        judging = gate_for(opened_root, consenting, gate, chosen.gate, size_px)
        transfer = changed(transfer, gate=judging)
        job = TransferJob(transfer, None if last is None else last.rows_for(transfer))
        for pairs_round in plan.rounds(outcome):
            shards = store_round(opened_root, pairs_round)
            names, faces = [shard.fingerprint for shard in shards], sum(shard.rows for shard in shards)
            outcome.count(opened_root, shards, run_stage(TRANSFER, opened_root, names, job, faces))
    pairs_ref = commit_pairs(opened_root, plan, outcome, people, drivers)
    transfers = commit_transfers(opened_root, pairs_ref, outcome.transfers, transfer, last)
    tables = {"pairs": pairs_ref.fingerprint, "transfers": transfers.fingerprint}
    written = write_version(opened_root, name, tables, version, about, replace)
    transfers = changed(transfers, fingerprint=written.tables["transfers"])

    # Report
    out = Root(gallery or f"{root}/galleries/{name}")
    note_output(opened_root, "page", out, transfers.fingerprint)
    shows = written.is_new or is_first_rank()
    page = build_gallery(opened_root, transfers.fingerprint, out) if shows else gallery_by_another(out)
    counts = read_manifest(opened_root, "transfers", transfers.fingerprint).counts
    return AugmentedFaces(
        name,
        plan.summary,
        outcome,
        counts["ok"],
        counts["rejected"],
        transfers,
        page,
        refused=tuple(refused_lines(opened_root, transfers.fingerprint)),
        older=older_faces(opened_root, transfers),
        labels=tuple(labels_reached(opened_root, transfers.fingerprint)),
        doubts=gate_doubts(opened_root, gate or people.name, size_px),
        single_photos=faces_by_single_photos(opened_root, transfers),
        model=registered.uri,
        mlflow_run=run_address(opened_root, registered.run_id),
    )
