"""The gallery's numbers: counted over all rows, shown for an unchosen part of them."""

from __future__ import annotations

from mien.tasks.pages.gallery import markdown, summarise
from mien.tasks.pages.html import evenly_spaced


def row(
    status: str, reason: str | None = None, similarity: float | None = 0.5, identity: str = "a"
) -> dict[str, object]:
    return {
        "identity": identity,
        "model_uri": "models:/mien-generator/3",
        "identity_similarity": similarity,
        "driver_similarity": 0.2,
        "expression_error": None,
        "status": status,
        "reason": reason,
    }


def test_reasons_that_differ_in_numbers_only_count_together() -> None:
    rows = [
        row("ok", similarity=0.7),
        row("rejected", "identity similarity 0.31 is below 0.40", 0.3, "b"),
        row("rejected", "identity similarity 0.12 is below 0.40", 0.1),
        row("rejected", "no face found on the result", None),
    ]
    summary = summarise(rows)
    assert (summary.total, summary.accepted, summary.identities) == (4, 1, 2)
    assert summary.reasons == [("identity similarity", 2), ("no face found on the result", 1)]
    assert summary.medians == {"identity_similarity": 0.3, "driver_similarity": 0.2, "expression_error": None}


def test_the_markdown_has_every_figure() -> None:
    text = markdown(summarise([row("ok"), row("rejected", "no face found on the result", None)]))
    assert "**1 of 2 generated faces accepted** (50%), 1 identities" in text
    assert "| identity similarity | 0.500 |" in text
    assert "| expression error | – |" in text
    assert "| no face found on the result | 1 |" in text


def test_an_empty_table_is_summarised() -> None:
    assert "**0 of 0 generated faces accepted**" in markdown(summarise([]))


def test_shown_rows_are_evenly_spaced() -> None:
    assert evenly_spaced(list(range(10)), 5) == [0, 2, 4, 6, 8]
    assert evenly_spaced(list(range(3)), 96) == [0, 1, 2]
    assert evenly_spaced([], 5) == []
