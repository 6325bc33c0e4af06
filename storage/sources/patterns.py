"""Patterns that say where a path tells labels: `{identity}/{expression}_*.jpg`."""

from __future__ import annotations

import re

from mien.storage.errors import StorageError

_NAMES = ("identity", "expression")
_TOKEN = re.compile(r"\{(\w*)\}|(\*\*/?)|(\*)|(\?)")


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression for whole paths that end as the pattern says.

    `{identity}` and `{expression}` stand for a part of a name, `*` for any part of a name, `?` for one character, `**`
    for any folders. A label that is written twice must be the same in both places.

    Raises:
        StorageError: there is no label in it, or an unknown one.
    """
    out, last, seen = [], 0, set[str]()
    for token in _TOKEN.finditer(pattern):
        out.append(re.escape(pattern[last : token.start()]))
        last = token.end()
        name, folders, part, _ = token.groups()
        if name is not None and name not in _NAMES:
            raise StorageError(f"the pattern {pattern!r} has {{{name}}}: it knows {{identity}} and {{expression}}")
        if name is not None:
            out.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)")
            seen.add(name)
        else:
            out.append(r"(?:.*/)?" if folders == "**/" else ".*" if folders else "[^/]*" if part else "[^/]")
    if not seen:
        raise StorageError(f"the pattern {pattern!r} names no label: write {{identity}} where the person's name stands")
    out.append(re.escape(pattern[last:]))
    return re.compile(f"(?:.*?/)??{''.join(out).removeprefix('/')}", re.DOTALL)
