"""Types of the flows' parameters: their bounds, and the group that the help of a command lists them in.

A flow states each parameter once: name, type and default in its signature, the description in its docstring. Prefect
validates a run's parameters by these types and shows them in its form; `flows/cli/build.py` makes the command from the
same signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mien.model.devices import ASKED, check_asked
from mien.model.errors import ModelError
from mien.model.expression.parts import PARTS, checked_parts
from mien.model.expression.strength_range import Strength
from mien.model.images.output_size import MAX_PX, MIN_PX
from mien.model.source_choice import MAX_SOURCES, SourceChoice
from mien.storage import StorageError, check_set_name
from mien.storage.sets import SET_NAME
from mien.tasks.runtime.executors import ExecutorKind


@dataclass(frozen=True)
class Group:
    """The title under which the help of a command lists a parameter; without one it is among the first."""

    title: str


PHOTOS = Group("Photos and videos")
FACES = Group("Faces")
PEOPLE = Group("People")
GENERATOR = Group("Generator")
PLAN = Group("Plan")
EXPRESSION = Group("Expression")
GATE = Group("Gate and terms")
OUTPUT = Group("Output")
MARKS = Group("Marks of generated media")
RUN = Group("Run")
EXPERIMENT = Group("Experiment")


def _set_name(name: str) -> str:
    try:
        check_set_name(name)
    except StorageError as error:
        raise ValueError(str(error)) from error
    return name


def _two_paths(paths: str) -> str:
    if "\n" in paths or paths.count(",") != 1 or not all(part.strip() for part in paths.split(",")):
        raise ValueError("write two paths, CERT,KEY: the certificate chain and the private key, both PEM files")
    return paths


def _model_uri(uri: str) -> str:
    name, _, version = uri.removeprefix("models:/").replace("@", "/").partition("/")
    if not (uri.startswith("models:/") and name and version):
        raise ValueError(f"{uri!r} is no registered model: write models:/NAME@ALIAS or models:/NAME/VERSION")
    return uri


def _device(device: str) -> str:
    try:
        check_asked(device)
    except ModelError as error:
        raise ValueError(str(error)) from error
    return device


def _strength(value: Any) -> str:
    """A form may send a number."""
    text = str(value)
    try:
        Strength.of(text)
    except ModelError as error:
        raise ValueError(str(error)) from error
    return text


def _parts(parts: str) -> str:
    try:
        return ",".join(checked_parts(part.strip() for part in parts.split(",")))
    except ModelError as error:
        raise ValueError(str(error)) from error


PARTS_PATTERN = "^({0})(,({0}))*$".format("|".join(PARTS))
Text = Annotated[str, Field(min_length=1)]
"""A path, URL or name; never empty."""
RootUrl = Text
SetName = Annotated[str, AfterValidator(_set_name), Field(json_schema_extra={"pattern": f"^{SET_NAME}$"})]
SignerPaths = Annotated[str, AfterValidator(_two_paths), Field(json_schema_extra={"pattern": r"^[^,\n]+,[^,\n]+$"})]
"""Paths of a certificate chain and of its key. The pattern keeps the content of a key out of stored parameters."""
ModelUri = Annotated[str, AfterValidator(_model_uri), Field(json_schema_extra={"pattern": "^models:/[^@/]+[@/].+$"})]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Degrees = Annotated[float, Field(ge=0, le=180, allow_inf_nan=False)]
Minutes = Annotated[float, Field(ge=0.05, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""What numpy, torch and scikit-learn all take."""
SizePx = Literal[64, 96, 128, 256, 512]
"""Sides of the generators that can be built."""
CropPx = Annotated[int, Field(ge=64, le=1024), FACES]
OutputPx = Annotated[int, Field(ge=MIN_PX, le=MAX_PX), OUTPUT]
"""Side of generated faces, which need not be that of the generator."""
Detector = Annotated[Text, FACES]
WatermarkNumber = Annotated[int, Field(ge=0, le=65535)]
Device = Annotated[Text, AfterValidator(_device), Field(json_schema_extra={"pattern": f"^({ASKED})$"}), RUN]
Workers = Annotated[Count | None, RUN]
RankNumber = Annotated[Annotated[int, Field(ge=0)] | None, RUN]
Executor = Annotated[ExecutorKind, RUN]
RayAddress = Annotated[Text | None, RUN]
WorldSize = Annotated[Count | None, RUN]
SourceCount = Annotated[int, Field(ge=1, le=MAX_SOURCES), PLAN]
HeadPose = Annotated[Share, EXPRESSION]
StrengthRange = Annotated[
    str,
    BeforeValidator(_strength),
    Field(json_schema_extra={"pattern": r"^\d*\.?\d+(\.\.\d*\.?\d+)?$"}),
    EXPRESSION,
]
"""A strength, or two with two dots between them: a range in which each pair draws its own."""
Parts = Annotated[str, AfterValidator(_parts), Field(json_schema_extra={"pattern": PARTS_PATTERN}), EXPRESSION]
"""Parts of an expression, with commas between them."""

StrengthList = Annotated[list[Annotated[float, Field(ge=0.5, le=1.5, allow_inf_nan=False)]], EXPERIMENT]

CHAMPION = "models:/mien-generator@champion"
"""The generator that is used where none is named."""
ALL_PARTS = ",".join(PARTS)
"""The parts of an expression that are taken where none is named."""
SOURCES = 2
"""Photos of a person that a face is made from where nothing else is asked for; decision 29 says why no more."""
SOURCE: SourceChoice = "nearest"
"""Which photo of a person is shown where nothing else is asked for."""
ROOT = "./data"
"""The root that is used where none is named."""
