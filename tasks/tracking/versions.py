"""Versions of generators in the registry: which one a name means, and what there is."""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode

from mien.tasks.errors import UsageError

CHAMPION = "champion"
"""The alias of the version that is used where none is named."""
_ABSENT = [ErrorCode.Name(code) for code in (INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST)]
"""What MLflow answers where a model has no such alias, and where there is no such model."""


def version_uri(version: ModelVersion) -> str:
    """`models:/name/version`."""
    return f"models:/{version.name}/{version.version}"


def champion_version(client: MlflowClient, name: str) -> ModelVersion | None:
    """The version with the alias `champion`, if there is one. A registry that fails does not look like one without."""
    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise


def find_version(client: MlflowClient, uri: str) -> ModelVersion:
    """The version that a URI means: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises:
        UsageError: the registry has no such version.
    """
    try:
        if not uri.startswith("models:/"):
            raise UsageError(f"{uri!r} is no registered model: write models:/NAME@ALIAS or models:/NAME/VERSION")
        name = uri.removeprefix("models:/")
        if "@" in name:
            return client.get_model_version_by_alias(*name.split("@", 1))
        return client.get_model_version(*name.split("/", 1))
    except (MlflowException, TypeError) as error:
        raise UsageError(
            f"{uri} is not in the registry ({known_versions(client)}): train first, or choose another"
        ) from error


def known_versions(client: MlflowClient) -> str:
    """One line that names what the registry holds."""
    versions = client.search_model_versions()
    names = sorted(f"{v.name}/{v.version}" for v in versions)
    return "it holds " + ", ".join(names[-10:]) if names else "it is empty"
