"""The commands of `mien` around generated faces: limits, jobs, what comes of them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from mien.flows.cli.options import CHAMPION, Commercial, Faces, HeadPose, ModelUri, Retarget, RootUrl, Seed, Workers
from mien.flows.cli.terminal import at_the_terminal

commands = typer.Typer()


@commands.command()
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
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(help="Of the generator; auto: bfloat16 where the processor or GPU computes in it."),
    ] = "auto",
) -> None:
    """Give the people of one set the expressions of another."""
    with at_the_terminal():
        from mien.storage import Root
        from mien.tasks.sets.faces import face_tables
        from mien.tasks.sets.licences import check_sets

        sets = [face_tables(Root(root), prepared) for prepared in (identities, expressions)]
        if commercial:
            check_sets(Root(root), sets)
        from mien.flows.augment import augment_faces, outcome

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
            precision,
        )
        lines = [outcome(Root(root), done)]
        if done.transfers and done.gallery:
            lines += [f"table:   {done.transfers.uri}", f"gallery: {done.gallery.uri}"]
    typer.echo("\n".join(lines))


@commands.command()
def calibrate(
    data: Annotated[str, typer.Option("--data", help="Prepared set with several photos of each person.")],
    root: RootUrl = "./data",
    pairs: Annotated[int, typer.Option(min=10, help="Pairs of photos to compare.")] = 400,
) -> None:
    """Measure what real photos reach, and keep it as the limits that generated faces are judged by."""
    with at_the_terminal():
        from mien.storage import Root
        from mien.tasks.sets.faces import face_tables

        face_tables(Root(root), data)
        from mien.flows.calibrate import calibrate_gate

        told = calibrate_gate(data, root, pairs)
    typer.echo(told)


@commands.command()
def verify(
    data: Annotated[str, typer.Option("--data", help="Prepared or generated set.")],
    root: RootUrl = "./data",
) -> None:
    """Check every manifest, shard, row and picture of a set; exit code 1 if anything is wrong."""
    with at_the_terminal():
        from mien.storage import Root, read_set
        from mien.tasks.errors import checking_arguments

        with checking_arguments():
            read_set(Root(root), data)
        from mien.flows.verify import outcome, verify_set

        found = verify_set(data, root)
    typer.echo("\n".join(outcome(data, found)))
    if found.faults:
        raise typer.Exit(1)


@commands.command()
def reproduce(
    output_id: Annotated[str, typer.Argument(help="Of a row of transfers.")],
    root: RootUrl = "./data",
    name: Annotated[str | None, typer.Option("--name", help="Generated set. Default: all are searched.")] = None,
    out: Annotated[str | None, typer.Option(help="File to write the picture to. Default: none.")] = None,
) -> None:
    """Make a generated face again from its lineage and compare the bytes."""
    with at_the_terminal():
        from mien.flows.reproduce import outcome, reproduce_face

        done = reproduce_face(output_id, root, name, out)
    typer.echo(outcome(done))
    if not done.same:
        raise typer.Exit(1)


@commands.command()
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
    with at_the_terminal():
        from mien.storage import Root
        from mien.tasks.errors import checking_arguments
        from mien.tasks.export.export import transfers_of

        with checking_arguments():
            transfers_of(Root(root), data)
        from mien.flows.export import export_faces, outcome

        line = outcome(export_faces(data, out, form, root, paste_back, rejected, workers))
    typer.echo(line)


@commands.command()
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
    with at_the_terminal():
        from mien.model.detection.load import check_detector
        from mien.storage import read_source
        from mien.tasks.errors import checking_arguments

        with checking_arguments():
            check_detector(faces)
            for photo in (source, driver):
                read_source(photo)
        from mien.flows.transfer import transfer_pair

        line = transfer_pair(source, driver, out, model, root, faces, retarget, head_pose)
    typer.echo(line)


@commands.command()
def gallery(
    out: Annotated[str, typer.Option(help="Folder to write index.html into.")],
    root: RootUrl = "./data",
    name: Annotated[str | None, typer.Option("--name", help="Generated set. Default: the newest.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Faces to show at most.")] = 96,
) -> None:
    """Write a page of generated faces beside their sources and drivers."""
    with at_the_terminal():
        from mien.flows.gallery import chosen_transfers, write_gallery
        from mien.storage import Root

        chosen_transfers(Root(root), name)
        page = write_gallery(out, root, name, most)
    typer.echo(page.uri)
