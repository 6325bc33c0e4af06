"""Settings as TOML, each field with its docstring as a comment: what a user copies and changes."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from typing import Any

from mien.model.configuration.bounds import ANY, bounds_of
from mien.model.configuration.refine import choices, settable, type_words

_WIDTH = 100


def as_toml(settings: Any, table: str = "") -> str:
    """TOML text that `refine` reads back to the same value.

    TOML has no null: a field that is None stands in a comment. Docstrings are read from the source of the classes.

    Args:
        settings: An instance of a frozen dataclass.
        table: Its dotted name; without one the fields are at the top of the text.
    """
    return "\n".join(_table(settings, table)).strip() + "\n"


def _table(settings: Any, table: str, about: str = "") -> Iterator[str]:
    values, docs = {name: getattr(settings, name) for name in settable(settings)}, field_docs(type(settings))
    if table:
        yield from ("", "", *_comment(about), *_comment(inspect.getdoc(type(settings)) or ""), f"[{table}]")
    for name, value in values.items():
        if not is_dataclass(value):
            yield from _field(name, value, settable(settings)[name], docs.get(name, ""))
    for name, value in values.items():  # after the fields: what follows a table's head belongs to it
        if is_dataclass(value):
            yield from _table(value, f"{table}.{name}".lstrip("."), docs.get(name, ""))


def _field(name: str, value: Any, hint: Any, about: str) -> Iterator[str]:
    allowed = _allowed(hint)
    yield from ("", *_comment(about))
    yield f"# {name} =  # not set; {allowed}" if value is None else f"{name} = {_literal(value)}  # {allowed}"


def _allowed(hint: Any) -> str:
    """What a value may be, in words."""
    if of := choices(hint):
        return f"one of {', '.join(map(str, of))}"
    bounds = bounds_of(hint)
    return type_words(hint) if bounds is ANY else f"{type_words(hint)}, {bounds}"


def _comment(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        for line in textwrap.wrap(" ".join(paragraph.split()), _WIDTH):
            yield f"# {line}"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # the one that JSON does not escape
    if isinstance(value, tuple | list):
        return f"[{', '.join(_literal(each) for each in value)}]"
    return repr(value)


@cache
def field_docs(kind: type[Any]) -> dict[str, str]:
    """The docstring below each field of a class, by the field's name; of its base classes, too."""
    docs: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if is_dataclass(base):
            docs |= _docs_in(base)
    return docs


def _docs_in(kind: type[Any]) -> dict[str, str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    docs: dict[str, str] = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            match text.value:
                case ast.Constant(value=str(words)):
                    docs[field.target.id] = " ".join(words.split())
                case _:
                    pass
    return docs
