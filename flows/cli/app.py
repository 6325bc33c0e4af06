"""The `mien` command: each command is one flow with the same parameters.

Flows are imported inside the commands: `mien --help` answers at once, and the servers are quieted before they load.
"""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from mien.flows.cli.options import CHAMPION, Commercial, Faces, ModelUri, RootUrl, Seed, Size, Workers
from mien.flows.cli.terminal import at_the_terminal
from mien.flows.cli.transfer_commands import commands

app = typer.Typer(
    name="mien",
    help="Expression transfer as a batch pipeline: face photos in, the same people with new expressions out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.command()
def demo(
    root: RootUrl = "./data/demo",
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to train the generator.")] = 4.0,
) -> None:
    """The whole pipeline on the AT&T (ORL) faces: ends with a gallery of generated faces."""
    with at_the_terminal():
        from mien.flows.cli.demo import run_demo

        lines = run_demo(root, minutes)
    typer.echo("\n".join(lines))


@app.command()
def prepare(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Folders, files, globs or URLs of photos, videos, tar archives, CSV lists or Parquet files; "
            "sample:orl for the demo's."
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="Name of the prepared set.")],
    root: RootUrl = "./data",
    faces: Faces = "dlib",
    crop_size: Annotated[int, typer.Option(min=64, max=1024, help="Side of the aligned crops, px.")] = 256,
    val_fraction: Annotated[
        float, typer.Option(min=0, max=1, help="Share of people held out to choose generators.")
    ] = 0.1,
    test_fraction: Annotated[float, typer.Option(min=0, max=1, help="Share of people held out to report on.")] = 0.1,
    split_salt: Annotated[str, typer.Option(help="Another salt draws other people for the splits.")] = "",
    workers: Workers = None,
    pattern: Annotated[
        str | None,
        typer.Option(help="Where paths tell labels: '{identity}/{expression}_*.jpg'. Default: folders are identities."),
    ] = None,
    identity: Annotated[
        Literal["source", "image", "cluster"],
        typer.Option(
            help="source: labels of the source; image: each photo and each video is a person of its own; cluster: "
            "faces are grouped by their embeddings."
        ),
    ] = "source",
    faces_per_image: Annotated[
        Literal["largest", "all"], typer.Option(help="Use the largest face of a photo, or every one.")
    ] = "largest",
    fps: Annotated[float, typer.Option(min=0.001, help="Frames of a video looked at for each of its seconds.")] = 2.0,
    every: Annotated[int | None, typer.Option(min=1, help="Look at every Nth frame of a video instead.")] = None,
    max_failed: Annotated[
        float, typer.Option(min=0, max=1, help="Share of photos that may fail; with more the run fails.")
    ] = 0.5,
    check_identities: Annotated[
        bool, typer.Option("--check-identities", help="List photos whose face disagrees with their label.")
    ] = False,
    group_similarity: Annotated[
        float | None,
        typer.Option(
            help="With --identity cluster: faces this similar on average are one person. Default: the embedder's limit."
        ),
    ] = None,
    commercial: Commercial = False,
) -> None:
    """Find, align and cache the faces of photos, as a named set."""
    with at_the_terminal():
        from mien.model.detection.load import check_detector
        from mien.storage import LabelRule, Root, check_set_name, check_sources
        from mien.tasks.errors import checking_arguments
        from mien.tasks.prepare.compare import check_rules

        # Before any server starts: a typing error is to be told at once. The flow checks again.
        with checking_arguments():
            check_set_name(name)
            check_detector(faces)
            check_rules(identity, check_identities, group_similarity)
            check_sources(images, LabelRule(pattern, identity))
        from mien.flows.prepare import next_step, outcome, prepare_faces

        done = prepare_faces(
            images,
            name,
            root,
            faces,
            crop_size,
            val_fraction,
            test_fraction,
            split_salt,
            workers,
            pattern,
            identity,
            faces_per_image,
            fps,
            every,
            max_failed,
            check_identities,
            group_similarity,
            commercial,
        )
        lines = [outcome(Root(root), done), next_step(root, done)]
    typer.echo("\n".join(lines))


