"""The terms of several photos together."""

from __future__ import annotations

import pytest

from mien.storage.licence import parse_licence, together


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        ([], None),
        ([None, None], None),
        (["CC-BY-4.0", "CC-BY-4.0"], "CC-BY-4.0"),
        (["CC0-1.0", "CC-BY-NC-4.0", "CC0-1.0"], "CC0-1.0; CC-BY-NC-4.0"),
        ([None, "CC-BY-4.0", None], "not stated; CC-BY-4.0"),
    ],
)
def test_each_licence_stands_once_and_what_is_not_stated_is_said(
    licences: list[str | None], expected: str | None
) -> None:
    assert together(licences) == expected


def test_several_terms_do_not_pass_for_one_that_allows_commerce() -> None:
    terms = together(["CC-BY-4.0", "CC-BY-NC-4.0"])
    assert terms is not None
    assert parse_licence(terms).commercial is None
