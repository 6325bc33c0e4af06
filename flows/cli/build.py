"""A command made from a flow, or from a plain function: each parameter is written once, there.

The signature gives names, types, bounds and defaults, the docstring the help. Parameters before the signature's `*` are
arguments of the command, those after it are options.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Literal, Protocol, Union, cast, get_args, get_origin

import typer
from pydantic import SecretStr, TypeAdapter, ValidationError
from rich.markup import escape
from typer.core import TyperCommand
from typer.main import get_command

from mien.flows.cli.terminal import at_the_terminal, harmless, quiet_servers
from mien.flows.parameters import Group

CHECK = "check_arguments"
"""Name of the function beside a flow that tells wrong arguments before anything starts; it takes some of the flow's."""

IN_PLACE = "in_place"
"""Name of the function beside a flow that does what this process has to do in its place; None if that is nothing."""

RUNS_FLOWS = "RUNS_FLOWS"
"""Name of what is true in the module of a function that is no flow and calls some."""


class Outcome(Protocol):
    """What a command shows, as `FlowResult`; the lines may also be made while they are shown."""

    def lines(self) -> Iterable[str]: ...

    @property
    def ok(self) -> bool: ...


@dataclass(frozen=True)
class Target:
    """What a command runs."""

    run: Callable[..., Outcome]
    function: Callable[..., Outcome]
    """The same without the flow around it: it has the signature and the docstring."""
    check: Callable[..., None] | None
    in_place: Callable[[], Outcome | None] | None
    runs_flows: bool
    """Whether it needs Prefect's API."""

    @staticmethod
    def load(path: str) -> Target:
        """Imports `module:name`."""
        quiet_servers()  # before the module imports the libraries that this is about
        module_name, _, name = path.partition(":")
        module = import_module(module_name)
        run = getattr(module, name)
        flows = hasattr(run, "fn") or getattr(module, RUNS_FLOWS, False)
        return Target(
            run, getattr(run, "fn", run), getattr(module, CHECK, None), getattr(module, IN_PLACE, None), flows
        )


def build_command(name: str, path: str) -> TyperCommand:
    """The command of the flow or function `module:name`."""
    target = Target.load(path)
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(name, help=_first_paragraph(target.function))(_runner(target))
    return cast(TyperCommand, get_command(app))


def descriptions(function: Callable[..., Any]) -> dict[str, str]:
    """What the docstring says of each parameter, on one line (Google's form: an indented list under `Args:`)."""
    _, _, listed = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    found: dict[str, str] = {}
    name = ""
    for line in listed.splitlines():
        if line and not line.startswith(" "):
            break
        if line.startswith("    ") and not line.startswith("     "):
            name, _, text = line.strip().partition(": ")
            found[name] = text
        elif line.strip():
            found[name] += f" {line.strip()}"
    return found


def option_name(parameter: inspect.Parameter) -> str:
    """`--max-faces` of `max_faces`, `--from` of `from_`, a word of Python. A list is named for one of its values, since
    the option is repeated."""
    repeated, name = get_origin(terminal_type(parameter.annotation)) is list, parameter.name.removesuffix("_")
    return "--" + (name.removesuffix("s") if repeated else name).replace("_", "-")


def terminal_type(annotation: Any) -> Any:
    """The type without bounds and without None, as typer knows it; what may be a mapping is a text here."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return terminal_type(parts[0])
    if origin in (Union, types.UnionType):
        (kept,) = (part for part in parts if part is not type(None) and get_origin(part) is not dict)
        return terminal_type(kept)
    if annotation is SecretStr:
        return str
    if origin is list:
        value = terminal_type(parts[0])
        return list[str if get_origin(value) is Literal else value]  # typer knows no list of choices
    return annotation


def _first_paragraph(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n\n")[0]


def _runner(target: Target) -> Callable[..., None]:
    """The function that typer calls: it has the parameters of the target, in typer's words."""

    def run(**given: Any) -> None:
        with at_the_terminal():
            outcome = _run(target, given)
            for line in outcome.lines():
                typer.echo(harmless(line))
        if not outcome.ok:
            raise typer.Exit(1)

    texts = descriptions(target.function)
    signature = inspect.signature(target.function, eval_str=True)
    parameters = [_in_typers_words(each, texts.get(each.name, "")) for each in signature.parameters.values()]
    run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _run(target: Target, given: Mapping[str, Any]) -> Outcome:
    from mien.flows.cli.embedded_server import embedded_server
    from mien.storage.private import make_private
    from mien.tasks.runtime.progress import terminal_display

    make_private()
    if target.in_place is not None and (outcome := target.in_place()) is not None:
        return outcome
    if target.check is not None:
        target.check(**{name: given[name] for name in inspect.signature(target.check).parameters})
    with embedded_server() if target.runs_flows else nullcontext(), terminal_display():
        return target.run(**given)


def _in_typers_words(parameter: inspect.Parameter, text: str) -> inspect.Parameter:
    adapter: TypeAdapter[Any] = TypeAdapter(parameter.annotation)
    common: dict[str, Any] = {"help": escape(text), "callback": _validator(adapter), **_bounds(adapter.json_schema())}
    if (group := _group(parameter.annotation)) is not None:
        common["rich_help_panel"] = group.title
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
        info = typer.Option(option_name(parameter), **common)
    else:
        info = typer.Argument(metavar=parameter.name.upper(), **common)
    return parameter.replace(
        kind=inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[terminal_type(parameter.annotation), info]
    )


def _group(annotation: Any) -> Group | None:
    """The outermost one: a parameter may belong elsewhere than its type does by default."""
    own = (each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, Group))
    of_parts = (group for part in get_args(annotation) if (group := _group(part)) is not None)
    return next(own, None) or next(of_parts, None)


def _bounds(schema: Mapping[str, Any]) -> dict[str, float]:
    """Of a number, as its JSON schema has them, for the help."""
    for part in (schema, *schema.get("anyOf", ())):
        if part.get("type") in ("integer", "number"):
            return {short: part[name] for short, name in (("min", "minimum"), ("max", "maximum")) if name in part}
    return {}


def _validator(adapter: TypeAdapter[Any]) -> Callable[[Any], Any]:
    """Checks a value by the parameter's own type, as Prefect does when the flow starts."""

    def validate(value: Any) -> Any:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise typer.BadParameter(error.errors()[0]["msg"]) from error

    return validate