@app.command()
def train(
    data: Annotated[list[str], typer.Option("--data", help="Prepared set; repeat for more.")],
    root: RootUrl = "./data",
    generator: Annotated[
        Literal["motion", "residual"],
        typer.Option(help="Kind of generator: motion moves the source, residual draws every pixel."),
    ] = "motion",
    size: Size = 128,
    minutes: Annotated[float | None, typer.Option(min=0.05, help="Training time; give this or --steps.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps; repeats exactly.")] = None,
    seed: Seed = 0,
    workers: Workers = None,
    commercial: Commercial = False,
) -> None:
    """Train a generator, evaluate it on held-out people and register it."""
    with at_the_terminal():
        from mien.storage import Root
        from mien.tasks.sets.faces import face_tables
        from mien.tasks.sets.licences import check_sets
        from mien.tasks.train.train import check_limit

        check_limit(minutes, steps)
        sets = [face_tables(Root(root), name) for name in data]
        if commercial:
            check_sets(Root(root), sets)
        from mien.flows.train import outcome, train_generator

        lines = outcome(train_generator(data, root, generator, size, minutes, steps, seed, workers, commercial))
    typer.echo("\n".join(lines))


@app.command()
def evaluate(
    data: Annotated[str, typer.Option("--data", help="Prepared set; its held-out people are used.")],
    model: ModelUri = CHAMPION,
    root: RootUrl = "./data",
    pairs: Annotated[
        int, typer.Option(min=1, help="Same-person pairs, in turns over the people, for each split.")
    ] = 100,
    cross_pairs: Annotated[
        int, typer.Option(min=0, help="Pairs of two people, in turns over the people, for each split.")
    ] = 100,
    against: Annotated[
        list[str] | None, typer.Option(help="Another registered generator to measure beside it; repeat for more.")
    ] = None,
    gallery: Annotated[
        str | None, typer.Option(help="Folder for a page with the tables and sheets of pictures. Default: none.")
    ] = None,
    seed: Seed = 0,
    workers: Workers = None,
) -> None:
    """Measure a registered generator on the held-out people of a set."""
    with at_the_terminal():
        from mien.storage import Root
        from mien.tasks.sets.faces import face_tables

        face_tables(Root(root), data)
        from mien.flows.evaluate import evaluate_generator

        table = evaluate_generator(data, model, root, pairs, seed, workers, against, cross_pairs, gallery)
    typer.echo(table)


@app.command()
def report(
    data: Annotated[str, typer.Option("--data", help="Prepared set.")],
    root: RootUrl = "./data",
    out: Annotated[
        str | None, typer.Option(help="Folder to write index.html into. Default: ROOT/reports/DATA.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Faces to show at most of each reason.")] = 48,
) -> None:
    """Write a page on a prepared set: why faces were rejected, their measures, sheets of them."""
    with at_the_terminal():
        from mien.flows.report import write_report
        from mien.storage import Root
        from mien.tasks.sets.faces import face_tables

        face_tables(Root(root), data)
        page = write_report(data, root, out, most)
    typer.echo(page.summary)
    typer.echo(page.uri)


@app.command()
def doctor(root: RootUrl = "./data", faces: Faces = "dlib") -> None:
    """Look at what this machine has: libraries, weights and their licences, servers, root. Exit code 1: one fails."""
    well = True
    with at_the_terminal():
        from mien.flows.cli.doctor import examine
        from mien.storage import Root

        for finding in examine(Root(root), faces):
            typer.echo(finding.line())
            well = well and (finding.well or not finding.needed)
    if not well:
        raise typer.Exit(1)


@app.command("ls")
def list_root(root: RootUrl = "./data") -> None:
    """List the sets of a root and their tables, with counts and fingerprints."""
    with at_the_terminal():
        from mien.flows.cli.browse import describe_root

        lines = describe_root(root)
    typer.echo("\n".join(lines))


@app.command()
def show(
    table: Annotated[
        str,
        typer.Argument(
            metavar="URI", help="ROOT/TABLE/NAME, e.g. ./data/demo/faces/demo, or a shard or manifest file."
        ),
    ],
    rows: Annotated[int, typer.Option(min=1, help="Rows to print.")] = 10,
) -> None:
    """Print rows of a table."""
    with at_the_terminal():
        from mien.flows.cli.browse import describe_rows

        lines = describe_rows(table, rows)
    typer.echo("\n".join(lines))


app.add_typer(commands)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    sys.exit(main())
