"""The command line is what the flows say, and changes only where somebody means it to."""

from __future__ import annotations

import dataclasses
import inspect
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from prefect import Flow
from prefect.utilities.callables import parameter_schema

import mien.flows
from mien.flows.cli.build import CHECK, Target, build_command, terminal_type
from mien.flows.cli.commands import COMMANDS
from mien.flows.cli.old_spellings import OLD_SPELLINGS
from mien.flows.result import FlowResult
from tests.architecture.command_line import FROZEN, described

MODULES = [
    import_module(f"mien.flows.{module.name}") for module in iter_modules(mien.flows.__path__) if not module.ispkg
]
FLOWS: dict[str, Flow[..., Any]] = {
    f"{module.__name__}:{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Flow) and value.fn.__module__ == module.__name__
}
WITHOUT_COMMAND = {"mien.flows.pipeline:face_augmentation"}
"""`mien demo` runs it."""
ANY_NUMBER = {"group_similarity"}
"""Its scale is the embedder's own."""


def properties(flow: Flow[..., Any]) -> dict[str, Any]:
    return parameter_schema(flow).properties


def value_schema(property_: dict[str, Any]) -> dict[str, Any]:
    """Of the values that are not None."""
    kinds = property_.get("anyOf", [property_])
    return next((kind for kind in kinds if kind.get("type") not in ("null", "object")), {})


def test_the_command_line_is_the_committed_one() -> None:
    advice = "if this is meant: python -m tests.architecture.command_line, and a line in CHANGELOG.md"
    assert described() == FROZEN.read_text(), advice


def test_every_flow_has_a_command() -> None:
    assert set(FLOWS) - WITHOUT_COMMAND == {entry.target for entry in COMMANDS.values() if entry.target in FLOWS}
    assert {"mien.flows.prepare:prepare_faces", "mien.flows.augment:augment_faces"} <= set(FLOWS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_docstring_says(name: str) -> None:
    function = Target.load(COMMANDS[name].target).function
    assert COMMANDS[name].help == (inspect.getdoc(function) or "").splitlines()[0]


@pytest.mark.parametrize("name", [name for name, entry in COMMANDS.items() if entry.target in FLOWS])
def test_options_are_what_prefect_says_of_the_flow(name: str) -> None:
    """Names, defaults, bounds, choices and help, as Prefect reads them from signature and docstring."""
    command: Any = build_command(name, COMMANDS[name].target)
    flow, options = FLOWS[COMMANDS[name].target], {parameter.name: parameter for parameter in command.params}
    assert list(options) == list(properties(flow))
    assert {name for name, option in options.items() if option.required} == set(parameter_schema(flow).required)
    for parameter, told in properties(flow).items():
        option, value = options[parameter], value_schema(told)
        assert option.help == " ".join(told["description"].split())
        assert option.default == told.get("default")
        limits = option.type_descriptor.parameter_info
        assert (limits.min, limits.max) == (value.get("minimum"), value.get("maximum"))
        assert list(option.type_descriptor.choices or ()) == value.get("enum", [])


@pytest.mark.parametrize("target", FLOWS)
def test_each_parameter_is_described_and_bounded(target: str) -> None:
    for name, told in properties(FLOWS[target]).items():
        value = value_schema(told)
        assert told.get("description"), name
        assert "exclusiveMinimum" not in value, f"{name}: the help shows inclusive bounds only"
        assert "exclusiveMaximum" not in value, f"{name}: the help shows inclusive bounds only"
        if value["type"] in ("integer", "number") and name not in ANY_NUMBER:
            assert "minimum" in value or "enum" in value, name
        assert not name.startswith(("most_", "least_")), f"{name}: say max_ or min_"


@pytest.mark.parametrize("target", FLOWS)
def test_options_are_given_by_name_only(target: str) -> None:
    """What may be given by position is an argument of the command, and always needed."""
    for parameter in inspect.signature(FLOWS[target].fn).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            assert parameter.default is inspect.Parameter.empty


@pytest.mark.parametrize("target", FLOWS)
def test_a_check_takes_parameters_of_its_flow(target: str) -> None:
    check = getattr(import_module(target.partition(":")[0]), CHECK, None)
    if check is None:
        assert target in WITHOUT_COMMAND
        return
    of_flow = inspect.signature(FLOWS[target].fn, eval_str=True).parameters
    for name, parameter in inspect.signature(check, eval_str=True).parameters.items():
        assert name in of_flow
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default is inspect.Parameter.empty, "the default is the flow's"
        assert terminal_type(parameter.annotation) == terminal_type(of_flow[name].annotation)


@pytest.mark.parametrize("target", FLOWS)
def test_a_flow_returns_a_frozen_result(target: str) -> None:
    result = inspect.signature(FLOWS[target].fn, eval_str=True).return_annotation
    assert issubclass(result, FlowResult)
    assert dataclasses.is_dataclass(result)
    assert result.__dataclass_params__.frozen  # pyright: ignore[reportAttributeAccessIssue]


def test_an_old_spelling_stands_for_an_option_and_is_none_itself() -> None:
    options: set[str] = set()
    for name, entry in COMMANDS.items():
        command: Any = build_command(name, entry.target)
        options |= {spelling for parameter in command.params for spelling in parameter.opts}
    assert set(OLD_SPELLINGS.values()) <= options
    assert not set(OLD_SPELLINGS) & options


@pytest.mark.parametrize(
    ("target", "parameters"),
    [
        ("mien.flows.augment:augment_faces", {"per_identity": -5}),
        ("mien.flows.augment:augment_faces", {"quality": 900}),
        ("mien.flows.augment:augment_faces", {"head_pose": float("nan")}),
        ("mien.flows.augment:augment_faces", {"max_pose_difference": float("inf")}),
        ("mien.flows.augment:augment_faces", {"set": "../elsewhere"}),
        ("mien.flows.augment:augment_faces", {"model": "generator.pt"}),
        ("mien.flows.augment:augment_faces", {"identity_splits": ["everyone"]}),
        ("mien.flows.augment:augment_faces", {"seed": 2**32}),
        ("mien.flows.augment:augment_faces", {"device": "gpu"}),
        ("mien.flows.calibrate:calibrate_gate", {"device": "cuda:0, cuda:1"}),
        ("mien.flows.prepare:prepare_faces", {"device": "cpu,cuda:0"}),
        ("mien.flows.prepare:prepare_faces", {"images": []}),
        ("mien.flows.prepare:prepare_faces", {"fps": 0}),
        ("mien.flows.prepare:prepare_faces", {"group_similarity": float("nan")}),
        ("mien.flows.train:train_generator", {"sets": []}),
        ("mien.flows.train:train_generator", {"size": 100}),
        ("mien.flows.train:train_generator", {"minutes": float("inf")}),
        ("mien.flows.gallery:write_gallery", {"max_faces": 0}),
    ],
)
def test_prefect_refuses_what_is_out_of_bounds(target: str, parameters: dict[str, Any]) -> None:
    """Before the body of the flow begins: the same that a deployment's run meets."""
    from prefect.exceptions import ParameterTypeError

    needed: dict[str, Any] = {
        "identities": "a",
        "expressions": "b",
        "images": ["x"],
        "set": "s",
        "sets": ["s"],
        "out": "o",
    }
    names = inspect.signature(FLOWS[target].fn).parameters
    good = {name: value for name, value in needed.items() if name in names}
    FLOWS[target].validate_parameters(good)
    with pytest.raises(ParameterTypeError, match=next(iter(parameters))):
        FLOWS[target].validate_parameters(good | parameters)
