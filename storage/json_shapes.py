"""JSON held against a shape: what a file should contain, as the types of Python say it.

A shape is a frozen dataclass, a TypedDict, a list, a dict with string keys, a tuple, a Literal, a union, or one of the
types that JSON itself has. Keys of a TypedDict that may be missing are those of `total=False`: `NotRequired` cannot be
seen where annotations are postponed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

_PLAIN = {bool: bool, int: int, str: str, float: (int, float), NoneType: NoneType}
_MAX_SHOWN = 60


def from_json(shape: Any, value: Any) -> Any:
    """`value`, as json.loads gives it, with dataclasses where the shape has them.

    Raises:
        ValueError: the value is of another shape.
        TypeError: the shape is none.
    """
    if shape is Any:
        return value
    if shape in _PLAIN:
        # Python counts True as an int, JSON does not.
        if isinstance(value, _PLAIN[shape]) and (shape is bool or not isinstance(value, bool)):
            return value
        raise _other(shape, value)
    if is_dataclass(shape):
        needed = [f.name for f in fields(shape) if f.default is MISSING and f.default_factory is MISSING]
        return shape(**_entries(shape, needed, value))  # pyright: ignore[reportCallIssue]
    if is_typeddict(shape):
        return _entries(shape, shape.__required_keys__, value)
    return _generic(shape, get_origin(shape), get_args(shape), value)


def _generic(shape: Any, origin: Any, args: tuple[Any, ...], value: Any) -> Any:
    if origin in (Union, UnionType):
        return _one_of(shape, args, value)
    if origin is Literal:
        if value in args:
            return value
    elif origin in (list, Sequence):
        if isinstance(value, list):
            return [from_json(args[0], item) for item in value]
    elif origin is tuple:
        if isinstance(value, list):
            kinds = args[:1] * len(value) if args[1:] == (...,) else args
            if len(kinds) == len(value):
                return tuple(from_json(kind, item) for kind, item in zip(kinds, value, strict=True))
    elif origin in (dict, Mapping):
        if isinstance(value, dict):
            return {key: from_json(args[1], item) for key, item in value.items()}
    else:
        raise TypeError(f"JSON has nothing like {shape}")
    raise _other(shape, value)


def _one_of(shape: Any, kinds: tuple[Any, ...], value: Any) -> Any:
    for kind in kinds:
        try:
            return from_json(kind, value)
        except ValueError:
            continue
    raise _other(shape, value)


def _entries(shape: Any, needed: Sequence[str] | frozenset[str], value: Any) -> dict[str, Any]:
    hints = _hints(shape)
    if not isinstance(value, dict) or not hints.keys() >= value.keys() >= set(needed):
        raise _other(shape, value)
    return {key: from_json(hints[key], item) for key, item in value.items()}


@cache
def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape)


def _other(shape: Any, value: Any) -> ValueError:
    text = repr(value)
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    return ValueError(f"{shown} is no {getattr(shape, '__name__', shape)}")
