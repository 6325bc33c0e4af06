"""Where Prefect keeps its database while a command runs: `PREFECT_HOME`, else `~/.prefect`, else a temporary folder.

Some users have no home that can be written: of a service, in a container, of another user. The server that a command
starts for itself needs a folder for the time of the command only.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from mien.tasks.errors import RunError

VARIABLE = "PREFECT_HOME"
_PROFILES = "PREFECT_PROFILES_PATH"
_FILES = ("profiles.toml", "prefect.db", "memo_store.toml")


def give_home() -> None:
    """Gives Prefect a temporary folder where `~/.prefect` cannot be written. Call before Prefect is imported.

    Profiles in `~/.prefect` stay in force where they can be read.
    """
    if os.environ.get(VARIABLE):
        return
    home = Path(os.path.expanduser("~")) / ".prefect"
    if is_writable(home):
        return
    try:
        temporary = tempfile.mkdtemp(prefix="mien-prefect-")
    except OSError:
        return  # `check_home` tells, where one is needed
    owner = os.getpid()
    atexit.register(_remove, temporary, owner)
    os.environ[VARIABLE] = temporary
    profiles = home / _FILES[0]
    if os.access(profiles, os.R_OK):
        os.environ.setdefault(_PROFILES, str(profiles))


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked process runs this, too
        shutil.rmtree(folder, ignore_errors=True)


def check_home() -> None:
    """Before a server starts.

    Raises:
        RunError: its folder cannot be written.
    """
    home = Path(os.path.expanduser(os.environ.get(VARIABLE) or "~/.prefect"))
    if not is_writable(home):
        raise RunError(f"{home} cannot be written, and Prefect needs it: set {VARIABLE} to a folder of your own")


def is_writable(home: Path) -> bool:
    """Whether Prefect can write there; the folder need not be there yet."""
    there = next(path for path in (home, *home.absolute().parents) if os.path.lexists(path))
    if not os.path.isdir(there) or not os.access(there, os.W_OK | os.X_OK):
        return False
    return all(os.access(path, os.R_OK | os.W_OK) for name in _FILES if os.path.lexists(path := home / name))
