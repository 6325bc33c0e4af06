"""What single flipped bits in the files of a root do: whether `mien verify` notices, and what readers give.

    python -m benchmarks.damage --flips 300

It makes a small root (the job of `benchmarks.small_job`), flips a random bit of a random file, looks, and puts the bit
back. Files are drawn by their size, manifests and sets apart, since they are small. Flips of a shard are read through
`open_table`: the reader refuses, or gives the values that were written; anything else is a silent change.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.small_job import NAME, prepare_job, register_generator, run_job
from mien.storage import Root, StorageError, open_table, read_set
from mien.storage.schemas import TABLES
from mien.tasks.sets.verify import verify

READ = ("refused", "as written", "CHANGED")
SETS = (NAME, f"{NAME}-by-{NAME}")


def small_root(folder: Path) -> Root:
    """A prepared and a generated set."""
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    root = str(folder / "root")
    prepare_job(root)
    register_generator(root, folder / "generator")
    run_job(root, workers=1)
    return Root(root)


def files(folder: Path) -> dict[str, list[Path]]:
    """What a set needs, by kind."""
    found = {f"shards of {table}": sorted((folder / table / "shards").glob("*.parquet")) for table in TABLES}
    found["manifests"] = sorted(path for table in TABLES for path in (folder / table / "manifests").glob("*.json"))
    found["sets"] = sorted((folder / "sets").glob("*.json"))
    return found


def table_of(kind: str) -> str | None:
    """The table whose shards these are."""
    return kind.removeprefix("shards of ") if kind.startswith("shards of ") else None


def read_all(root: Root, kind: str) -> list[object]:
    """The rows of the table of a kind of file, in both sets; of the others nothing is read."""
    table = table_of(kind)
    found = [read_set(root, name) for name in SETS]
    return [
        open_table(root, table, named.tables[table]).to_table()  # pyright: ignore[reportArgumentType]
        for named in found
        if table is not None and table in named.tables
    ]


def noticed(root: Root) -> bool:
    """Whether verification finds a fault in one of the sets, or cannot read it."""
    try:
        return any(not verify(root, name).whole for name in SETS)
    except StorageError:
        return True


def reading(root: Root, kind: str, good: list[object]) -> str:
    """What a reader of the damaged table gets."""
    try:
        found = read_all(root, kind)
    except StorageError:
        return "refused"
    return "as written" if found == good else "CHANGED"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mien-damage-") as scratch:
        root, draw = small_root(Path(scratch)), random.Random(asked.seed)
        for name in ("mien", "prefect"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if noticed(root):
            raise SystemExit("the sets are not whole before any flip")
        kinds = files(Path(scratch) / "root")
        good = {kind: read_all(root, kind) for kind in kinds}
        flips, seen, given = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
        for number in range(asked.flips):
            kind = list(kinds)[number % len(kinds)]
            path = draw.choices(kinds[kind], [path.stat().st_size for path in kinds[kind]])[0]
            data = path.read_bytes()
            bad, position = bytearray(data), draw.randrange(len(data))
            bad[position] ^= 1 << draw.randrange(8)
            path.write_bytes(bad)
            flips[kind] += 1
            seen[kind] += noticed(root)
            given[kind, reading(root, kind, good[kind])] += 1
            path.write_bytes(data)
    for kind, count in flips.items():
        values = [f"{given[kind, how]} {how}" for how in READ if given[kind, how]]
        read = f"; reading: {', '.join(values)}" if table_of(kind) else ""
        print(f"{kind:<22} {count:>5} flips, {seen[kind]:>5} noticed by verify{read}")
    print(f"{'all':<22} {sum(flips.values()):>5} flips, {sum(seen.values()):>5} noticed by verify")


if __name__ == "__main__":
    main()
