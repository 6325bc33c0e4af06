"""What a generated picture says in itself of what it was made from."""

from __future__ import annotations

from collections.abc import Sequence

FURTHER = "further_sources"
"""Key of the sources besides the first."""


def own_mark(
    model_uri: str, model_sha256: str, source: str, driver: str, output_id: str, further: Sequence[str] = ()
) -> dict[str, str]:
    """The provenance of a picture: generator, weights, the ids of its faces and its own. `further` are the sources
    besides the first; a picture without any says nothing of them."""
    mark = {"generator": model_uri, "weights": model_sha256, "source": source, "driver": driver, "output": output_id}
    return mark | ({FURTHER: " ".join(further)} if further else {})
