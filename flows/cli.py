"""The `mien` command: each command is one flow with the same parameters.

Flows are imported inside the commands: `mien --help` answers at once, and the servers are quieted before they load.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import typer

from flows.console import own_errors_in_one_line, quiet_servers

app = typer.Typer(
    name="mien",
    help="Expression transfer as a batch pipeline: face photos in, the same people with new expressions out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

RootUrl = Annotated[
    str, typer.Option("--root", help="Where the tables lie: a folder or any fsspec URL, e.g. s3://bucket/prefix.")
]
ModelUri = Annotated[
    str, typer.Option("--model", help="Registered generator: models:/NAME@ALIAS or models:/NAME/VERSION.")
]
Seed = Annotated[int, typer.Option(help="Another seed, another draw; the same seed, the same result.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes. Default: one per core.")]
Faces = Annotated[str, typer.Option(help="Detector: dlib, insightface:PACK_OR_FOLDER, or module:Class of your own.")]
Commercial = Annotated[
    bool, typer.Option("--commercial", help="Refuse whatever depends on weights that exclude commercial use.")
]
Size = Annotated[
    int, typer.Option(help="Side of the generated faces, px: 64, 96, 128, 256 or 512, at most the crop size.")
]
Retarget = Annotated[
    Literal["none", "offsets", "shape_model"],
    typer.Option(
        help="offsets: the driver's expression on the source's face shape; shape_model: the same by the generator's "
        "shape model; none: the driver's landmarks as they are."
    ),
]
HeadPose = Annotated[float, typer.Option(min=0, max=1, help="1 follows the driver's head pose, 0 keeps the source's.")]

CHAMPION = "models:/mien-generator@champion"


@contextmanager
def _at_the_terminal() -> Iterator[None]:
    """Progress on stderr; errors that the user can act on in one line, with their exit code."""
    quiet_servers()
    from model.errors import ModelError
    from storage import StorageError
    from tasks.errors import RunError, UsageError
    from tasks.progress import terminal_display

    own = (UsageError, RunError, StorageError, ModelError)
    try:
        with own_errors_in_one_line(*own), terminal_display():
            yield
    except UsageError as error:
        _fail(error, 2)
    except own as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        typer.echo("interrupted: run the same command again, it goes on from here", err=True)
        raise typer.Exit(130) from None


def _fail(error: BaseException, code: int) -> None:
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(code) from None


@app.command()
def demo(
    root: RootUrl = "./data/demo",
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to train the generator.")] = 4.0,
) -> None:
    """The whole pipeline on the AT&T (ORL) faces: ends with a gallery of generated faces."""
    with _at_the_terminal():
        from flows.demo import run_demo

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
    with _at_the_terminal():
        from model.faces import check_detector
        from storage import LabelRule, Root, check_set_name, check_sources
        from tasks.comparison import check_rules
        from tasks.errors import checking_arguments

        # Before any server starts: a typing error is to be told at once. The flow checks again.
        with checking_arguments():
            check_set_name(name)
            check_detector(faces)
            check_rules(identity, check_identities, group_similarity)
            check_sources(images, LabelRule(pattern, identity))
        from flows.prepare import outcome, prepare_faces

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
        line = outcome(Root(root), done)
    typer.echo(line)
    typer.echo(f"next: mien train --root {root} --data {name} --minutes 30")


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
    with _at_the_terminal():
        from storage import Root
        from tasks.faces import face_tables
        from tasks.licences import check_sets
        from tasks.training import check_limit

        check_limit(minutes, steps)
        sets = [face_tables(Root(root), name) for name in data]
        if commercial:
            check_sets(Root(root), sets)
        from flows.train import outcome, train_generator

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
    with _at_the_terminal():
        from storage import Root
        from tasks.faces import face_tables

        face_tables(Root(root), data)
        from flows.evaluate import evaluate_generator

        table = evaluate_generator(data, model, root, pairs, seed, workers, against, cross_pairs, gallery)
    typer.echo(table)


@app.command()
def augment(
    identities: Annotated[str, typer.Option(help="Prepared set whose people are shown.")],
    expressions: Annotated[str, typer.Option(help="Prepared set whose expressions are taken.")],
    model: ModelUri = CHAMPION,
    root: RootUrl = "./data",
    name: Annotated[
        str | None, typer.Option(help="Name of the generated set. Default: IDENTITIES-by-EXPRESSIONS.")
    ] = None,
    per_identity: Annotated[
        int, typer.Option(min=1, help="Accepted faces for each person: what is rejected is replaced.")
    ] = 10,
    identity_split: Annotated[
        list[str] | None, typer.Option(help="Only people of this split (train, val, test); repeat for more.")
    ] = None,
    pairs: Annotated[
        str | None, typer.Option(help="CSV with identity_image,expression_image: exactly these, in that order.")
    ] = None,
    seed: Seed = 0,
    gallery: Annotated[str | None, typer.Option(help="Folder of the gallery. Default: ROOT/galleries/NAME.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be generated; write nothing.")
    ] = False,
    workers: Workers = None,
    retarget: Retarget = "offsets",
    head_pose: HeadPose = 1.0,
    candidates: Annotated[
        int | None, typer.Option(min=1, help="Pairs tried for each person at most. Default: three times as many.")
    ] = None,
    most_pose_difference: Annotated[
        float | None, typer.Option(min=0, help="Degrees between the head poses of source and driver. Default: any.")
    ] = None,
    same_identity: Annotated[
        bool, typer.Option("--same-identity", help="People may get their own expressions, too.")
    ] = False,
    image_format: Annotated[Literal["png", "jpeg", "webp"], typer.Option(help="How faces are encoded.")] = "png",
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP.")] = 95,
    keep_rejected: Annotated[
        bool, typer.Option("--keep-rejected", help="Keep the pixels of rejected faces, too.")
    ] = False,
    require_consent: Annotated[
        bool, typer.Option("--require-consent", help="Refuse people whose photos came without consent.")
    ] = False,
    gate: Annotated[
        str | None, typer.Option(help="Set whose calibrated limits judge the faces. Default: the usual limits.")
    ] = None,
    commercial: Commercial = False,
) -> None:
    """Give the people of one set the expressions of another."""
    with _at_the_terminal():
        from storage import Root
        from tasks.faces import face_tables
        from tasks.licences import check_sets

        sets = [face_tables(Root(root), prepared) for prepared in (identities, expressions)]
        if commercial:
            check_sets(Root(root), sets)
        from flows.augment import augment_faces, outcome

        done = augment_faces(
            identities,
            expressions,
            model,
            root,
            name,
            per_identity,
            identity_split,
            pairs,
            seed,
            gallery,
            dry_run,
            workers,
            retarget,
            head_pose,
            candidates,
            most_pose_difference,
            same_identity,
            image_format,
            quality,
            keep_rejected,
            require_consent,
            gate,
            commercial,
        )
        lines = [outcome(Root(root), done)]
        if done.transfers and done.gallery:
            lines += [f"table:   {done.transfers.uri}", f"gallery: {done.gallery.uri}"]
    typer.echo("\n".join(lines))


@app.command()
def calibrate(
    data: Annotated[str, typer.Option("--data", help="Prepared set with several photos of each person.")],
    root: RootUrl = "./data",
    pairs: Annotated[int, typer.Option(min=10, help="Pairs of photos to compare.")] = 400,
) -> None:
    """Measure what real photos reach, and keep it as the limits that generated faces are judged by."""
    with _at_the_terminal():
        from storage import Root
        from tasks.faces import face_tables

        face_tables(Root(root), data)
        from flows.calibrate import calibrate_gate

        told = calibrate_gate(data, root, pairs)
    typer.echo(told)


@app.command()
def reproduce(
    output_id: Annotated[str, typer.Argument(help="Of a row of transfers.")],
    root: RootUrl = "./data",
    name: Annotated[str | None, typer.Option("--name", help="Generated set. Default: all are searched.")] = None,
    out: Annotated[str | None, typer.Option(help="File to write the picture to. Default: none.")] = None,
) -> None:
    """Make a generated face again from its lineage and compare the bytes."""
    with _at_the_terminal():
        from flows.reproduce import outcome, reproduce_face

        done = reproduce_face(output_id, root, name, out)
    typer.echo(outcome(done))
    if not done.same:
        raise typer.Exit(1)


@app.command()
def export(
    data: Annotated[str, typer.Option("--data", help="Generated set.")],
    out: Annotated[str, typer.Option(help="Empty folder or URL to write to.")],
    form: Annotated[
        Literal["images", "webdataset", "huggingface"],
        typer.Option("--format", help="A folder per person, tar shards, or Parquet for datasets.load_dataset."),
    ] = "images",
    root: RootUrl = "./data",
    paste_back: Annotated[
        bool, typer.Option("--paste-back", help="Put each face back into its photo, at the photo's resolution.")
    ] = False,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Rejected faces, too, if their pixels were kept.")
    ] = False,
    workers: Workers = None,
) -> None:
    """Write a generated set in the form that a trainer reads."""
    with _at_the_terminal():
        from storage import Root
        from tasks.errors import checking_arguments
        from tasks.export import transfers_of

        with checking_arguments():
            transfers_of(Root(root), data)
        from flows.export import export_faces, outcome

        line = outcome(export_faces(data, out, form, root, paste_back, rejected, workers))
    typer.echo(line)


@app.command()
def verify(
    data: Annotated[str, typer.Option("--data", help="Prepared or generated set.")],
    root: RootUrl = "./data",
) -> None:
    """Check every manifest, shard, row and picture of a set; exit code 1 if anything is wrong."""
    with _at_the_terminal():
        from storage import Root, read_set
        from tasks.errors import checking_arguments

        with checking_arguments():
            read_set(Root(root), data)
        from flows.verify import outcome, verify_set

        found = verify_set(data, root)
    typer.echo("\n".join(outcome(data, found)))
    if found.faults:
        raise typer.Exit(1)


@app.command()
def transfer(
    source: Annotated[str, typer.Argument(help="Photo of the person.")],
    driver: Annotated[str, typer.Argument(help="Photo of the expression.")],
    out: Annotated[str, typer.Argument(help="PNG file to write.")],
    model: ModelUri = CHAMPION,
    root: RootUrl = "./data",
    faces: Faces = "dlib",
    retarget: Retarget = "offsets",
    head_pose: HeadPose = 1.0,
) -> None:
    """Give the person of one photo the expression of another."""
    with _at_the_terminal():
        from model.faces import check_detector
        from storage import read_source
        from tasks.errors import checking_arguments

        with checking_arguments():
            check_detector(faces)
            for photo in (source, driver):
                read_source(photo)
        from flows.transfer import transfer_pair

        line = transfer_pair(source, driver, out, model, root, faces, retarget, head_pose)
    typer.echo(line)


@app.command()
def gallery(
    out: Annotated[str, typer.Option(help="Folder to write index.html into.")],
    root: RootUrl = "./data",
    name: Annotated[str | None, typer.Option("--name", help="Generated set. Default: the newest.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Faces to show at most.")] = 96,
) -> None:
    """Write a page of generated faces beside their sources and drivers."""
    with _at_the_terminal():
        from flows.gallery import chosen_transfers, write_gallery
        from storage import Root

        chosen_transfers(Root(root), name)
        page = write_gallery(out, root, name, most)
    typer.echo(page.uri)


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
    with _at_the_terminal():
        from flows.report import write_report
        from storage import Root
        from tasks.faces import face_tables

        face_tables(Root(root), data)
        page = write_report(data, root, out, most)
    typer.echo(page.summary)
    typer.echo(page.uri)


@app.command()
def doctor(root: RootUrl = "./data", faces: Faces = "dlib") -> None:
    """Look at what this machine has: libraries, weights and their licences, servers, root. Exit code 1: one fails."""
    well = True
    with _at_the_terminal():
        from storage import Root
        from tasks.doctor import examine

        for finding in examine(Root(root), faces):
            typer.echo(finding.line())
            well = well and (finding.well or not finding.needed)
    if not well:
        raise typer.Exit(1)


@app.command("ls")
def list_root(root: RootUrl = "./data") -> None:
    """List the sets of a root and their tables, with counts and fingerprints."""
    with _at_the_terminal():
        from flows.browse import describe_root

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
    with _at_the_terminal():
        from flows.browse import describe_rows

        lines = describe_rows(table, rows)
    typer.echo("\n".join(lines))


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    sys.exit(main())
