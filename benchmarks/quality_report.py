"""What `benchmarks.quality` does: prepares, trains and measures, and sets each figure beside its aim."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from mlflow import MlflowClient

from benchmarks.clip_frames import take_frames
from mien.flows.prepare import prepare_faces
from mien.flows.train import TrainedGenerator, train_generator
from mien.model.images.codec import decode_rgb
from mien.model.networks.generator import GeneratorKind
from mien.storage import Root
from mien.tasks.evaluate import Evaluation, as_table, evaluate
from mien.tasks.evaluate.page import write_page
from mien.tasks.evaluate.results import COPY, GENERATED, PHOTO, SPLINE, Kind
from mien.tasks.generator.weights import load_model, short_name
from mien.tasks.sets.face_columns import common_points
from mien.tasks.sets.faces import crop_size_px, face_tables, read_faces, usable_faces
from mien.tasks.tracking import tracking_uri

SETS = ("actors", "london", "clips")
SIZE_PX = 128
VAL_FRACTION, TEST_FRACTION = 0.2, 0.25
RESIDUAL_SHARE = 1 / 4
"""Of the motion generator's minutes."""
TRANSFERRED = 64


class Measure(NamedTuple):
    """A measure of the evaluation, how it is told, and its aim."""

    title: str
    kind: Kind
    name: str
    told: Literal["value", "ratio"]
    """As it is, or against the spline: × of errors, + of SSIM."""
    aim: float
    at_most: bool
    beside: str = ""
    """The method whose value it is to be read against."""


HARD_AUCS = ("identity_auc_swapped", "identity_auc_drawn", "expression_auc_lids", "expression_auc_drawn")
"""Of the discriminators; those of drawn pictures are measured in the adversarial part."""
MEASURES = (
    Measure("L1, × of the spline", "same", "l1", "ratio", 0.60, True),
    Measure("mouth L1, × of the spline", "same", "mouth_l1", "ratio", 0.50, True),
    Measure("eye L1, × of the spline", "same", "eye_l1", "ratio", 0.55, True),
    Measure("SSIM, + over the spline", "same", "ssim", "ratio", 0.14, False),
    Measure("NME, × of the spline", "same", "nme", "ratio", 0.80, True),
    Measure("identity distance (two real photos)", "same", "identity_distance", "value", 0.324, True, COPY),
    Measure("cross: identity distance (two real photos)", "cross", "identity_distance", "value", 0.27, True, PHOTO),
    Measure("cross: leak (the spline)", "cross", "leak", "value", 0.005, True, SPLINE),
    Measure("cross: NME to the landmarks asked for (the spline)", "cross", "nme", "value", 0.017, True, SPLINE),
    Measure("cross: expression reached (the spline)", "cross", "expression_reached", "value", 0.9, False, SPLINE),
)


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    title: str
    value: float
    aim: float
    at_most: bool
    residual: float | None = None
    beside: float | None = None

    def markdown(self) -> str:
        met = self.value <= self.aim if self.at_most else self.value >= self.aim
        others = " | ".join("" if other is None else f"{other:.3f}" for other in (self.residual, self.beside))
        aim = f"{'≤' if self.at_most else '≥'} {self.aim:g}"
        return f"| {self.title} | {self.value:.3f} | {others} | {aim} | {'yes' if met else 'no'} |"


HEAD = "| | motion | residual | in brackets | aim | met |\n|---|---|---|---|---|---|"


# --- Prepare and train ------------------------------------------------------------------------------------------------


def prepare(root: Root, faces: Path, workers: int | None) -> None:
    """All three sets; of the actors some are held out, the others are trained on."""
    frames = take_frames(faces / "clips", Path(str(root.local_path("quality/frames"))))
    folders = {"actors": faces / "actors", "london": faces / "london", "clips": frames}
    for name in SETS:
        held_out = (VAL_FRACTION, TEST_FRACTION) if name == "actors" else (0.0, 0.0)
        prepare_faces(
            [str(folders[name])],
            set=name,
            root=root.url,
            crop_size=SIZE_PX,
            val_fraction=held_out[0],
            test_fraction=held_out[1],
            workers=workers,
        )


def train_both(root: Root, minutes: float, workers: int | None) -> tuple[TrainedGenerator, TrainedGenerator]:
    """Motion and residual generator, on the same sets."""

    def train(generator: GeneratorKind, minutes: float) -> TrainedGenerator:
        return train_generator(
            sets=list(SETS), root=root.url, generator=generator, size=SIZE_PX, minutes=minutes, workers=workers
        )

    return train("motion", minutes), train("residual", minutes * RESIDUAL_SHARE)


# --- Measure ----------------------------------------------------------------------------------------------------------


def quality_lines(evaluation: Evaluation, split: str, residual: str) -> Iterator[Line]:
    """The measures of a split that could be taken."""
    for measure in MEASURES:
        section = evaluation.section(split, measure.kind)
        if section is None:
            continue
        means = {method: {name: its.value for name, its in of.items()} for method, of in section.means.items()}
        told = means if measure.told == "value" else section.ratios
        values = [told.get(method, {}).get(measure.name) for method in (GENERATED, residual)]
        if values[0] is not None:
            beside = means.get(measure.beside, {}).get(measure.name)
            yield Line(measure.title, values[0], measure.aim, measure.at_most, values[1], beside)


