"""The command line as text: `python -m tests.architecture.command_line` writes it anew, a test compares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mien.flows.cli.build import build_command
from mien.flows.cli.commands import COMMANDS

FROZEN = Path(__file__).with_name("command_line.txt")


def described() -> str:
    """All commands with their options, types, bounds, defaults and help."""
    return "".join(f"{line}\n" for name in COMMANDS for line in _command(name))


def _command(name: str) -> Iterator[str]:
    command: Any = build_command(name, COMMANDS[name].target)
    yield f"mien {name}"
    yield f"  {command.help}"
    for parameter in command.params:
        yield f"  {' '.join((_spelled(parameter), *_about(parameter)))}"
        yield f"      {parameter.help}"
    yield ""


def _spelled(parameter: Any) -> str:
    return parameter.metavar if parameter.param_type_name == "argument" else "/".join(parameter.opts)


def _about(parameter: Any) -> Iterator[str]:
    descriptor = parameter.type_descriptor
    choices = descriptor.choices
    yield "|".join(map(str, choices)) if choices else parameter.bare_type()
    limits = descriptor.parameter_info
    if limits.min is not None or limits.max is not None:
        yield f"[{'' if limits.min is None else limits.min}..{'' if limits.max is None else limits.max}]"
    if parameter.multiple or parameter.nargs == -1:
        yield "repeated"
    yield "required" if parameter.required else f"default {parameter.default!r}"
    if parameter.rich_help_panel:
        yield f"({parameter.rich_help_panel})"


if __name__ == "__main__":
    FROZEN.write_text(described())
