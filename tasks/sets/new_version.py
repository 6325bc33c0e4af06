"""The last step of a run that makes a set: its new version, which several runs of one job write once."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from mien.storage import ChangedError, NamedSet, Root, read_set, set_version, write_set
from mien.storage.fingerprints import JSON
from mien.tasks.runtime.ranks import rank_in_force
from mien.tasks.sets.replacing import check_kept_rows

_log = logging.getLogger("mien.tasks")


def write_version(
    root: Root, name: str, tables: Mapping[str, str], version: int, about: Mapping[str, JSON], replace: bool
) -> NamedSet:
    """Makes a version of the set with these tables, or finds the one that another run of the job has made.

    Of the ranks of a job the first to come here makes it. One whose sources answered otherwise has other tables, as a
    later run would have; it leaves the set as it is.

    Args:
        root: Where the set lies.
        name: Of the set.
        tables: The fingerprint of each table.
        version: The newest one when the run began.
        about: What the set is made from.
        replace: Whether it may lose more than half of its rows.

    Raises:
        RunError: it would lose more than half of its rows.
        ChangedError: a run of another job has changed the set meanwhile, or this run was taken for dead.
    """
    check_kept_rows(root, name, tables, version, replace)
    try:
        return write_set(root, name, tables, after=version, about=about)
    except ChangedError:
        rank = rank_in_force()
        if rank is None or set_version(root, name) == version:
            raise
        newest = read_set(root, name)
        if newest.about != about:
            raise
        _log.warning("%s: version %d of %s is by another rank, and stays", rank, newest.version, name)
        return newest