def training_lines(root: Root, motion: TrainedGenerator, residual: TrainedGenerator) -> Iterator[Line]:
    """Rates, size, and how the discriminators generalise to held-out people."""
    rates = [training_rate(root, trained.model.run_id) for trained in (motion, residual)]
    generated = [transfer_rate(root, trained.model.sha256) for trained in (motion, residual)]
    sizes = [weights_count(root, trained.model.sha256) / 1e6 for trained in (motion, residual)]
    yield Line("training, images/s", rates[0], 24, False, rates[1])
    yield Line("transfer, × of the training rate", generated[0] / rates[0], 3, False, generated[1] / rates[1])
    yield Line("weights, millions", sizes[0], 8, True, sizes[1])
    ids = [trained.model.run_id for trained in (motion, residual)]
    for title, name, aim in (("AUC of D_id", "identity_auc", 0.90), ("AUC of D_e", "expression_auc", 0.97)):
        for when, its in (
            ("pretrained", [_pretrained(root, run, name) for run in ids]),
            ("at the end", [_final(root, run, name) for run in ids]),
        ):
            yield Line(f"{title}, {when}", its[0], aim, False, its[1])


def _pretrained(root: Root, run_id: str, name: str) -> float:
    """Of the validation before the generator's first update; NaN in a run that has none."""
    history = _client(root).get_metric_history(run_id, f"validation/{name}")
    return next((metric.value for metric in history if metric.step == 0), float("nan"))


def _final(root: Root, run_id: str, name: str) -> float:
    return _client(root).get_run(run_id).data.metrics.get(f"final/{name}", float("nan"))


def curve(root: Root, run_id: str) -> str:
    """The validations of a training, one row each; minutes are counted from the start of its run."""
    client, names = _client(root), ("l1", "ssim", "psnr", "identity_auc", "expression_auc", *HARD_AUCS)
    histories = {name: client.get_metric_history(run_id, f"validation/{name}") for name in names}
    by_step = {name: {metric.step: metric.value for metric in its} for name, its in histories.items()}
    started_ms = client.get_run(run_id).info.start_time
    rows = [f"| updates | minutes | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    for metric in sorted(histories["l1"], key=lambda m: m.step):
        values = " | ".join(f"{by_step[name].get(metric.step, float('nan')):.4f}" for name in names)
        rows.append(f"| {metric.step} | {(metric.timestamp - started_ms) / 60_000:.1f} | {values} |")
    return "\n".join(rows)


def training_rate(root: Root, run_id: str) -> float:
    """Images per second over all updates of the generator, validations and pretraining left out."""
    client = _client(root)
    batch = int(client.get_run(run_id).data.params["batch_size"])
    of_generator = {m.timestamp for m in client.get_metric_history(run_id, "loss/generator")}
    # A validation counts into the rate that is logged at its step.
    validated = {m.step for m in client.get_metric_history(run_id, "validation/l1")}
    history = [m for m in client.get_metric_history(run_id, "speed/images_per_s") if m.timestamp in of_generator]
    images = seconds = step = 0.0
    for metric in sorted(history, key=lambda m: (m.timestamp, m.step)):
        count, step = batch * max(metric.step - step, 0), metric.step
        if metric.step not in validated:
            images, seconds = images + count, seconds + count / metric.value
    return images / seconds if seconds else float("nan")


def transfer_rate(root: Root, sha256: str) -> float:
    """Faces that a generator makes per second, with as many threads as a training has; the best of three."""
    tables = face_tables(root, "actors")
    model, side_px = load_model(root, sha256), crop_size_px(root, tables)
    ids = [row["face_id"] for row in usable_faces(root, [tables], ["face_id"])[:TRANSFERRED]]
    faces = list(read_faces(root, [tables], set(ids), ["crop", "landmarks_xy", "landmark_scheme"]).values())
    crops = np.stack([decode_rgb(face["crop"]) for face in faces])
    heatmaps = np.stack([face["heatmap"] for face in faces])
    points = np.stack([common_points(face, side_px) for face in faces])
    best_s = float("inf")
    for _ in range(3):
        started_s = time.perf_counter()
        model.generate(crops[:, None], heatmaps[:, None], heatmaps[::-1], points[:, None], points[::-1])
        best_s = min(best_s, time.perf_counter() - started_s)
    return len(faces) / best_s


def weights_count(root: Root, sha256: str) -> int:
    """Of the generator."""
    return sum(weight.numel() for weight in load_model(root, sha256).generator.parameters())


def _client(root: Root) -> MlflowClient:
    return MlflowClient(tracking_uri(root))


# --- Tell -------------------------------------------------------------------------------------------------------------


def report(root: Root, minutes: float, workers: int | None) -> str:
    """Trains what is not trained yet, measures on the held-out actors, writes the gallery; the tables."""
    motion, residual = train_both(root, minutes, workers)
    evaluation = evaluate(
        root, motion.model.sha256, [face_tables(root, "actors")], workers=workers, against=[residual.model]
    )
    page = write_page(root, evaluation, Root(root.uri("quality")), f"{motion.model.uri} on held-out actors")
    rival = short_name(residual.model.uri)
    parts: list[str] = []
    for split in dict.fromkeys(section.split for section in evaluation.sections):
        section = evaluation.section(split, "same")
        people = f", {section.people} people" if section else ""
        parts += [f"{split}{people}, after {minutes:g} minutes of training:", "", HEAD]
        parts += [*(line.markdown() for line in quality_lines(evaluation, split, rival)), ""]
    parts += [f"{torch.get_num_threads()} threads:", "", HEAD]
    parts += [*(line.markdown() for line in training_lines(root, motion, residual)), ""]
    parts += [
        "validations of the motion generator:",
        "",
        curve(root, motion.model.run_id),
        "",
        as_table(evaluation),
        "",
    ]
    text = "\n".join(parts)
    root.write_bytes("quality/quality.md", text.encode())
    return f"{text}\ngallery: {page}"
