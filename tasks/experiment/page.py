"""The page of an experiment: verdicts, tables, plots, confusions, and pictures of what went in and what went wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from mien.model.images.codec import encode_png, resize_rgb
from mien.model.images.contact_sheet import sample_grid
from mien.storage import Root
from mien.tasks.experiment.arms import Arm, Picture, added
from mien.tasks.experiment.measure import Setup
from mien.tasks.experiment.plots import arms_plot, confusion_plot, curve_plot
from mien.tasks.experiment.results import Experiment
from mien.tasks.experiment.summary import as_markdown, curve_as_markdown
from mien.tasks.pages.html import templates
from mien.tasks.sets.face_columns import crop_of
from mien.tasks.sets.faces import read_faces

PAGE = "experiment.html"
_PEOPLE, _OF_EACH, _FAILURES = 6, 2, 12
_SIDE_PX = 128


def write_page(root: Root, experiment: Experiment, setup: Setup | None, arms: Sequence[Arm], out: Root) -> str:
    """Writes experiment.html, .md, .json and its pictures into a folder; the page's URI."""
    pictures: list[dict[str, str]] = []

    def put(name: str, title: str, png: bytes) -> None:
        out.write_bytes(f"experiment/{name}.png", png)
        pictures.append({"title": title, "picture": f"experiment/{name}.png"})

    for table in experiment.tables:
        put(f"arms-{table.key}", f"{table.title}; ticks are seeds", arms_plot(table))
    for curve in experiment.curves:
        put(f"curve-{curve.key}", curve.title, curve_plot(curve))
    for number, (name, counts) in enumerate(experiment.confusions.items()):
        put(f"confusion-{number}", f"Confusions of {name}", confusion_plot(counts, experiment.classes))
    if setup is not None and arms:
        put("arms", "The photo and what the arms add, unchosen", encode_png(_arms_sheet(root, setup, arms)))
    if setup is not None and experiment.failures:
        title = "Named wrongly by most recognisers of generated + usual: the probe, its person, whom it was taken for"
        put("failures", title, encode_png(_failures_sheet(root, setup, experiment)))
    tables = [{"title": table.title, "lines": _cells(as_markdown(table))} for table in experiment.tables]
    tables += [{"title": curve.title, "lines": _cells(curve_as_markdown(curve))} for curve in experiment.curves]
    page = templates.get_template("experiment.html.j2").render(
        title=experiment.title,
        about=experiment.about,
        notes=experiment.notes,
        verdicts=experiment.verdicts,
        tables=tables,
        pictures=pictures,
        tried=experiment.tried,
    )
    out.write_bytes("experiment.md", "\n".join([*markdown(experiment), ""]).encode())
    out.write_bytes("experiment.json", json.dumps(asdict(experiment), indent=1).encode())
    out.write_bytes(PAGE, page.encode())
    return f"{out.url}/{PAGE}"


def markdown(experiment: Experiment) -> list[str]:
    """Lines for a terminal, a report and a document."""
    lines = [f"## {experiment.title}", "", *(f"- {line}" for line in (*experiment.about, *experiment.notes)), ""]
    for table in experiment.tables:
        lines += [f"{table.title}", "", *as_markdown(table), ""]
    for curve in experiment.curves:
        lines += [curve.title, "", *curve_as_markdown(curve), ""]
    return [*lines, *(f"- {verdict.line()}" for verdict in experiment.verdicts)]


def _cells(lines: Sequence[str]) -> list[list[str]]:
    """The cells of a table in Markdown, without the line under its head."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def _arms_sheet(root: Root, setup: Setup, arms: Sequence[Arm]) -> Picture:
    ids = setup.enrolled_ids
    chosen = [n * len(ids) // min(_PEOPLE, len(ids)) for n in range(min(_PEOPLE, len(ids)))]
    some = [ids[number] for number in chosen]
    faces = read_faces(root, [setup.enrolled], set(some), ["crop"])
    photos = [crop_of(faces[face_id]) for face_id in some for _ in range(_OF_EACH)]
    columns, captions = [_sized(photos)], ["photo"]
    for arm in arms:
        made = added(root, arm, setup.enrolled, some).pictures
        each = len(made) // len(some)
        columns.append(
            _sized([made[n * each + k * each // _OF_EACH] for n in range(len(some)) for k in range(_OF_EACH)])
        )
        captions.append(arm.name[:20])
    return sample_grid(columns, captions)


def _failures_sheet(root: Root, setup: Setup, experiment: Experiment) -> Picture:
    worst = experiment.failures[:_FAILURES]
    probes = read_faces(root, [setup.tables], {failure.face_id for failure in worst}, ["crop"])
    known = read_faces(root, [setup.enrolled], set(setup.enrolled_ids), ["crop"])
    columns = [
        [crop_of(probes[failure.face_id]) for failure in worst],
        [crop_of(known[setup.enrolled_ids[failure.person]]) for failure in worst],
        [crop_of(known[setup.enrolled_ids[failure.taken_for]]) for failure in worst],
    ]
    return sample_grid([_sized(column) for column in columns], ["probe", "is", "taken for"])


def _sized(pictures: Sequence[Picture]) -> np.ndarray:
    return np.stack([resize_rgb(picture, _SIDE_PX) for picture in pictures])
