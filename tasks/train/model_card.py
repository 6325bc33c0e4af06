"""The model card: what a registered generator is, what it was trained on, how well it does, what it is not for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.storage import Root, read_manifest
from mien.tasks.evaluate import Evaluation, as_table
from mien.tasks.sets.faces import FaceTables, detector_of
from mien.tasks.sets.licences import licence_lines, training_licences
from mien.tasks.train.train import TrainedWeights

_CARD = """# mien-generator

Gives the person of an aligned face photo the expression of another person's landmarks: Î_t = G(I_s, L_s, L_t).

## Trained on

{data}

{people} people, {faces} photos, {steps} steps; training ended by: {stopped}.

Recipe `{recipe}`, {changed}. The whole settings are `settings.toml` of the training's run in MLflow.

## Measured on held-out people

{table}

One person: two photos, the first given the second's expression, against the second. Two people: the first given the
expression of the second, another person. `generated`: this generator; `v…`: other versions; `tps`: the first
photo warped to the landmarks asked for, which needs no training; `copy`: the first photo as it is; `photo`: another
real photo of the first person; `asked`: the landmarks asked for. 95% intervals are of draws of people.

L1 and SSIM of images in 0..1, mouth and eyes around the target's landmarks; NME: landmarks found on the result against
those asked for, as a share of the inter-ocular distance; identity, id dist: similarity and Euclidean distance of the
embedding to the target photo (one person) or the source photo (two); leak: share of results nearer to the driver than
to the source; reached: slope of the change in mouth and eye opening against the change asked for, 1 is all of it;
spread: how much the expressions given to one person differ, beside `asked`.

## Weights of others that it depends on

{licences}

## Meant for

Augmenting training sets for face and expression recognition, of people who have agreed to it. Every output is
synthetic and marked so in its row (`synthetic`, `model_uri`, `model_sha256`).

## Not meant for

Showing a person with an expression they did not make as if they had; identification; people unlike those it was
trained on, without measuring first.
"""


def model_card(root: Root, sets: Sequence[FaceTables], trained: TrainedWeights, evaluation: Evaluation) -> str:
    """Markdown for the registry and the run's artefacts."""
    return _CARD.format(
        data="\n".join(f"- {_data_line(root, tables)}" for tables in sets),
        people=trained.people,
        faces=trained.faces,
        steps=trained.steps,
        stopped=trained.stopped,
        recipe=trained.recipe,
        changed=_changed_line(trained.changed),
        table=as_table(evaluation),
        licences="\n".join(f"- {line}" for line in licence_lines(training_licences(root, sets))),
    )


def _changed_line(changed: Mapping[str, Any]) -> str:
    values = ", ".join(f"`{name} = {value}`" for name, value in changed.items())
    return f"changed in {values}" if values else "unchanged"


def _data_line(root: Root, tables: FaceTables) -> str:
    manifest = read_manifest(root, "faces", tables.faces)
    usable, detector = manifest.counts["ok"], detector_of(root, tables)
    return f"{tables.name}: {usable} usable faces, found by {detector} (faces/{tables.faces})"
