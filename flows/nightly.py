"""nightly: prepare what is new in the sources → augment what the champion has not done → report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from mien.flows.at_work import at_work
from mien.flows.augment import augment_faces
from mien.flows.augmented_faces import AugmentedFaces
from mien.flows.parameters import (
    ALL_PARTS,
    CHAMPION,
    GATE,
    OUTPUT,
    PEOPLE,
    PHOTOS,
    PLAN,
    ROOT,
    RUN,
    SOURCE,
    SOURCES,
    Count,
    CropPx,
    Degrees,
    Detector,
    Device,
    Executor,
    HeadPose,
    ModelUri,
    OutputPx,
    Parts,
    RayAddress,
    RootUrl,
    Seed,
    SetName,
    Share,
    SourceCount,
    StrengthRange,
    Text,
    Workers,
)
from mien.flows.prepare import PreparedFaces, prepare_faces
from mien.flows.prepare import check_arguments as check_photos
from mien.flows.result import FlowResult
from mien.flows.scrubbed_flow import flow
from mien.flows.settings import read_settings
from mien.model.source_choice import SourceChoice
from mien.storage import IdentityFrom, Root
from mien.tasks.errors import checking_arguments
from mien.tasks.runtime.executors import EXECUTOR
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.sets.faces import face_tables
from mien.tasks.sets.new_rows import new_rows, note_night, tables_of_last_night
from mien.tasks.sets.splits import Split
from mien.tasks.transfer.gate_limits import named_gate


@dataclass(frozen=True)
class Night(FlowResult):
    """What is new in a prepared and a generated set since the last night that came to its end."""

    prepared: PreparedFaces
    augmented: AugmentedFaces
    new_photos: int
    """Readable ones that the last night did not have; all of the set in the first night."""
    new_faces: int
    """Usable ones."""
    new_transfers: int
    """Accepted faces that the last night did not have."""
    root: str
    generated: str
    """Name of the generated set."""

    def reported(self) -> None:
        assert self.augmented.transfers is not None  # only a dry run has none
        tables = (self.prepared.images, self.prepared.faces, self.augmented.transfers)
        note_night(Root(self.root), self.generated, {ref.table: ref.fingerprint for ref in tables})

    def lines(self) -> list[str]:
        return [*self.prepared.lines()[:-1], *self.augmented.lines(), self.summary()]

    def report(self) -> str:
        return "\n\n".join([self.table(), self.summary(), self.prepared.report(), self.augmented.report()])

    def summary(self) -> str:
        """One line: what is new."""
        if not (self.new_photos or self.new_faces or self.new_transfers):
            return "nothing new: no photo, usable face or accepted face that the last night did not have"
        return f"new: {self.new_photos} photos, {self.new_faces} usable faces, {self.new_transfers} generated faces"

    def table(self) -> str:
        """The counts, as Markdown."""
        rows = [
            ("photos", self.new_photos, self.prepared.photos),
            ("usable faces", self.new_faces, self.prepared.usable),
            ("generated faces", self.new_transfers, self.augmented.accepted),
        ]
        body = [f"| {what} | {new} | {whole} |" for what, new, whole in rows]
        return "\n".join(["| | new | in the set |", "|---|---|---|", *body])


def check_arguments(
    *,
    images: list[str],
    set: str,
    expressions: str | None,
    root: str,
    faces: str,
    pattern: str | None,
    identity: IdentityFrom,
    gate: str | None,
    crop_size: int | None,
    output_size: int | None,
    settings: dict[str, Any] | str | None,
    device: str,
) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    check_photos(
        images=images,
        faces=faces,
        pattern=pattern,
        identity=identity,
        check_identities=False,
        group_similarity=None,
        settings=settings,
        device=device,
    )
    with checking_arguments():
        opened_root = Root(root)
        chosen = read_settings(settings).with_crop_size(crop_size).with_output_size(output_size)
        if gate is not None:
            named_gate(opened_root, gate, chosen.output.size_px or chosen.alignment.size_px)
        if expressions not in (None, set):  # the set itself may be made by the night
            face_tables(opened_root, expressions)


@flow(name="nightly", flow_run_name="night of {set}")
@at_work
def nightly(
    images: Annotated[list[Text], Field(min_length=1)],
    *,
    set: SetName,
    expressions: SetName | None = None,
    augmented: SetName | None = None,
    root: RootUrl = ROOT,
    model: ModelUri = CHAMPION,
    pattern: Annotated[Text | None, PHOTOS] = None,
    max_failed: Annotated[Share, PHOTOS] = 0.5,
    allow: Annotated[list[Text] | None, PHOTOS] = None,
    faces: Detector = "auto",
    crop_size: CropPx | None = None,
    identity: Annotated[IdentityFrom, PEOPLE] = "source",
    val_fraction: Annotated[Share, PEOPLE] = 0.1,
    test_fraction: Annotated[Share, PEOPLE] = 0.1,
    split_salt: Annotated[str, PEOPLE] = "",
    per_identity: Annotated[Count, PLAN] = 10,
    identity_splits: Annotated[list[Split] | None, PLAN] = None,
    max_pose_difference: Annotated[Degrees | None, PLAN] = None,
    source: Annotated[SourceChoice, PLAN] = SOURCE,
    sources: SourceCount = SOURCES,
    seed: Annotated[Seed, PLAN] = 0,
    head_pose: HeadPose = 1.0,
    strength: StrengthRange = "1",
    parts: Parts = ALL_PARTS,
    gate: Annotated[SetName | None, GATE] = None,
    label_check: Annotated[bool, GATE] = False,
    require_consent: Annotated[bool, GATE] = False,
    commercial: Annotated[bool, GATE] = False,
    output_size: OutputPx | None = None,
    gallery: Annotated[Text | None, OUTPUT] = None,
    remake: Annotated[bool, RUN] = False,
    device: Device = "auto",
    workers: Workers = None,
    executor: Executor = EXECUTOR,
    ray_address: RayAddress = None,
    settings: Annotated[dict[str, Any] | str | None, RUN] = None,
) -> Night:
    """Prepare what is new among the photos, then generate what the champion has not done yet.

    What is done is found, so a night without new photos makes nothing. Nothing is trained.

    Args:
        images: Folders, files, globs or URLs of photos, videos, tar archives, CSV lists or Parquet files; sample:orl
            for the AT&T faces of the demo.
        set: Name of the prepared set, whose people are shown.
        expressions: Prepared set whose expressions are taken; the same if empty.
        augmented: Name of the generated set; {set}-augmented if empty.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        pattern: Where a path tells labels, such as {identity}/{expression}_*.jpg; folders are identities if empty.
        max_failed: Share of inputs that may fail; with more the night ends as failed, after writing what it has.
        allow: Prefixes that lists, links and redirects may lead to besides the given images: a folder,
            https://host/path, s3://bucket/prefix, or https:// for all public web addresses.
        faces: {detectors} auto is mediapipe where its files are installed, else dlib; a set that is there keeps its
            own.
        crop_size: Side of the aligned crops, in pixels; the settings' (256) if empty.
        identity: source takes the labels of the source, image makes each photo and each video a person of its own,
            cluster groups the faces by their embeddings.
        val_fraction: Share of the people held out to choose between generators.
        test_fraction: Share of the people held out to report on.
        split_salt: Another salt draws other people for the splits.
        per_identity: Accepted faces for each person: what is rejected is replaced by the plan's next candidate.
        identity_splits: Only people of these splits (train, val, test); everyone if empty.
        max_pose_difference: Degrees between the head poses of source and driver; any if empty.
        source: Which photo of a person is shown: nearest takes the one whose landmarks are nearest to those that are
            asked for, turns uses all equally often, one the same always.
        sources: Photos of the person that a face is made from at most: that one, and those that are nearest to what is
            asked for.
        seed: Another seed, another plan.
        head_pose: 1 follows the driver's head pose, 0 keeps the source's.
        strength: How many times the driver's expression is asked for, 0.5 to 1.5, or a range such as 0.8..1.2 in which
            the seed of each pair draws.
        parts: What follows the driver, of mouth,eyes,brows,pose; the rest stays as the source photo shows it.
        gate: Set whose calibrated limits (mien calibrate) judge the faces; if empty, limits are calibrated on the set,
            and kept while it grows.
        label_check: Reject faces whose expression is nearer to the source photo's than to the driver's label.
        require_consent: Refuse sources and drivers unless consent was given for their photos.
        commercial: Refuse whatever depends on weights that exclude commercial use.
        output_size: Side of the generated faces, in pixels, whatever the generator's; that of the crops if empty.
        gallery: Folder for the gallery; {root}/galleries/{augmented} if empty.
        remake: Make anew what another version of the generator has made; otherwise it is kept, and its rows say which.
        device: {devices}
        workers: {workers}
        executor: {executor}
        ray_address: {ray_address}
        settings: A mapping of sections, or the path or URL of a TOML file that has them; docs/settings.md lists them.
    """
    check_arguments(
        images=images,
        set=set,
        expressions=expressions,
        root=root,
        faces=faces,
        pattern=pattern,
        identity=identity,
        gate=gate,
        crop_size=crop_size,
        output_size=output_size,
        settings=settings,
        device=device,
    )
    opened_root, generated = Root(root), augmented or f"{set}-augmented"
    with checking_arguments():
        before = tables_of_last_night(opened_root, generated)

    with worker_pool(workers, read_settings(settings).work):
        # Prepare what is new
        prepared = prepare_faces(
            images=images,
            set=set,
            root=root,
            pattern=pattern,
            max_failed=max_failed,
            allow=allow,
            faces=faces,
            crop_size=crop_size,
            identity=identity,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_salt=split_salt,
            commercial=commercial,
            device=device,
            settings=settings,
        )

        # Augment what the champion has not done
        made = augment_faces(
            identities=set,
            expressions=expressions or set,
            set=generated,
            root=root,
            model=model,
            per_identity=per_identity,
            identity_splits=identity_splits,
            max_pose_difference=max_pose_difference,
            source=source,
            sources=sources,
            seed=seed,
            head_pose=head_pose,
            strength=strength,
            parts=parts,
            gate=gate,
            label_check=label_check,
            require_consent=require_consent,
            commercial=commercial,
            output_size=output_size,
            gallery=gallery,
            remake=remake,
            device=device,
            settings=settings,
        )

    # Report
    assert made.transfers is not None  # only a dry run has none
    return Night(
        prepared,
        made,
        new_photos=new_rows(opened_root, "images", before, prepared.images.fingerprint),
        new_faces=new_rows(opened_root, "faces", before, prepared.faces.fingerprint),
        new_transfers=new_rows(opened_root, "transfers", before, made.transfers.fingerprint),
        root=root,
        generated=generated,
    )
