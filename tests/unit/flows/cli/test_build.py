"""Commands made from functions."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
import typer
from prefect.utilities.callables import parameter_docstrings
from pydantic import Field
from rich.markup import escape

from mien.flows.augment import augment_faces
from mien.flows.cli.build import build_command, descriptions, option_name, terminal_type
from mien.flows.parameters import RUN
from mien.flows.result import FlowResult
from mien.tasks.errors import UsageError

Times = Annotated[int, Field(ge=1, le=3), RUN]


@dataclass(frozen=True)
class Said(FlowResult):
    text: str

    def lines(self) -> list[str]:
        return [self.text]

    @property
    def ok(self) -> bool:
        return self.text != "bad"


def say(
    words: list[str],
    *,
    times: Times | None = 1,
    endings: list[Literal["!", "?"]] | None = None,
    options: dict[str, Any] | str | None = None,
    loud: bool = False,
) -> Said:
    """Say some words.

    More on words, which is no help.

    Args:
        words: What to say: any
            words.
        times: How often.
        endings: At the end.
        options: More: FILE.
        loud: In capitals [all of them].

    Raises:
        UsageError: never: this is no parameter.
    """
    text = " ".join(words * (times or 1)) + "".join(endings or []) + (options if isinstance(options, str) else "")
    return Said(text.upper() if loud else text)


@pytest.fixture
def target() -> Any:
    """`module:function` of a module with a check beside the function."""
    module = ModuleType("a_flow_of_a_test")
    vars(module).update(say=say, check_arguments=check_arguments)
    sys.modules[module.__name__] = module
    yield f"{module.__name__}:say"
    del sys.modules[module.__name__]


def check_arguments(words: list[str]) -> None:
    if "never" in words:
        raise UsageError("never say never")


def run(target: str, *arguments: str) -> int:
    return build_command("say", target).main(list(arguments), prog_name="say", standalone_mode=False) or 0


def test_arguments_and_options_come_from_the_signature(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["a", "b", "--times", "2", "--ending", "!", "--ending", "?", "--options", "x.toml", "--loud"]
    assert run(target, *given) == 0
    assert capsys.readouterr().out == "A B A B!?X.TOML\n"
    assert run(target, "a") == 0
    assert capsys.readouterr().out == "a\n"


def test_a_result_that_is_not_ok_ends_with_1(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(target, "bad") == 1
    assert capsys.readouterr().out == "bad\n"


@pytest.mark.parametrize(
    "arguments", [[], ["a", "--times", "0"], ["a", "--times", "4"], ["a", "--ending", "."], ["a", "--other", "b"]]
)
def test_what_the_type_does_not_allow_is_refused(target: str, arguments: list[str]) -> None:
    with pytest.raises(typer.TyperException) as refused:
        run(target, *arguments)
    assert refused.value.exit_code == 2


def test_the_check_comes_first(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(target, "never") == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "error: never say never\n")


def test_help_is_the_docstrings(target: str) -> None:
    command: Any = build_command("say", target)
    assert command.help == "Say some words."
    assert {parameter.name: parameter.help for parameter in command.params} == {
        name: escape(text) for name, text in descriptions(say).items()
    }


def test_help_shows_groups_bounds_and_brackets(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(target, "--help") == 0
    shown = capsys.readouterr().out
    assert "─ Run ─" in shown, "the group of the type, though the parameter may be None"
    assert "[1<=x<=3]" in shown
    assert "In capitals [all of them]." in shown


def test_descriptions_are_those_that_prefect_reads() -> None:
    for function in (say, augment_faces.fn):
        of_prefect = parameter_docstrings(inspect.getdoc(function))
        assert descriptions(function) == {name: " ".join(text.split()) for name, text in of_prefect.items()}


def test_a_function_without_parameters_has_no_descriptions() -> None:
    assert descriptions(test_a_function_without_parameters_has_no_descriptions) == {}


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Annotated[int, Field(ge=1), RUN] | None, int),
        (Annotated[int | None, RUN], int),
        (list[Annotated[str, Field(min_length=1)]] | None, list[str]),
        (dict[str, Any] | str | None, str),
        (Literal["a", "b"], Literal["a", "b"]),
    ],
)
def test_typer_is_given_the_plain_type(annotation: Any, kind: Any) -> None:
    assert terminal_type(annotation) == kind


def test_a_repeated_option_is_named_for_one_value() -> None:
    names = {name: option_name(each) for name, each in inspect.signature(say, eval_str=True).parameters.items()}
    assert names["endings"] == "--ending"
    assert names["options"] == "--options", "it is no list"
