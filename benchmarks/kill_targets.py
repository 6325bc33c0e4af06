"""Roots whose files are compared, read without threads: the process that reads them forks."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Target(Protocol):
    """The files of a root. One that goes while they are listed, such as a lease of a job that goes on, is left out."""

    @property
    def url(self) -> str: ...

    def files(self) -> dict[str, str]: ...

    def read(self, path: str) -> bytes: ...

    def delete(self, path: str) -> None: ...


@dataclass(frozen=True)
class Folder:
    """A local root."""

    url: str

    def files(self) -> dict[str, str]:
        """sha256 by path, without the hidden files that a kill may leave."""
        top = Path(self.url)
        found: dict[str, str] = {}
        for path in top.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                with suppress(FileNotFoundError):
                    found[path.relative_to(top).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def read(self, path: str) -> bytes:
        return (Path(self.url) / path).read_bytes()

    def delete(self, path: str) -> None:
        (Path(self.url) / path).unlink()


@dataclass(frozen=True)
class Bucket:
    """A bucket as a root."""

    url: str

    def _client(self) -> Any:
        import boto3

        return boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])

    @property
    def _name(self) -> str:
        return self.url.removeprefix("s3://")

    def create(self) -> Bucket:
        """Makes it."""
        self._client().create_bucket(Bucket=self._name)
        return self

    def files(self) -> dict[str, str]:
        """sha256 by key."""
        client = self._client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._name)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        found: dict[str, str] = {}
        for key in keys:
            with suppress(client.exceptions.NoSuchKey):
                found[key] = hashlib.sha256(client.get_object(Bucket=self._name, Key=key)["Body"].read()).hexdigest()
        return found

    def read(self, path: str) -> bytes:
        return self._client().get_object(Bucket=self._name, Key=path)["Body"].read()

    def delete(self, path: str) -> None:
        self._client().delete_object(Bucket=self._name, Key=path)
