"""The model card: one screen on a registered generator. What does not fit there is in `full_card`, an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from mien.model.detection.licences import WeightsLicence, allow_commercial
from mien.model.networks.config import GeneratorKind
from mien.storage import Root, read_manifest
from mien.tasks.evaluate import Evaluation, as_table
from mien.tasks.evaluate.results import COPY, GENERATED, WARP, Section, SheetPlan
from mien.tasks.sets.faces import FaceTables, detector_of
from mien.tasks.sets.licences import licence_lines, training_licences
from mien.tasks.train.run_description import changed_line
from mien.tasks.train.train import TrainedWeights

HEADLINES = {
    "l1": "likeness to the real photo: L1 ↓",
    "nme": "expression: landmark error ↓",
    "identity_similarity": "identity: similarity ↑",
}
"""The measures of the card; of the result against the real photo that it should be."""
FULL_CARD = "model_card_full.md"
SHEETS = "evaluation"
"""Folder of the sheets among the artifacts of the run."""
_CARD_ROWS = 2

# MLflow's page breaks a line where the text does, so a paragraph is one line.
_CARD = """\
{about}

{figures}

`warp`: the first photo, moved to the second's landmarks, without training. `copy`: the first photo as it is.{sheet}

```python
import mlflow, pandas as pd
photos = [open(name, "rb").read() for name in ("source.jpg", "driver.jpg")]
mlflow.pyfunc.load_model("{uri}").predict(pd.DataFrame([photos], columns=["source", "driver"]))
```

```bash
# once, where MLFLOW_TRACKING_URI names this registry; wait for "Uvicorn running"
mlflow models serve -m {uri} --env-manager local --port 5001 &
printf '{{"dataframe_records":[{{"source":"%s","driver":"%s"}}]}}' "$(base64 <source.jpg | tr -d '\\n')" \\
  "$(base64 <driver.jpg | tr -d '\\n')" | curl -sS localhost:5001/invocations -H content-type:application/json -d @-
```

{data}
{use}

{more}
"""
_ABOUT = (
    "Gives the person of one photo the expression of another. A {kind} generator of {size_px} px, trained by mien. "
    "Every picture that it makes is marked as generated."
)
_DATA = "**Data**: {people} people, {faces} photos of {sets}. **Terms**: {terms}."
_USE = (
    "**For** training data of people who have agreed to it. **Not for** showing a person with an expression they did "
    "not make as if they had."
)
_MORE = f"More in the artifacts of the run: `evaluation.md`, `promotion.md`, `{FULL_CARD}`, `settings.toml`."

_FULL = """# mien-generator

Gives the person of an aligned face photo the expression of another person's landmarks: Î_t = G(I_s, L_s, L_t).

## Trained on

{data}

{people} people, {faces} photos, {steps} steps; training ended by: {stopped}.

Recipe `{recipe}`, {changed}. The whole settings are `settings.toml` of the training's run in MLflow.

## Measured on held-out people

{table}

One person: two photos, the first given the second's expression, against the second. Two people: the first given the
expression of the second, another person. `generated`: this generator; `v…`: other versions; `spline`: the
first photo warped by the spline of its landmarks to those asked for; `warp`: the same with the motion of the head
around the face; neither needs training; `copy`: the first photo as it is; `photo`: another real photo of the first
person; `asked`: the landmarks asked for. 95% intervals are of draws of people.

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


@dataclass(frozen=True)
class CardFacts:
    """What the card says of a generator, besides what was measured."""

    kind: GeneratorKind
    size_px: int
    run_id: str
    people: int
    faces: int
    """Photos that it was trained on."""
    sets: tuple[str, ...]
    licences: Mapping[str, WeightsLicence]
    """Of the weights of others that it depends on."""


def model_card(facts: CardFacts, evaluation: Evaluation, uri: str) -> str:
    """Markdown for the registry, in which the version is called by `uri`."""
    names = ", ".join(f"`{name}`" for name in facts.sets)
    return _CARD.format(
        about=_ABOUT.format(kind=facts.kind, size_px=facts.size_px),
        figures=headline_table(evaluation),
        sheet=_sheet(evaluation, facts.run_id),
        uri=uri,
        data=_DATA.format(people=facts.people, faces=facts.faces, sets=names, terms=_terms(facts.licences)),
        use=_USE,
        more=_MORE,
    )


def headline_table(evaluation: Evaluation) -> str:
    """Three figures beside those of `warp` and `copy`, as markdown: of the people that generators are chosen by."""
    section = evaluation.section(evaluation.deciding_split, "same")
    if section is None:
        return "Nobody was held out: nothing was measured."
    rows = [
        f"| {title} | {' | '.join(_value(section, method, name) for method in (GENERATED, WARP, COPY))} |"
        for name, title in HEADLINES.items()
    ]
    who = f"{section.people} {'person' if section.people == 1 else 'people'} never trained on, {section.pairs} pairs"
    # MLflow's page sets the columns close together.
    head = f"| {who} | this generator&emsp; | `warp`&emsp;&emsp; | `copy` |"
    return "\n".join([head, "|---|---|---|---|", *rows])


def _value(section: Section, method: str, measure: str) -> str:
    found = section.means.get(method, {}).get(measure)
    return "–" if found is None else f"{found.value:.3f}"


def card_sheet(evaluation: Evaluation) -> SheetPlan | None:
    """A small sheet of pairs in the middle, neither the best nor the worst; None where nothing was measured."""
    middle = f"{evaluation.deciding_split}-l1-median"
    found = next((plan for plan in evaluation.sheets if plan.name == middle), None)
    if found is None:
        return None
    return replace(found, name="card", pairs=found.pairs[:_CARD_ROWS], captions=found.captions[:_CARD_ROWS])


def _sheet(evaluation: Evaluation, run_id: str) -> str:
    if (plan := card_sheet(evaluation)) is None:
        return ""
    path = quote(f"{SHEETS}/{plan.name}.png", safe="")
    return f"\n\n![pairs of middling L1](get-artifact?path={path}&run_uuid={run_id})"


def _terms(licences: Mapping[str, WeightsLicence]) -> str:
    if allow_commercial(licences):
        return "the weights of others that it depends on allow commercial use"
    names = ", ".join(f"`{name}`" for name, each in sorted(licences.items()) if not each.commercial)
    return f"no commercial use, which {names} exclude{'s' if names.count('`') == 2 else ''}"


def full_card(root: Root, sets: Sequence[FaceTables], trained: TrainedWeights, evaluation: Evaluation) -> str:
    """All of it, as markdown for the run's artifacts."""
    return _FULL.format(
        data="\n".join(f"- {_data_line(root, tables)}" for tables in sets),
        people=trained.people,
        faces=trained.faces,
        steps=trained.steps,
        stopped=trained.stopped,
        recipe=trained.recipe,
        changed=changed_line(trained.changed),
        table=as_table(evaluation),
        licences="\n".join(f"- {line}" for line in licence_lines(training_licences(root, sets))),
    )


def _data_line(root: Root, tables: FaceTables) -> str:
    manifest = read_manifest(root, "faces", tables.faces)
    usable, detector = manifest.counts["ok"], detector_of(root, tables)
    return f"{tables.name}: {usable} usable faces, found by {detector} (faces/{tables.faces})"
