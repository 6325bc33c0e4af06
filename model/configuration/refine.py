"""Settings changed by a mapping, such as a parsed TOML file: strict in names, types and bounds.

Dataclasses nest as tables do. A field may be a bool, an int, a float, a string, a Literal of strings, a tuple of these,
a dataclass, or one of them or None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from difflib import SequenceMatcher
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from mien.model.configuration.bounds import GivenByData, bounds_of, field_types
from mien.model.errors import ModelError, SettingsError

T = TypeVar("T")

_SHOWN = 60
"""Characters of a wrong value in a message."""


def refine(settings: T, given: Any, where: str = "") -> T:
    """The settings with the fields that `given` names changed; tables change the fields of nested settings.

    Args:
        settings: An instance of a frozen dataclass.
        given: A mapping of values by field name, as `tomllib` parses them.
        where: Dotted name of the settings, for messages.

    Raises:
        SettingsError: one line with the full dotted name. An unknown name comes with the nearest known one.
    """
    return _refined(settings, given, where, known=list(setting_names(settings, where)))


def setting_names(settings: Any, where: str = "") -> Iterator[str]:
    """The dotted names of all fields that may be set, depth first."""
    for name in settable(settings):
        yield _dotted(where, name)
        if is_dataclass(value := getattr(settings, name)):
            yield from setting_names(value, _dotted(where, name))


def changes(settings: Any, base: Any, where: str = "") -> dict[str, Any]:
    """The values that differ between two settings of one class, by dotted name."""
    found: dict[str, Any] = {}
    for field in fields(settings):
        value, usual = getattr(settings, field.name), getattr(base, field.name)
        if is_dataclass(value):
            found |= changes(value, usual, _dotted(where, field.name))
        elif value != usual:
            found[_dotted(where, field.name)] = value
    return found


def choices(hint: Any) -> tuple[Any, ...]:
    """The values of a Literal, also of one that may be None; empty for other types."""
    bare = _bare(hint)
    return get_args(bare) if get_origin(bare) is Literal else ()


def settable(settings: Any) -> dict[str, Any]:
    """The types of the fields that may be set, by name."""
    return {
        name: hint
        for name, hint in field_types(type(settings)).items()
        if not any(isinstance(part, GivenByData) for part in get_args(hint))
    }


def _refined(settings: T, given: Any, where: str, known: list[str]) -> T:
    if not isinstance(given, Mapping):
        raise SettingsError(f"{where or 'the settings'} must be a table of settings, not {_shown(given)}")
    hints, changed = settable(settings), dict[str, Any]()
    for name, value in given.items():
        dotted = _dotted(where, name)
        if name not in hints:
            raise SettingsError(f"there is no setting {dotted}: did you mean {_nearest(dotted, where, known)}?")
        nested = getattr(settings, name)
        if is_dataclass(nested):
            changed[name] = _refined(nested, value, dotted, known)
        else:
            changed[name] = _value(hints[name], value, dotted)
    try:
        return replace(settings, **changed)  # pyright: ignore[reportArgumentType]  # checked by the caller: a dataclass
    except ModelError as error:  # of fields that do not go together
        raise SettingsError(f"{where}: {error}" if where else str(error)) from error


def _value(hint: Any, value: Any, dotted: str) -> Any:
    """The value as a field of this type holds it."""
    bare = _bare(hint)
    if value is None and NoneType in get_args(hint):
        return None
    if get_origin(bare) is tuple:
        return _tuple(bare, value, dotted)
    if allowed := choices(hint):
        return _choice(allowed, value, dotted)
    if bare is float and isinstance(value, int) and not isinstance(value, bool):
        value = _as_float(value)
    if type(value) is not bare:
        raise SettingsError(f"{dotted} must be {type_words(hint)}, not {_shown(value)}")
    if isinstance(value, int | float) and bare is not bool and value not in (bounds := bounds_of(hint)):
        raise SettingsError(f"{dotted} must be {bounds}, not {_shown(value)}")
    return value


def _tuple(bare: Any, value: Any, dotted: str) -> tuple[Any, ...]:
    of = get_args(bare)
    if not isinstance(value, list | tuple):
        raise SettingsError(f"{dotted} must be a list, not {_shown(value)}")
    if of[-1] is Ellipsis:
        of = (of[0],) * len(value)
    if len(of) != len(value):
        raise SettingsError(f"{dotted} must be a list of {len(of)}, not {_shown(value)}")
    return tuple(_value(hint, each, f"{dotted}[{n}]") for n, (hint, each) in enumerate(zip(of, value, strict=True)))


def _choice(allowed: tuple[Any, ...], value: Any, dotted: str) -> Any:
    if value in allowed and type(value) in {type(each) for each in allowed}:
        return value
    nearest = f"; did you mean {_most_alike(value, allowed)}?" if isinstance(value, str) else ""
    raise SettingsError(f"{dotted} must be one of {', '.join(map(str, allowed))}, not {_shown(value)}{nearest}")


def type_words(hint: Any) -> str:
    """What a value of this type is, in words."""
    bare = _bare(hint)
    if get_origin(bare) is tuple:
        return "a list"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}[bare]


def _bare(hint: Any) -> Any:
    """The type without annotations and without None."""
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return _bare(next(part for part in get_args(hint) if part is not NoneType))
    return hint


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")  # out of any bounds


def _dotted(where: str, name: Any) -> str:
    plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_-]+", name)
    return ".".join(filter(None, (where, name if plain else _shown(name))))


def _nearest(dotted: str, where: str, known: list[str]) -> str:
    """The known name whose last part is most alike; of several that of the same table."""
    same_table = [name for name in known if name.rpartition(".")[0] == where]
    last = {name: name.rpartition(".")[2] for name in (*same_table, *known)}
    alike = _most_alike(dotted.rpartition(".")[2], tuple(last.values()))
    return next(name for name, part in last.items() if part == alike)


def _most_alike(text: str, known: tuple[str, ...]) -> str:
    return max(known, key=lambda name: SequenceMatcher(None, text, name).ratio())


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
