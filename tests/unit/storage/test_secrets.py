"""Secrets in addresses and messages: none is stored or printed, and an object keeps its name under each signature."""

from __future__ import annotations

import pytest

from mien.storage import StorageError
from mien.storage.root import Root, storage_errors
from mien.storage.secrets import is_signed, public_url, scrubbed

AMAZON = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=PLANTED%2F20261125&X-Amz-Expires=900&X-Amz-Signature=PLANTED"
)
AZURE = "sv=2024-08-04&se=2026-12-01T00%3A00Z&sr=b&sp=r&sig=PLANTED%3D"


@pytest.mark.parametrize(
    ("url", "public"),
    [
        (f"https://bucket.example/a.jpg?{AMAZON}", "https://bucket.example/a.jpg"),
        (f"https://x.blob.example/c/a.jpg?{AZURE}", "https://x.blob.example/c/a.jpg"),
        ("https://h/a.jpg?X-Goog-Signature=PLANTED&X-Goog-Date=1", "https://h/a.jpg"),
        ("https://h/a.jpg?Expires=1&Signature=PLANTED&Key-Pair-Id=PLANTED", "https://h/a.jpg"),
        ("https://h/a.jpg?AWSAccessKeyId=PLANTED&Expires=2&Signature=PLANTED&response-expires=3", "https://h/a.jpg"),
        ("https://h/a.jpg?versionId=7&X-Amz-Signature=PLANTED", "https://h/a.jpg?versionId=7"),
        ("https://h/photo?id=5&token=PLANTED", "https://h/photo?id=5"),
        ("https://h/photo?id=5&ACCESS_TOKEN=PLANTED&size=2", "https://h/photo?id=5&size=2"),
        ("https://h/photo?id=5&access%5Ftoken=PLANTED", "https://h/photo?id=5"),
        ("http://me:PLANTED@h:8080/a.jpg", "http://h:8080/a.jpg"),
        ("http://PLANTED@h/a.jpg", "http://h/a.jpg"),
        ("http://me:PLA@NTED@h/a.jpg", "http://h/a.jpg"),
        ("sftp://me:PLANTED@h/a.jpg", "sftp://me@h/a.jpg"),
        ("https://h/a.jpg#access_token=PLANTED", "https://h/a.jpg"),
        ("https://h/a.jpg?v=2#top", "https://h/a.jpg?v=2#top"),
        ("https://h/a?expires=never&se=n", "https://h/a?expires=never&se=n"),
        ("s3://bucket/a@b/c.jpg", "s3://bucket/a@b/c.jpg"),
        ("/photos/a?token=1@x.jpg", "/photos/a?token=1@x.jpg"),
        ("bytes:/caf%E9?token=x", "bytes:/caf%E9?token=x"),
    ],
)
def test_an_address_is_stored_without_secrets_and_with_all_else(url: str, public: str) -> None:
    assert public_url(url) == public
    assert public_url(public) == public
    assert "PLANTED" not in scrubbed(url)


def test_the_signature_alone_does_not_change_the_name_of_an_object() -> None:
    first, second = (f"https://h/a.jpg?{AMAZON}".replace("PLANTED", word) for word in ("one", "two"))
    assert first != second
    assert public_url(first) == public_url(second)
    assert is_signed(first)
    assert not is_signed("https://h/photo?id=5&token=x")


@pytest.mark.parametrize(
    "text",
    [
        "GET http://me:PLANTED@h/a.jpg?x=1 failed",
        f"cannot read 'https://h/a.jpg?{AMAZON}', nor (https://h/b?sig=PLANTED).",
        "headers: {'Authorization': 'Bearer PLANTEDTOKEN'}",
        "Authorization: Basic PLANTEDbWU6eA==",
        "{'X-Amz-Security-Token': 'PLANTED', 'other': 1}",
        "aws_secret_access_key = PLANTED",
        "redirect to https%3A%2F%2Fh%2Fa%3Ftoken=PLANTED",
        "postgresql://mlflow:PLANTED@db:5432/mlflow is away",
        "cert.pem,-----BEGIN EC PRIVATE KEY-----\nPLANTED\nPLANTED\n-----END EC PRIVATE KEY----- is no path",
        "-----BEGIN PRIVATE KEY-----\nPLANTED",
    ],
)
def test_a_message_has_stars_instead(text: str) -> None:
    assert "PLANTED" not in scrubbed(text)
    assert "***" in scrubbed(text)
    assert "PLANTED" not in str(StorageError(text))
    assert scrubbed(scrubbed(text)) == scrubbed(text)


@pytest.mark.parametrize(
    "text",
    [
        "models:/mien-generator@champion is not in the registry",
        "the token of the day: give it a name",
        "/photos/me@home/a.jpg does not exist",
        "s3://bucket/a@b.jpg: check that it is reachable",
        "12 photos left out: no picture (.txt)",
        "/etc/passwd: only web addresses are followed; a wrong password: try again",
    ],
)
def test_a_message_without_secrets_stays_as_it_is(text: str) -> None:
    assert scrubbed(text) == text


def test_secrets_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "PLANTEDAWSSECRET")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/key.json")
    assert scrubbed("the server echoed PLANTEDAWSSECRET back") == "the server echoed *** back"
    assert scrubbed("/home/me/key.json is missing") == "/home/me/key.json is missing"


def test_what_a_filesystem_says_is_scrubbed() -> None:
    with (
        pytest.raises(StorageError) as caught,
        storage_errors("https://me:PLANTED@h/a.jpg"),
    ):
        raise OSError("403 for url https://h/a.jpg?X-Amz-Signature=PLANTED")
    assert "PLANTED" not in str(caught.value)
    with pytest.raises(StorageError) as caught:
        Root("nope://me:PLANTED@h/x")
    assert "PLANTED" not in str(caught.value)
