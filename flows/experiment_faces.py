"""What the experiments have in common: their people, and the faces that are made of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mien.flows.augment import augment_faces
from mien.flows.augmented_faces import AugmentedFaces
from mien.flows.result import FlowResult, as_link
from mien.flows.settings import read_settings
from mien.model.devices import chosen_devices
from mien.model.quality.gate import GateSettings
from mien.storage import Root, TableRef, read_set, set_version
from mien.storage.artefacts import EXPERIMENTS
from mien.storage.outputs import note_output
from mien.tasks.errors import UsageError, checking_arguments
from mien.tasks.evaluate.second_embedder import check_embedder
from mien.tasks.experiment.arms import Arm
from mien.tasks.experiment.judges import JudgeSpec, others
from mien.tasks.experiment.measure import Setup
from mien.tasks.experiment.page import markdown
from mien.tasks.experiment.recognition import MadeFaces
from mien.tasks.experiment.results import Experiment
from mien.tasks.experiment.steps import log_experiment, write_experiment_page
from mien.tasks.experiment.subjects import Subjects, choose_subjects
from mien.tasks.generator.registered import RegisteredModel
from mien.tasks.sets.faces import FaceTables, check_compatible, crop_size_px, face_tables, photos_of, usable_faces
from mien.tasks.sets.subset import make_subset
from mien.tasks.tracking import run_address
from mien.tasks.transfer.steps import gate_for


@dataclass(frozen=True)
class FinishedExperiment(FlowResult):
    """An experiment that was measured, and where it is shown."""

    experiment: Experiment
    page: str
    mlflow_run: str

    def lines(self) -> list[str]:
        return [*markdown(self.experiment), "", f"page: {self.page}", f"MLflow run: {self.mlflow_run}"]

    def report(self) -> str:
        links = [as_link("Page", self.page), as_link("MLflow run", self.mlflow_run)]
        return "\n".join([*markdown(self.experiment), "", *(f"- {link}" for link in links)])


@dataclass(frozen=True)
class Enrolled:
    """The people of an experiment with one photo each, and the faces that expressions are taken from."""

    subjects: Subjects
    tables: FaceTables
    drivers: FaceTables
    about: tuple[str, ...]

    def refs(self, root: Root) -> list[tuple[str, TableRef]]:
        """The tables that the experiment is on."""
        return [ref for tables in (self.subjects.tables, self.tables, self.drivers) for ref in tables.refs(root)]

    @property
    def setup(self) -> Setup:
        """What all arms have in common."""
        subjects = self.subjects
        probes = tuple(probe.face_id for probe in subjects.probes)
        return Setup(subjects.tables, self.tables, subjects.enrolled, probes)


def check_arguments(
    *,
    set: str,
    expressions: str,
    root: str,
    embedder: str | None,
    embedder_sets: list[str] | None,
    device: str,
    settings: dict[str, Any] | str | None,
) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        chosen_devices(device)
        read_settings(settings)
        for name in [set, expressions, *(embedder_sets or [])]:
            face_tables(Root(root), name)
        check_embedder(embedder, "embedder")


def enrol(
    root: Root, name: str, people: str, expressions: str, registered: RegisteredModel, neutral: str | None
) -> Enrolled:
    """Chooses the people and makes their set of one photo each. Where expressions are taken from the people's own set,
    they are those of the others in it.

    Raises:
        UsageError: too few people are left, or nobody is left to take expressions from.
    """
    tables = face_tables(root, people)
    subjects = choose_subjects(root, tables, registered.sha256, neutral)
    enrolled = make_subset(root, f"{name}-enrolled", tables, subjects.enrolled)
    drivers = face_tables(root, expressions)
    check_compatible(root, [tables, drivers])
    if expressions == people:
        taken = set(subjects.people)
        others = [row["face_id"] for row in usable_faces(root, [tables], ["face_id", "identity"])
                  if row["identity"] and row["identity"] not in taken]  # fmt: skip
        if not others:
            raise UsageError(
                f"all people of {people} are told apart here, so that nobody is left to take expressions from: name "
                "another set with --expressions"
            )
        drivers = make_subset(root, f"{name}-drivers", tables, others)
    about = (
        f"{len(subjects.people)} people of {people} with a photo each, {len(subjects.probes)} other photos to tell",
        f"generator: {registered.uri}; expressions of {expressions}",
    )
    return Enrolled(subjects, enrolled, drivers, about)


def make_faces(
    root: Root,
    name: str,
    enrolled: Enrolled,
    registered: RegisteredModel,
    faces: int,
    doses: Sequence[int],
    strengths: Sequence[float],
    seed: int,
    device: str,
    settings: dict[str, Any] | str | None,
) -> tuple[MadeFaces, tuple[str, ...]]:
    """Runs the transfer jobs of an experiment, each with a line on what came of it.

    They make so many accepted faces of each person (the largest dose if that is more), so many with each other
    strength of the expression, and the photos as the generator gives them when it is asked for their own landmarks.
    """
    drivers = enrolled.drivers
    gate_for(root, drivers, None, GateSettings(), crop_size_px(root, enrolled.tables))

    common: dict[str, Any] = {"seed": seed, "gate": drivers.name, "device": device, "settings": settings}

    def made(kind: str, **asked: Any) -> AugmentedFaces:
        return run_augment(
            root,
            registered,
            identities=enrolled.tables.name,
            set=f"{name}-{kind}",
            **common,
            **asked,
        )

    generated = made("generated", expressions=drivers.name, per_identity=max([faces, *doses]))
    by_strength = [
        (
            strength,
            made(f"strength-{strength:g}", expressions=drivers.name, per_identity=faces, strength=f"{strength:g}"),
        )
        for strength in strengths
    ]
    photos = enrolled.subjects.photos
    placebo = run_placebo(root, registered, name, enrolled.tables, photos, **common)
    images = {str(row["image_id"]) for row in usable_faces(root, [drivers], ["face_id", "image_id"])}
    lines = (
        f"faces: {generated.summary()}",
        f"placebo: {placebo.summary()}",
        *(f"strength {strength:g}: {each.summary()}" for strength, each in by_strength),
    )
    tables = [(strength, table_of(each)) for strength, each in by_strength]
    return MadeFaces(table_of(generated), table_of(placebo), tuple(tables), tuple(sorted(images))), lines


def run_augment(root: Root, registered: RegisteredModel, **asked: Any) -> AugmentedFaces:
    """A transfer job of an experiment: faces from one photo, those that the gate rejects among them. It takes the place
    of what an earlier run of the experiment made.

    Raises:
        UsageError: a set that no run of it made has the name.
    """
    name, people = asked["set"], asked["identities"]
    if set_version(root, name) and read_set(root, name).about.get("identities") != people:
        raise UsageError(f"the set {name} is there and was not generated from {people}: choose another --prefix")
    job: Any = augment_faces  # by its type a flow that is called may give a state
    return job(root=root.url, model=registered.uri, sources=1, keep_rejected=True, replace=True, **asked)


def run_placebo(
    root: Root, registered: RegisteredModel, name: str, tables: FaceTables, images: Sequence[str], **asked: Any
) -> AugmentedFaces:
    """A transfer job that asks each of these photos (by the SHA-256 of its file) for its own landmarks.

    Nothing is retargeted: the neutrals of a source and of a driver who are known by one photo differ, and the photo
    would be asked for its expression once more.
    """
    ids = sorted(set(images))
    photos = photos_of(root, [tables], set(ids), ["uri"])
    lines = ["identity_image,expression_image"]
    lines += [f'"{photos[image_id]["uri"]}","{photos[image_id]["uri"]}"' for image_id in ids]
    path = EXPERIMENTS.path(f"{name}-placebo").replace(".json", ".csv")
    root.write_bytes(path, "\n".join([*lines, ""]).encode())
    themselves: dict[str, Any] = {"identities": tables.name, "expressions": tables.name, "pairs": root.uri(path)}
    return run_augment(root, registered, set=f"{name}-placebo", retarget="none", **themselves, **asked)


def table_of(made: AugmentedFaces) -> str:
    """Fingerprint of the generated faces."""
    assert made.transfers is not None  # only a dry run has none
    return made.transfers.fingerprint


def judge_of(root: Root, enrolled: Enrolled, embedder: str | None, sets: Sequence[str] | None, seed: int) -> JudgeSpec:
    """The embedder that reports: the named one, else one to be trained on the people of these sets who take no part.

    Raises:
        UsageError: there are too few of these.
    """
    named = list(dict.fromkeys(sets or [enrolled.drivers.name, enrolled.subjects.tables.name]))
    tables = tuple(face_tables(root, each) for each in named)
    subjects = enrolled.subjects
    apart = (*subjects.photos, *(probe.image_id for probe in subjects.probes))
    spec = JudgeSpec(embedder, () if embedder is not None else tables, apart, seed)
    if embedder is None:
        others(root, spec)  # if they are too few, before faces are made
    return spec


def show_experiment(
    root: Root,
    name: str,
    experiment: Experiment,
    setup: Setup | None,
    arms: Sequence[Arm],
    settings: dict[str, Any],
    tables: Sequence[tuple[str, TableRef]],
    page: str | None,
) -> FinishedExperiment:
    """Writes the page and the MLflow runs. Pictures of the page are of the setup, if there is one."""
    out = Root(page or f"{root.url}/experiment-pages/{name}")
    for set_name in dict.fromkeys(called.rpartition(".")[0] for called, _ in tables):
        note_output(root, "page", out, set_name)
    written = write_experiment_page(root, experiment, setup, arms, out)
    run_id = log_experiment(root, experiment, settings, tables)
    return FinishedExperiment(experiment, written, run_address(root, run_id))
