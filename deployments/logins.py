"""The logins of the servers of `make up`: made at the first start, kept in a file that only its owner reads."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

USER = "mien"


@dataclass(frozen=True)
class Logins:
    """Passwords of the user `mien`, one for each server."""

    prefect: str
    mlflow: str

    @property
    def prefect_auth(self) -> str:
        """As Prefect's settings take it, `user:password`; its page asks for the whole of it."""
        return f"{USER}:{self.prefect}"

    def environment(self) -> dict[str, str]:
        """What a client of the servers needs in its environment."""
        return {
            "PREFECT_API_AUTH_STRING": self.prefect_auth,
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": self.mlflow,
        }


def logins(path: Path) -> Logins:
    """The logins in this file; new ones where there is none."""
    if path.exists():
        return Logins(**json.loads(path.read_text()))
    # MLflow asks for 12 characters at least.
    made = Logins(secrets.token_urlsafe(18), secrets.token_urlsafe(18))
    write_private(path, json.dumps(asdict(made)))
    return made


def write_private(path: Path, text: str) -> None:
    """Writes a file that nobody but its owner may read, from its first byte on."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
