"""Options that several commands of the command line share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

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
