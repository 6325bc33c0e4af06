"""What a run may read, and with which credentials: for reading only, never part of what is stored.

Tables hold addresses without secrets, and worker processes read what tables name. So the process that lists keeps the
whole addresses, and where data may lead, in a file that only this user can read; its workers look there. The file is
deleted when that process ends, and one that was killed leaves it to the next run to delete.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing as mp
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mien.storage.secrets import is_signed, public_url
from mien.storage.sources.local import is_local
from mien.storage.sources.policy import SourcePolicy, of_uri

_VARIABLE = "MIEN_GRANTS"
"""`{pid}:{file}` of the process that lists, so that its workers find the file, and other processes do not."""
_PREFIX = "mien-grants-"


def grant(policy: SourcePolicy) -> None:
    """Lets this process and its workers follow redirects as the policy says."""
    if not policy.allow and all("://" not in each for each in policy.given):
        return  # nothing that reading a file would ask for
    with _written() as base:
        base.execute("INSERT OR IGNORE INTO policies VALUES (?)", [json.dumps([policy.given, policy.allow])])


def keep(urls: Iterable[str], seen: dict[int, int] | None = None) -> list[str | None]:
    """The addresses as they may be stored; the whole ones are kept for reading.

    None stands for an address that differs from a former one in its token alone, where no signature says that both name
    one object.

    Args:
        urls: Addresses.
        seen: Hashes of the former ones of the same list, which is added to.
    """
    seen, kept, secret = {} if seen is None else seen, list[str | None](), dict[str, str]()
    for url in urls:
        public = public_url(url)
        if public == url:
            kept.append(public)
            continue
        token = 0 if is_signed(url) else hash(url)
        if seen.setdefault(hash(public), token) != token:
            kept.append(None)
        else:
            kept.append(public)
            secret[public] = url
    if secret:
        with _written() as base:
            base.executemany("INSERT OR REPLACE INTO urls VALUES (?, ?)", secret.items())
    return kept


def public_specs(specs: Iterable[str]) -> list[str]:
    """The specs without secrets, for parameters that a server keeps; this process and its workers read by the whole."""
    whole = list(specs)
    return [kept or public_url(spec) for kept, spec in zip(keep(whole), whole, strict=True)]


def whole_url(uri: str) -> str:
    """The address to read by: with the credentials that it was listed with, where this run has listed it."""
    if is_local(uri) or (path := _file()) is None or not path.exists():
        return uri
    with closing(sqlite3.connect(path, timeout=30)) as base:
        found = base.execute("SELECT whole FROM urls WHERE public = ?", [uri]).fetchone()
    return uri if found is None else str(found[0])


def policy_for(uri: str) -> SourcePolicy:
    """Where reading this address may lead: what was granted to the run that listed it, else its own host alone."""
    policies = [policy for policy in _granted() if policy.refusal(uri) is None] or [of_uri(uri)]
    given = dict.fromkeys(each for policy in policies for each in policy.given)
    return SourcePolicy(tuple(given), tuple(dict.fromkeys(each for policy in policies for each in policy.allow)))


def _granted() -> list[SourcePolicy]:
    path = _file()
    if path is None or not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=30)) as base:
        rows = [json.loads(text) for (text,) in base.execute("SELECT policy FROM policies")]
    return [SourcePolicy(tuple(given), tuple(allow)) for given, allow in rows]


def _file() -> Path | None:
    """The file of this process, or of the one that started it as a worker."""
    owner, _, path = os.environ.get(_VARIABLE, "").partition(":")
    parent = mp.parent_process()
    if owner in (str(os.getpid()), str(parent.pid if parent is not None else None)):
        return Path(path)
    return None


@contextmanager
def _written() -> Iterator[sqlite3.Connection]:
    path = _file() or _new_file()
    with closing(sqlite3.connect(path, timeout=30)) as base, base:
        base.execute("CREATE TABLE IF NOT EXISTS urls (public TEXT PRIMARY KEY, whole TEXT)")
        base.execute("CREATE TABLE IF NOT EXISTS policies (policy TEXT PRIMARY KEY)")
        yield base


def _new_file() -> Path:
    _delete_abandoned()
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")  # for this user only
    path = Path(folder) / "grants.db"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    os.environ[_VARIABLE] = f"{os.getpid()}:{path}"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return path


def _delete_abandoned() -> None:
    """Deletes what killed processes of this user have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not _is_alive(int(pid)) and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True
