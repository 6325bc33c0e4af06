"""The `mien` command. Its commands are made from the flows (`build.py`), and only the one that is called is loaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from mien import __version__
from mien.flows.cli.commands import COMMANDS, GROUPS, Entry
from mien.flows.cli.encoding import any_encoding
from mien.flows.cli.interrupts import meeting_signals
from mien.flows.cli.old_spellings import with_new_spellings
from mien.model.detection.allowed_classes import allow_all_classes

app = typer.Typer(
    name="mien",
    add_completion=False,
    rich_markup_mode="rich",
)


class LazyCommand(TyperCommand):
    """A command that is built when it is called; the list of commands needs its line only."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=entry.help, rich_help_panel=entry.group)
        self._path = entry.target

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        from mien.flows.cli.build import build_command

        return build_command(self.name or "", self._path).make_context(*arguments, **settings)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mien {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Expression transfer as a batch pipeline: face photos in, the same people with new expressions out."""


def command_line() -> TyperGroup:
    """All commands under `mien`."""
    group = get_group(app)
    inner = {name: _inner_group(name, *about) for name, about in GROUPS.items()}
    for name, entry in COMMANDS.items():
        outer, _, own = name.rpartition(" ")
        if outer and outer not in group.commands:
            group.add_command(inner[outer])
        (inner[outer] if outer else group).add_command(LazyCommand(own, entry))
    return group


def _inner_group(name: str, help_: str, panel: str) -> TyperGroup:
    return TyperGroup(name=name, help=help_, rich_help_panel=panel, rich_markup_mode="rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    with meeting_signals(to_the_end=arguments is None) as interruption:
        try:
            return _run(arguments)
        finally:  # after a signal, whatever error has unwound the command: it is what the signal has led to
            if interruption.came:
                interruption.end_process()


def _run(arguments: Sequence[str] | None) -> int:
    any_encoding()
    allow_all_classes()
    given, note = with_new_spellings(sys.argv[1:] if arguments is None else list(arguments))
    if note:
        typer.echo(note, err=True)
    try:
        return command_line().main(given or ["--help"], prog_name="mien", standalone_mode=False) or 0
    except typer.TyperException as error:
        typer.echo(f"error: {_one_line(error)}", err=True)
        return error.exit_code


def _one_line(error: typer.TyperException) -> str:
    """What is wrong with the arguments, and where to read what is right."""
    text = " ".join(error.format_message().split()).replace("Value error, ", "").removesuffix(".")
    context = getattr(error, "ctx", None)
    return text if context is None else f"{text} (see {context.command_path} --help)"


if __name__ == "__main__":
    sys.exit(main())
